//! Random episodic processes with tables of their own at every step.

use ndarray::{Array3, Array4, s};
use ndarray_rand::{
    RandomExt,
    rand_distr::{Gamma, Uniform},
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{FiniteMdp, Transition};
use crate::{Error, parameters::require, random::Seed};

/// A random episodic process: at every step and for every state and action, the distribution of
/// the next state is drawn from a symmetric Dirichlet distribution and the reward uniformly from
/// [0, 1].
///
/// **Observation**: step · `states` + state, since what is best in a state depends on the step.
/// **Start**: state 0. **End**: after `horizon` steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayeredRandom {
    /// Number of states; at least 1.
    pub states: usize,
    /// Number of actions; at least 1.
    pub actions: usize,
    /// Steps of an episode; at least 1.
    pub horizon: usize,
    /// Parameter of the Dirichlet distribution; positive. One is uniform on the simplex, less
    /// makes rows nearly deterministic.
    pub concentration: f64,
    /// What determines the process.
    pub seed: u64,
}

impl Default for LayeredRandom {
    fn default() -> Self {
        LayeredRandom { states: 3, actions: 3, horizon: 3, concentration: 0.3, seed: 0 }
    }
}

impl LayeredRandom {
    /// The process. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<FiniteMdp, Error> {
        let LayeredRandom { states, actions, horizon, concentration, seed } = *self;
        for (field, value) in [("states", states), ("actions", actions), ("horizon", horizon)] {
            require(field, value, (1..=10_000).contains(&value), "1 to 10000")?;
        }
        let allowed = concentration > 0.0 && concentration.is_finite();
        require("concentration", concentration, allowed, "positive and finite")?;
        let invalid = |reason: String| Error::InvalidProcess { reason };
        let gamma = Gamma::new(concentration, 1.0).map_err(|e| invalid(e.to_string()))?;
        let unit = Uniform::new_inclusive(0.0, 1.0).map_err(|e| invalid(e.to_string()))?;

        let mut rng = Seed::new(seed).stream("layered random");
        let rewards = Array3::random_using((horizon, states, actions), unit, &mut rng);
        // A Dirichlet draw is a row of Gamma draws, divided by their sum.
        let weights = Array4::random_using((horizon, states, actions, states), gamma, &mut rng);
        let mut initial = vec![0.0; states];
        initial[0] = 1.0;
        let mdp = FiniteMdp::layered(horizon, states, actions, &initial, |step, state, action| {
            let reward = rewards[[step, state, action]];
            let weights = weights.slice(s![step, state, action, ..]);
            let total = weights.sum();
            if total == 0.0 {
                // All of them underflowed: the limit of small concentrations is one random state.
                return Transition::certain(rng.random_range(0..states), reward);
            }
            let share =
                |(next, weight): (usize, &f64)| Transition { probability: weight / total, next, reward };
            weights.iter().enumerate().map(share).collect()
        })?;
        mdp.observing_step()
    }
}
