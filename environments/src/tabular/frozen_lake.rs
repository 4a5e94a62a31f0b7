//! Crossing a frozen lake.

use serde::{Deserialize, Serialize};

use super::{
    Cell, FiniteMdp,
    grid::{COUNTER_CLOCKWISE_FROM_LEFT, Grid},
};
use crate::{Error, parameters::require};

/// Cross a frozen lake without falling into a hole.
///
/// Gymnasium's `FrozenLake-v1`, with its maps, numbering and probabilities.
///
/// **States**: the cells, row by row from the top.
/// **Actions**: 0 left, 1 down, 2 right, 3 up. A move succeeds with probability `success_rate`,
/// and slips to either side with half of the rest.
/// **Reward**: 1 on reaching the goal, 0 otherwise. **End**: at the goal or in a hole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrozenLake {
    /// The map: `"4x4"`, `"8x8"`, or `{ custom = [...] }`.
    pub map: LakeMap,
    /// Probability that a move goes where it should, 0 to 1.
    pub success_rate: f64,
}

/// The map of a frozen lake.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum LakeMap {
    /// Gymnasium's small map.
    #[default]
    #[serde(rename = "4x4")]
    Small,
    /// Gymnasium's large map.
    #[serde(rename = "8x8")]
    Large,
    /// Rows from the top: `S` start, `F` frozen, `H` hole, `G` goal.
    #[serde(rename = "custom")]
    Custom(Vec<String>),
}

impl Default for FrozenLake {
    fn default() -> Self {
        FrozenLake { map: LakeMap::Small, success_rate: 1.0 / 3.0 }
    }
}

const SMALL: [&str; 4] = ["SFFF", "FHFH", "FFFH", "HFFG"];
const LARGE: [&str; 8] =
    ["SFFFFFFF", "FFFFFFFF", "FFFHFFFF", "FFFFFHFF", "FFFHFFFF", "FHHFFFHF", "FHFFHFHF", "FFFHFFFG"];

impl FrozenLake {
    /// The process. Errors when the map is not one or the rate is out of range.
    pub fn build(&self) -> Result<FiniteMdp, Error> {
        let rate = self.success_rate;
        require("success_rate", rate, (0.0..=1.0).contains(&rate), "0 to 1")?;
        let kind = |letter| match letter {
            'F' => Some(Cell::Floor),
            'S' => Some(Cell::Start),
            'G' => Some(Cell::Goal),
            'H' => Some(Cell::Hazard),
            _ => None,
        };
        let grid = match &self.map {
            LakeMap::Small => Grid::parse(&SMALL, kind),
            LakeMap::Large => Grid::parse(&LARGE, kind),
            LakeMap::Custom(rows) => Grid::parse(rows, kind),
        }?;
        let terminal: Vec<usize> = grid.all(Cell::Goal).chain(grid.all(Cell::Hazard)).collect();
        let enter = |cell: usize| (cell, if grid.cells[cell] == Cell::Goal { 1.0 } else { 0.0 });
        let mdp = FiniteMdp::new(grid.cells.len(), 4, &grid.initial(), &terminal, |cell, action| {
            grid.slip(cell, COUNTER_CLOCKWISE_FROM_LEFT, action, rate, enter)
        })?;
        mdp.with_layout(grid.layout()?)
    }
}
