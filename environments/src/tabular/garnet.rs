//! Random decision processes.

use ndarray::Array2;
use ndarray_rand::{RandomExt, rand_distr::Uniform};
use rand::{Rng, seq::index};
use serde::{Deserialize, Serialize};

use super::{FiniteMdp, Transition};
use crate::{Error, parameters::require, random::Seed};

/// A Garnet: a generic average random MDP environment.
///
/// Every state and action leads to `branching` different states, drawn uniformly; their
/// probabilities are the parts into which uniform cuts divide the unit interval. Garnets are due
/// to Archibald, McKinnon and Thomas (1995), "On the generation of Markov decision processes";
/// rewards of a state and action are uniform in [0, 1] here, so that bounds for that range apply.
/// With `branching` = `states` the rows are uniform on the simplex.
///
/// **Start**: uniform over all states. **End**: never.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Garnet {
    /// Number of states; at least 1.
    pub states: usize,
    /// Number of actions; at least 1.
    pub actions: usize,
    /// Successors of each state and action; 1 to `states`.
    pub branching: usize,
    /// What determines the process.
    pub seed: u64,
}

impl Default for Garnet {
    fn default() -> Self {
        Garnet { states: 20, actions: 4, branching: 3, seed: 0 }
    }
}

impl Garnet {
    /// The process. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<FiniteMdp, Error> {
        let Garnet { states, actions, branching, seed } = *self;
        require("states", states, (1..=1_000_000).contains(&states), "1 to 1000000")?;
        require("actions", actions, (1..=10_000).contains(&actions), "1 to 10000")?;
        require("branching", branching, (1..=states).contains(&branching), "1 to the number of states")?;
        let mut rng = Seed::new(seed).stream("garnet");
        let unit =
            Uniform::new_inclusive(0.0, 1.0).map_err(|e| Error::InvalidProcess { reason: e.to_string() })?;
        let rewards = Array2::random_using((states, actions), unit, &mut rng);
        let initial = vec![1.0 / states as f64; states];
        FiniteMdp::new(states, actions, &initial, &[], |state, action| {
            let mut cuts: Vec<f64> = (1..branching).map(|_| rng.random()).collect();
            cuts.push(1.0);
            cuts.sort_by(f64::total_cmp);
            let mut last = 0.0;
            let successors = index::sample(&mut rng, states, branching);
            let row = successors.iter().zip(cuts).map(|(next, cut)| {
                let probability = cut - last;
                last = cut;
                Transition { probability, next, reward: rewards[[state, action]] }
            });
            row.collect()
        })
    }
}
