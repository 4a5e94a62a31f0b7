//! Walking along a cliff.

use serde::{Deserialize, Serialize};

use super::{
    Cell, FiniteMdp,
    grid::{CLOCKWISE_FROM_UP, Grid},
};
use crate::{Error, parameters::require};

/// Walk from the lower left corner to the lower right one, past the cliff between them.
///
/// Example 6.6 of Sutton and Barto, *Reinforcement Learning: An Introduction* (2nd edition, 2018),
/// with the numbering of Gymnasium's `CliffWalking-v1`. The best return is −13 on the default
/// grid.
///
/// **States**: the cells, row by row from the top; the cliff's own are never entered.
/// **Actions**: 0 up, 1 right, 2 down, 3 left; a move succeeds with probability `success_rate`,
/// and slips to either side with half of the rest (Gymnasium's slippery variant: 1/3).
/// **Reward**: −1 for every step; −100 for a step over the cliff, which leads back to the start.
/// **End**: at the lower right corner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CliffWalking {
    /// Number of rows; at least 2.
    pub rows: usize,
    /// Number of columns; at least 3.
    pub columns: usize,
    /// Probability that a move goes where it should, 0 to 1.
    pub success_rate: f64,
}

impl Default for CliffWalking {
    fn default() -> Self {
        CliffWalking { rows: 4, columns: 12, success_rate: 1.0 }
    }
}

impl CliffWalking {
    /// The process. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<FiniteMdp, Error> {
        let CliffWalking { rows, columns, success_rate } = *self;
        require("rows", rows, (2..=1000).contains(&rows), "2 to 1000")?;
        require("columns", columns, (3..=1000).contains(&columns), "3 to 1000")?;
        require("success_rate", success_rate, (0.0..=1.0).contains(&success_rate), "0 to 1")?;
        let shore = format!("S{}G", "X".repeat(columns - 2));
        let mut map = vec![".".repeat(columns); rows - 1];
        map.push(shore);
        let grid = Grid::parse(&map, |letter| match letter {
            '.' => Some(Cell::Floor),
            'S' => Some(Cell::Start),
            'G' => Some(Cell::Goal),
            'X' => Some(Cell::Hazard),
            _ => None,
        })?;
        let start = (rows - 1) * columns;
        let enter = |cell: usize| match grid.cells[cell] {
            Cell::Hazard => (start, -100.0),
            _ => (cell, -1.0),
        };
        let goal = [rows * columns - 1];
        let mdp = FiniteMdp::new(rows * columns, 4, &grid.initial(), &goal, |cell, action| {
            grid.slip(cell, CLOCKWISE_FROM_UP, action, success_rate, enter)
        })?;
        mdp.with_layout(grid.layout()?)
    }
}
