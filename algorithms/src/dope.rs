#![doc = include_str!("../docs/dope.md")]

use assay_environments::{
    BatchedEnvironment,
    parameters::{ParameterError, require},
    random::Seed,
};
use assay_theory::{
    confidence::transition_width,
    constrained::{Constraint as AtLeast, optimistic_optimum},
};
use ndarray::{Array4, Axis};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Learner,
    catalogue::Configuration,
    episodic::{
        Choice, Constraint, Counts, EpisodePolicy, Episodic, Problem, Strategy, check_delta, check_growth,
    },
    tensor::Device,
};

/// Configuration of DOPE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// δ: the constraint holds in all episodes with probability 1 − δ.
    pub delta: f64,
    /// c, not negative: the width's term with the square root is multiplied by c, the other one by c².
    /// Paper: 1.
    pub scale: f64,
    /// K, the number of episodes that the width counts on; at least 1.
    pub episodes: u64,
    /// K₀, the number of episodes that begin with the baseline. Paper: as many as it takes for the
    /// program to have a solution; here it is the baseline's turn as long as it has none, whatever K₀.
    pub baseline_episodes: u64,
    /// Factor of the reward bonus H² β̄/(Vᵇ − γ). Paper: 3.
    pub optimism: f64,
    /// The baseline policy and the threshold. The baseline must be worth more than the threshold.
    pub constraint: Constraint,
    /// How much a count must grow, relatively, until a new policy is chosen. Paper: 0, in every
    /// episode.
    pub replan_growth: f64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            delta: 0.1,
            scale: 1.0,
            episodes: 10_000,
            baseline_episodes: 0,
            optimism: 3.0,
            constraint: Constraint::default(),
            replan_growth: 0.0,
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        check_delta(self.delta)?;
        let not_negative = |x: f64| x >= 0.0 && x.is_finite();
        require("scale", self.scale, not_negative(self.scale), "0 and more")?;
        require("optimism", self.optimism, not_negative(self.optimism), "0 and more")?;
        require("episodes", self.episodes, self.episodes > 0, "at least 1")?;
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
        Ok(Box::new(Episodic::new(Dope::new(self)?, &constraint, replan_growth, environment, seed)?))
    }
}

/// The choice of DOPE; [`Episodic`] makes a learner of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Dope {
    config: Config,
}

impl Dope {
    /// The strategy. Errors when the configuration is out of range.
    pub fn new(config: Config) -> Result<Self, ParameterError> {
        config.validate()?;
        Ok(Dope { config })
    }
}

impl Strategy for Dope {
    const NAME: &'static str = "dope";
    const METRICS: &'static [&'static str] = &["solved"];

    fn choose(&self, problem: &Problem, counts: &Counts, played: u64) -> Result<Choice, Error> {
        let Config { delta, scale, episodes, baseline_episodes, optimism, .. } = self.config;
        let size = problem.size;
        let horizon = size.horizon as f64;
        let slack = problem.baseline_value - problem.threshold;
        let baseline = |solved: f64| Choice {
            policy: EpisodePolicy::Markov(problem.baseline.clone()),
            metrics: vec![solved],
        };
        if played < baseline_episodes || slack <= 0.0 {
            return Ok(baseline(0.0));
        }
        // The confidence set: a box around the estimate, everything for pairs never visited.
        let estimate = counts.estimate(problem);
        let widths = Array4::from_shape_fn(estimate.probabilities.dim(), |(step, state, action, next)| {
            if problem.terminal[state] {
                return 0.0;
            }
            let visits = counts.visits(step, state, action);
            if visits == 0.0 {
                return 1.0;
            }
            let probability = estimate.probabilities[[step, state, action, next]];
            let [root, rest] = transition_width(size, visits, probability, episodes, delta);
            f64::min(1.0, scale * root + scale * scale * rest)
        });
        // Optimism in the reward, pessimism in the constraint.
        let total = widths.sum_axis(Axis(3));
        let rewards = problem.resting_rewards();
        let utilities = &rewards - horizon * &total;
        let rewards = rewards + optimism * horizon * horizon / slack * &total;
        let constraint = AtLeast { utilities, at_least: problem.threshold };
        match optimistic_optimum(&estimate, &widths, &rewards, &[constraint])? {
            Some(solution) => {
                let policy = EpisodePolicy::Markov(solution.policy(&problem.baseline)?);
                Ok(Choice { policy, metrics: vec![1.0] })
            }
            None => Ok(baseline(0.0)),
        }
    }
}
