#![doc = include_str!("../docs/bpi_ucbvi.md")]

use assay_environments::{BatchedEnvironment, parameters::ParameterError, random::Seed};
use assay_theory::confidence::Bonus;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Learner,
    catalogue::Configuration,
    episodic::{
        Choice, ConfidenceBounds, Constraint, Counts, EpisodePolicy, Episodic, Problem, Strategy,
        check_delta, check_growth,
    },
    tensor::Device,
};

/// Configuration of BPI-UCBVI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// δ: the bounds hold with probability 1 − δ.
    pub delta: f64,
    /// The bonus, with the paper's constants and their scale.
    pub bonus: Bonus,
    /// The constraint whose violations are counted. It changes nothing that is played.
    pub constraint: Constraint,
    /// How much a count must grow, relatively, until a new policy is chosen. Paper: 0, in every
    /// episode.
    pub replan_growth: f64,
}

impl Default for Config {
    fn default() -> Self {
        Config { delta: 0.1, bonus: Bonus::default(), constraint: Constraint::default(), replan_growth: 0.0 }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        check_delta(self.delta)?;
        self.bonus.validate()?;
        self.constraint.validate()?;
        check_growth(self.replan_growth)
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        _device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        let Config { constraint, replan_growth, .. } = self.clone();
        Ok(Box::new(Episodic::new(BpiUcbvi::new(self)?, &constraint, replan_growth, environment, seed)?))
    }
}

/// The choice of BPI-UCBVI; [`Episodic`] makes a learner of it.
#[derive(Clone, Debug, PartialEq)]
pub struct BpiUcbvi {
    config: Config,
}

impl BpiUcbvi {
    /// The strategy. Errors when the configuration is out of range.
    pub fn new(config: Config) -> Result<Self, ParameterError> {
        config.validate()?;
        Ok(BpiUcbvi { config })
    }
}

impl Strategy for BpiUcbvi {
    const NAME: &'static str = "bpi-ucbvi";
    const METRICS: &'static [&'static str] = &["lower_bound", "upper_bound"];

    fn choose(&self, problem: &Problem, counts: &Counts, _episodes: u64) -> Result<Choice, Error> {
        let confidence = ConfidenceBounds::new(problem, counts, &self.config.bonus, self.config.delta);
        let (policy, bounds) = confidence.optimistic();
        let metrics = vec![
            problem.unscaled(confidence.start_lower(&bounds)),
            problem.unscaled(confidence.start_upper(&bounds)),
        ];
        Ok(Choice { policy: EpisodePolicy::Markov(policy), metrics })
    }
}
