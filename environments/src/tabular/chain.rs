//! A chain in which patience pays.

use serde::{Deserialize, Serialize};

use super::{Cell, FiniteMdp, Layout, Transition};
use crate::{Error, parameters::require};

/// Walk to the far end of a chain for a large reward, or return at once for a small one.
///
/// The chain of Strens (2000), "A Bayesian framework for reinforcement learning", after Dearden,
/// Friedman and Russell (1998); five places in the original.
///
/// **States**: the places of the chain.
/// **Actions**: 0 goes one place forward, without reward, or stays at the far end for
/// `large_reward`; 1 returns to place 0 for `small_reward`. With probability `slip` the other
/// action happens instead. **Start**: place 0. **End**: never.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chain {
    /// Number of places; at least 2.
    pub states: usize,
    /// Probability of the other action, 0 to 1.
    pub slip: f64,
    /// Reward of returning.
    pub small_reward: f64,
    /// Reward of staying at the far end.
    pub large_reward: f64,
}

impl Default for Chain {
    fn default() -> Self {
        Chain { states: 5, slip: 0.2, small_reward: 2.0, large_reward: 10.0 }
    }
}

impl Chain {
    /// The process. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<FiniteMdp, Error> {
        let Chain { states, slip, small_reward, large_reward } = *self;
        require("states", states, (2..=1_000_000).contains(&states), "2 to 1000000")?;
        require("slip", slip, (0.0..=1.0).contains(&slip), "0 to 1")?;
        let last = states - 1;
        let mut initial = vec![0.0; states];
        initial[0] = 1.0;
        let mdp = FiniteMdp::new(states, 2, &initial, &[], |state, action| {
            let forward = if action == 0 { 1.0 - slip } else { slip };
            let (next, reward) = if state == last { (last, large_reward) } else { (state + 1, 0.0) };
            vec![
                Transition { probability: forward, next, reward },
                Transition { probability: 1.0 - forward, next: 0, reward: small_reward },
            ]
        })?;
        let mut cells = vec![Cell::Floor; states];
        (cells[0], cells[last]) = (Cell::Start, Cell::Goal);
        mdp.with_layout(Layout::dense(states, cells)?)
    }
}
