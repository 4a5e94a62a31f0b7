//! Swimming against a current.

use serde::{Deserialize, Serialize};

use super::{Cell, FiniteMdp, Layout, Transition};
use crate::{Error, parameters::require};

/// Swim up a river for a large reward, or be carried down for a small one.
///
/// The RiverSwim problem of Strehl and Littman (2008), "An analysis of model-based interval
/// estimation for Markov decision processes", with their parameters: undirected exploration
/// almost never reaches the far end.
///
/// **States**: the places along the river; the current flows towards 0.
/// **Actions**: 0 goes down the river and always succeeds. 1 swims up: one place up with
/// probability 0.3, one place down with 0.1, and otherwise none; at the lower end up with 0.3, at
/// the upper end staying with 0.3 and down with 0.7.
/// **Reward**: `small_reward` for action 0 at the lower end, `large_reward` for staying at the
/// upper end with action 1. **Start**: place 1 or 2, equally likely. **End**: never.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RiverSwim {
    /// Number of places; at least 3.
    pub states: usize,
    /// Reward at the lower end.
    pub small_reward: f64,
    /// Reward at the upper end.
    pub large_reward: f64,
}

impl Default for RiverSwim {
    fn default() -> Self {
        RiverSwim { states: 6, small_reward: 5.0, large_reward: 10_000.0 }
    }
}

impl RiverSwim {
    /// The process. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<FiniteMdp, Error> {
        let RiverSwim { states, small_reward, large_reward } = *self;
        require("states", states, (3..=1_000_000).contains(&states), "3 to 1000000")?;
        let last = states - 1;
        let mut initial = vec![0.0; states];
        (initial[1], initial[2]) = (0.5, 0.5);
        let go = |probability, next| Transition { probability, next, reward: 0.0 };
        let mdp = FiniteMdp::new(states, 2, &initial, &[], |state, action| match (action, state) {
            (0, 0) => Transition::certain(0, small_reward),
            (0, _) => Transition::certain(state - 1, 0.0),
            (_, 0) => vec![go(0.7, 0), go(0.3, 1)],
            (_, s) if s == last => vec![go(0.7, s - 1), Transition { reward: large_reward, ..go(0.3, s) }],
            (_, s) => vec![go(0.1, s - 1), go(0.6, s), go(0.3, s + 1)],
        })?;
        let mut cells = vec![Cell::Floor; states];
        (cells[1], cells[2], cells[last]) = (Cell::Start, Cell::Start, Cell::Goal);
        mdp.with_layout(Layout::dense(states, cells)?)
    }
}
