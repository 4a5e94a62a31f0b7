//! Coverage of two rooms.

use serde::{Deserialize, Serialize};

use super::{check_horizon, grid_coverage::regions};
use crate::{
    Error,
    parameters::require,
    submodular::{Coverage, Disc, Exploration, Moves, Observation, Reward},
};

/// Cover two rooms that a narrow corridor joins, from its middle.
///
/// A 7 × 14 grid: rooms of 7 × 4 cells at either end, and between them a corridor of two rows, as in the
/// authors' code. Actions: 0 stay, 1 right, 2 down, 3 left, 4 up. Walls are not covered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoomExploration {
    /// Which cells a place covers.
    pub disc: Disc,
    /// Radius of a centred disc in cells, at least 0.
    pub radius: f64,
    /// The cell to start in, counted row by row, in rows of 14.
    pub start: usize,
    /// Actions of an episode, 1 to 1000.
    pub horizon: usize,
    /// Probability of a uniformly random action instead of the one chosen, 0 to 1.
    pub action_noise: f64,
    /// What is observed.
    pub observation: Observation,
    /// What is rewarded.
    pub reward: Reward,
}

impl Default for RoomExploration {
    fn default() -> Self {
        RoomExploration {
            disc: Disc::Centred,
            radius: 1.0,
            start: 34,
            horizon: 39,
            action_noise: 0.0,
            observation: Observation::Place,
            reward: Reward::Gain,
        }
    }
}

impl RoomExploration {
    /// The environment. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<Exploration<Coverage>, Error> {
        let (rows, columns) = (7, 14);
        require("radius", self.radius, self.radius >= 0.0 && self.radius.is_finite(), "0 and more")?;
        let wall = |cell: usize| (4..10).contains(&(cell % columns)) && !(2..4).contains(&(cell / columns));
        let walls: Vec<bool> = (0..rows * columns).map(wall).collect();
        let regions = regions(rows, columns, &walls, self.disc, self.radius);
        let function = Coverage::new(&regions, vec![1.0; walls.len()])?;
        check_horizon(self.horizon)?;
        let moves = Moves::grid(rows, columns, walls)?.with_noise(self.action_noise)?;
        let exploration = Exploration::new(moves, function, self.start, self.horizon)?;
        Ok(exploration.observing(self.observation).rewarding(self.reward))
    }
}
