//! Where the states of a process lie on a grid, and how that looks.

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    picture::{Colour, Picture, Style},
};

/// What a cell of a grid is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cell {
    /// Nothing special.
    Floor,
    /// No state is here.
    Wall,
    /// Where episodes start.
    Start,
    /// Where the reward is.
    Goal,
    /// A hole, a pit or a cliff.
    Hazard,
}

/// A grid of cells with the place of every state in it. Rows are counted from the top.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    columns: usize,
    /// Row by row.
    cells: Vec<Cell>,
    /// The cell of each state; `None` for a state that has no place.
    places: Vec<Option<usize>>,
}

impl Layout {
    /// A grid with `columns` columns. `cells` are its cells row by row, `places` the index of each
    /// state's cell among them, if it has one. Errors when the rows are incomplete or a place does
    /// not exist.
    pub fn new(columns: usize, cells: Vec<Cell>, places: Vec<Option<usize>>) -> Result<Self, Error> {
        let invalid = |reason| Err(Error::InvalidProcess { reason });
        if columns == 0 || cells.is_empty() || !cells.len().is_multiple_of(columns) {
            return invalid(format!("{} cells in rows of {columns}", cells.len()));
        }
        if let Some(place) = places.iter().flatten().find(|place| **place >= cells.len()) {
            return invalid(format!("a state in cell {place} of {}", cells.len()));
        }
        Ok(Layout { columns, cells, places })
    }

    /// A grid in which state i lies in cell i.
    pub(super) fn dense(columns: usize, cells: Vec<Cell>) -> Result<Self, Error> {
        let places = (0..cells.len()).map(Some).collect();
        Layout::new(columns, cells, places)
    }

    /// Errors unless this is a layout of `states` states.
    pub(super) fn checked(self, states: usize) -> Result<Self, Error> {
        let placed = self.places.len();
        if placed != states {
            let reason = format!("a layout of {placed} states for a process of {states}");
            return Err(Error::InvalidProcess { reason });
        }
        Layout::new(self.columns, self.cells, self.places)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.cells.len() / self.columns
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of states, placed or not.
    pub fn states(&self) -> usize {
        self.places.len()
    }

    /// What lies in a row and column. Panics when they do not exist.
    pub fn cell(&self, row: usize, column: usize) -> Cell {
        assert!(column < self.columns, "column {column} of {}", self.columns);
        self.cells[row * self.columns + column]
    }

    /// Row and column of a state; `None` when it has no place or does not exist.
    pub fn place(&self, state: usize) -> Option<(usize, usize)> {
        let cell = self.places.get(state).copied().flatten()?;
        Some((cell / self.columns, cell % self.columns))
    }

    /// The grid, a unit square to each cell, with the agent where `state` lies.
    pub(super) fn draw(&self, state: usize) -> Picture {
        let (rows, columns) = (self.rows() as f64, self.columns as f64);
        let margin = 0.1;
        let mut picture = Picture::new([-margin, -margin], [columns + margin, rows + margin]);
        for (i, cell) in self.cells.iter().enumerate() {
            let low = [(i % self.columns) as f64, rows - 1.0 - (i / self.columns) as f64];
            let (colour, letter) = match cell {
                Cell::Floor => (Colour::WHITE, ""),
                Cell::Wall => (Colour::DARK_GREY, ""),
                Cell::Start => (Colour::SKY, "S"),
                Cell::Goal => (Colour::GREEN, "G"),
                Cell::Hazard => (Colour::VERMILION, ""),
            };
            let style = Style::fill(colour).outlined(Colour::GREY, 0.03);
            picture.rectangle(low, [low[0] + 1.0, low[1] + 1.0], style);
            if !letter.is_empty() {
                picture.text([low[0] + 0.5, low[1] + 0.5], 0.45, letter);
            }
        }
        if let Some((row, column)) = self.place(state) {
            let centre = [column as f64 + 0.5, rows - 0.5 - row as f64];
            picture.circle(centre, 0.3, Style::fill(Colour::BLUE).outlined(Colour::BLACK, 0.03));
        }
        picture
    }
}
