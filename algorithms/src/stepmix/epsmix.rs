//! EpsMix: the mixture over episodes.
//!
//! With L of the optimistic policy π̄ᵏ and Lᵇ of the baseline πᵇ it plays π̄ᵏ if L ≥ γ, πᵇ if Lᵇ ≤ γ,
//! and else tosses a coin before the episode: π̄ᵏ with probability
//!
//! ```text
//! ρ = (Lᵇ − γ)/(Lᵇ − L),
//! ```
//!
//! and πᵇ otherwise. The constraint holds for the value averaged over the coin, which is what is
//! counted; the policy that the coin gives in an episode may be worth less.
//!
//! Metrics, beside those of [`episodic`](crate::episodic): `lower_bound` and `upper_bound`, L and U of
//! the optimistic policy; `baseline_lower_bound`, Lᵇ; `weight`, ρ: 1 where π̄ᵏ is played, 0 where πᵇ
//! is.

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

/// Configuration of EpsMix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// δ: the constraint holds in all episodes with probability 1 − δ. The paper's value is not
    /// known; 0.1.
    pub delta: f64,
    /// The bonus, with the constants of BPI-UCBVI and their scale.
    pub bonus: Bonus,
    /// The baseline policy πᵇ and the threshold γ.
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
        Ok(Box::new(Episodic::new(EpsMix::new(self)?, &constraint, replan_growth, environment, seed)?))
    }
}

/// The choice of EpsMix; [`Episodic`] makes a learner of it.
#[derive(Clone, Debug, PartialEq)]
pub struct EpsMix {
    config: Config,
}

impl EpsMix {
    /// The strategy. Errors when the configuration is out of range.
    pub fn new(config: Config) -> Result<Self, ParameterError> {
        config.validate()?;
        Ok(EpsMix { config })
    }
}

impl Strategy for EpsMix {
    const NAME: &'static str = "epsmix";
    const METRICS: &'static [&'static str] =
        &["lower_bound", "upper_bound", "baseline_lower_bound", "weight"];

    fn choose(&self, problem: &Problem, counts: &Counts, _episodes: u64) -> Result<Choice, Error> {
        let confidence = ConfidenceBounds::new(problem, counts, &self.config.bonus, self.config.delta);
        let threshold = problem.threshold;
        let (optimistic, bounds) = confidence.optimistic();
        let (lower, upper) = (confidence.start_lower(&bounds), confidence.start_upper(&bounds));
        let of_baseline = confidence.start_lower(&confidence.of_policy(&problem.baseline));
        let (policy, weight) = if lower >= threshold {
            (EpisodePolicy::Markov(optimistic), 1.0)
        } else if of_baseline <= threshold {
            (EpisodePolicy::Markov(problem.baseline.clone()), 0.0)
        } else {
            let weight = (of_baseline - threshold) / (of_baseline - lower);
            let second = problem.baseline.clone();
            (EpisodePolicy::Coin { first: optimistic, second, weight }, weight)
        };
        let metrics = [lower, upper, of_baseline].map(|bound| problem.unscaled(bound));
        Ok(Choice { policy, metrics: vec![metrics[0], metrics[1], metrics[2], weight] })
    }
}
