//! A problem that cannot be solved one step ahead.

use serde::{Deserialize, Serialize};

use super::LONGEST;
use crate::{
    Error,
    parameters::require,
    submodular::{Exploration, Modular, Moves},
};

/// A corridor with small gains at once to the left, and large gains after a few steps to the right.
///
/// Cells to the left of the start are worth `near`; of the cells to its right only the last is worth
/// anything, `far`, and an episode is just long enough to reach it. Whoever looks one step ahead goes
/// left. By default the far value is large enough for a uniformly random policy to gain from going right,
/// so a policy gradient that looks ahead is not drawn to the left either.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trap {
    /// Steps to either end, and of an episode, 1 to 1000.
    pub steps: usize,
    /// Value of each cell to the left, at least 0.
    pub near: f64,
    /// Value of the last cell to the right, at least 0.
    pub far: f64,
}

impl Default for Trap {
    fn default() -> Self {
        Trap { steps: 4, near: 1.0, far: 1000.0 }
    }
}

impl Trap {
    /// The environment. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<Exploration<Modular>, Error> {
        require("steps", self.steps, (1..=LONGEST).contains(&self.steps), "1 to 1000")?;
        for (field, value) in [("near", self.near), ("far", self.far)] {
            require(field, value, value >= 0.0 && value.is_finite(), "0 and more")?;
        }
        let mut values = vec![0.0; 2 * self.steps + 1];
        values[..self.steps].fill(self.near);
        values[2 * self.steps] = self.far;
        let moves = Moves::grid(1, values.len(), vec![false; values.len()])?;
        Exploration::new(moves, Modular::new(values)?, self.steps, self.steps)
    }
}
