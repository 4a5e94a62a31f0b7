//! Where actions lead: grids with walls, graphs, and free choice of the next place.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{Error, parameters::require, random::Stream};

/// The actions on a grid, in the order of the authors' code.
pub mod action {
    /// Stay where you are.
    pub const STAY: usize = 0;
    /// One column to the right.
    pub const RIGHT: usize = 1;
    /// One row down.
    pub const DOWN: usize = 2;
    /// One column to the left.
    pub const LEFT: usize = 3;
    /// One row up.
    pub const UP: usize = 4;
}

/// How places lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    /// Cells, numbered row by row from the top.
    Grid {
        /// Number of rows.
        rows: usize,
        /// Number of columns.
        columns: usize,
        /// Which cells cannot be entered.
        walls: Vec<bool>,
    },
    /// Points of the plane.
    Points(Vec<[f64; 2]>),
}

/// A table of the places that actions lead to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moves {
    actions: usize,
    /// Places × actions.
    next: Vec<u32>,
    shape: Shape,
    /// Probability that a uniformly random action is taken instead.
    noise: f64,
}

impl Moves {
    /// Stay, right, down, left and up on a grid; a move over the edge or into a wall stays. Errors when
    /// there are no cells or another number of `walls`.
    pub fn grid(rows: usize, columns: usize, walls: Vec<bool>) -> Result<Self, Error> {
        if walls.is_empty() || walls.len() != rows * columns {
            let reason = format!("{} cells for {rows} rows of {columns}", walls.len());
            return Err(Error::InvalidProcess { reason });
        }
        let mut next = Vec::with_capacity(5 * walls.len());
        for cell in 0..walls.len() {
            let (row, column) = (cell / columns, cell % columns);
            let open = |inside: bool, to: usize| if inside && !walls[to] { to } else { cell };
            next.push(cell as u32);
            next.push(open(column + 1 < columns, cell + 1) as u32);
            next.push(open(row + 1 < rows, cell + columns) as u32);
            next.push(open(column > 0, cell.wrapping_sub(1)) as u32);
            next.push(open(row > 0, cell.wrapping_sub(columns)) as u32);
        }
        Ok(Moves { actions: 5, next, shape: Shape::Grid { rows, columns, walls }, noise: 0.0 })
    }

    /// A graph: action 0 stays, action i goes to the i-th neighbour and stays where there are fewer.
    /// Errors when there are no places or a neighbour does not exist.
    pub fn graph(positions: Vec<[f64; 2]>, neighbours: &[Vec<usize>]) -> Result<Self, Error> {
        let places = positions.len();
        if places == 0 || neighbours.len() != places {
            let reason = format!("{places} places with {} lists of neighbours", neighbours.len());
            return Err(Error::InvalidProcess { reason });
        }
        if let Some(next) = neighbours.iter().flatten().find(|next| **next >= places) {
            return Err(Error::InvalidProcess { reason: format!("a neighbour {next} of {places} places") });
        }
        let actions = 1 + neighbours.iter().map(Vec::len).max().unwrap_or(0);
        let next = neighbours.iter().enumerate().flat_map(|(place, neighbours)| {
            (0..actions).map(move |action| match action {
                0 => place as u32,
                _ => neighbours.get(action - 1).copied().unwrap_or(place) as u32,
            })
        });
        Ok(Moves { actions, next: next.collect(), shape: Shape::Points(positions), noise: 0.0 })
    }

    /// Every action leads to the place of its number, wherever one is: what a bandit is. Errors when
    /// there are no places.
    pub fn free(positions: Vec<[f64; 2]>) -> Result<Self, Error> {
        let places = positions.len();
        if places == 0 {
            return Err(Error::InvalidProcess { reason: "no places".into() });
        }
        let next = (0..places * places).map(|i| (i % places) as u32).collect();
        Ok(Moves { actions: places, next, shape: Shape::Points(positions), noise: 0.0 })
    }

    /// The same where, with probability `noise`, a uniformly random action is taken instead of the one
    /// chosen. Errors unless it is from 0 to 1.
    pub fn with_noise(self, noise: f64) -> Result<Self, Error> {
        require("action_noise", noise, (0.0..=1.0).contains(&noise), "0 to 1")?;
        Ok(Moves { noise, ..self })
    }

    /// Number of places.
    pub fn places(&self) -> usize {
        self.next.len() / self.actions
    }

    /// Number of actions.
    pub fn actions(&self) -> usize {
        self.actions
    }

    /// Probability that a uniformly random action is taken instead of the one chosen.
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// How the places lie.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Where an action leads when it is carried out. Panics when there is no such place or action.
    pub fn next(&self, place: usize, action: usize) -> usize {
        assert!(action < self.actions, "action {action} of {}", self.actions);
        self.next[place * self.actions + action] as usize
    }

    /// The places that can be reached in one step, each once, in order.
    pub fn successors(&self, place: usize) -> Vec<usize> {
        let mut next: Vec<usize> = (0..self.actions).map(|action| self.next(place, action)).collect();
        next.sort_unstable();
        next.dedup();
        next
    }

    /// Whether a place can be entered at all.
    pub fn is_open(&self, place: usize) -> bool {
        match &self.shape {
            Shape::Grid { walls, .. } => walls.get(place) == Some(&false),
            Shape::Points(points) => place < points.len(),
        }
    }

    /// Whether every action leads to the place of its number, wherever one is.
    pub fn is_free(&self) -> bool {
        let places = self.places();
        self.actions == places && self.next.iter().enumerate().all(|(i, &next)| next as usize == i % places)
    }

    /// Draws where an action leads.
    pub(super) fn draw(&self, place: usize, action: usize, rng: &mut Stream) -> usize {
        let slips = self.noise > 0.0 && rng.random::<f64>() < self.noise;
        self.next(place, if slips { rng.random_range(0..self.actions) } else { action })
    }

    /// The numbers that tell a place: how many values each has.
    pub(super) fn sizes(&self) -> Vec<usize> {
        match &self.shape {
            Shape::Grid { rows, columns, .. } => vec![*rows, *columns],
            Shape::Points(points) => vec![points.len()],
        }
    }

    /// The numbers that tell this place; the second only on a grid.
    pub(super) fn coordinates(&self, place: usize) -> (usize, Option<usize>) {
        match &self.shape {
            Shape::Grid { columns, .. } => (place / columns, Some(place % columns)),
            Shape::Points(_) => (place, None),
        }
    }
}
