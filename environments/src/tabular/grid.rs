//! What problems on a grid of cells share: maps written as text, and moves that may slip.

use super::{Cell, Layout, Transition};
use crate::Error;

/// A move to a neighbouring cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Right,
    Down,
    Left,
}

use Direction::{Down, Left, Right, Up};

/// Actions 0 to 3 of CliffWalking and GridWorld.
pub(super) const CLOCKWISE_FROM_UP: [Direction; 4] = [Up, Right, Down, Left];
/// Actions 0 to 3 of FrozenLake.
pub(super) const COUNTER_CLOCKWISE_FROM_LEFT: [Direction; 4] = [Left, Down, Right, Up];

/// The cells of a map, row by row from the top.
pub(super) struct Grid {
    pub(super) columns: usize,
    pub(super) cells: Vec<Cell>,
}

impl Grid {
    /// Reads a map of equally long rows, in which `kind` gives the meaning of a letter. Errors
    /// when rows differ in length, a letter has no meaning, or there is no start.
    pub(super) fn parse(map: &[impl AsRef<str>], kind: impl Fn(char) -> Option<Cell>) -> Result<Self, Error> {
        let invalid = |reason| Err(Error::InvalidProcess { reason });
        let columns = map.first().map_or(0, |row| row.as_ref().chars().count());
        let mut cells = Vec::new();
        for (i, row) in map.iter().enumerate() {
            let row = row.as_ref();
            if row.chars().count() != columns {
                return invalid(format!("row {i} of the map, `{row}`, has not {columns} cells"));
            }
            for letter in row.chars() {
                match kind(letter) {
                    Some(cell) => cells.push(cell),
                    None => return invalid(format!("row {i} of the map, `{row}`, holds a `{letter}`")),
                }
            }
        }
        let grid = Grid { columns, cells };
        if grid.all(Cell::Start).next().is_none() {
            return invalid("the map has no start".into());
        }
        Ok(grid)
    }

    /// All cells of a kind.
    pub(super) fn all(&self, kind: Cell) -> impl Iterator<Item = usize> {
        self.cells.iter().enumerate().filter(move |(_, cell)| **cell == kind).map(|(i, _)| i)
    }

    /// Equal probability on every start, zero elsewhere.
    pub(super) fn initial(&self) -> Vec<f64> {
        let share = 1.0 / self.all(Cell::Start).count() as f64;
        self.cells.iter().map(|cell| if *cell == Cell::Start { share } else { 0.0 }).collect()
    }

    /// The cell that a move from `cell` leads to: a move over the edge or into a wall stays.
    pub(super) fn neighbour(&self, cell: usize, direction: Direction) -> usize {
        let rows = self.cells.len() / self.columns;
        let (row, column) = (cell / self.columns, cell % self.columns);
        let next = match direction {
            Up if row > 0 => cell - self.columns,
            Right if column + 1 < self.columns => cell + 1,
            Down if row + 1 < rows => cell + self.columns,
            Left if column > 0 => cell - 1,
            _ => cell,
        };
        if self.cells[next] == Cell::Wall { cell } else { next }
    }

    /// The outcomes of an action that succeeds with probability `success_rate` and otherwise slips
    /// to either side, equally likely. `directions` are those of actions 0 to 3, in either sense
    /// of rotation; `enter` gives the state and reward of arriving in a cell.
    pub(super) fn slip(
        &self,
        cell: usize,
        directions: [Direction; 4],
        action: usize,
        success_rate: f64,
        enter: impl Fn(usize) -> (usize, f64),
    ) -> Vec<Transition> {
        let side = (1.0 - success_rate) / 2.0;
        [(action + 3, side), (action, success_rate), (action + 1, side)]
            .map(|(turned, probability)| {
                let (next, reward) = enter(self.neighbour(cell, directions[turned % 4]));
                Transition { probability, next, reward }
            })
            .into()
    }

    /// The layout of a process whose states are the cells.
    pub(super) fn layout(self) -> Result<Layout, Error> {
        Layout::dense(self.columns, self.cells)
    }
}
