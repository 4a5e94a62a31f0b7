//! The baseline policy in every episode: what a conservative algorithm starts from.
//!
//! It keeps the constraint always, learns nothing, and its regret grows by the same amount in every
//! episode. Metrics: those of [`episodic`](crate::episodic) alone.

use assay_environments::{BatchedEnvironment, parameters::ParameterError, random::Seed};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Learner,
    catalogue::Configuration,
    episodic::{Choice, Constraint, Counts, EpisodePolicy, Episodic, Problem, Strategy},
    tensor::Device,
};

/// Configuration of the baseline policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The baseline policy and the threshold.
    pub constraint: Constraint,
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        self.constraint.validate()
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        _device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(Episodic::new(BaselineOnly, &self.constraint, SELDOM, environment, seed)?))
    }
}

/// The choice never changes, so it is made as rarely as can be: when a pair is visited first.
const SELDOM: f64 = f64::MAX;

/// Always the baseline policy; [`Episodic`] makes a learner of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BaselineOnly;

impl Strategy for BaselineOnly {
    const NAME: &'static str = "baseline-only";
    const METRICS: &'static [&'static str] = &[];

    fn choose(&self, problem: &Problem, _counts: &Counts, _episodes: u64) -> Result<Choice, Error> {
        Ok(Choice { policy: EpisodePolicy::Markov(problem.baseline.clone()), metrics: Vec::new() })
    }
}
