#![doc = include_str!("../docs/optpess_lp.md")]

use assay_environments::{
    BatchedEnvironment,
    parameters::{ParameterError, require},
    random::Seed,
};
use assay_theory::{
    confidence::optimistic_pessimistic_width,
    constrained::{Constraint as AtLeast, constrained_optimum},
};
use ndarray::{Array1, Array2, Array3, Axis, s};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Learner,
    catalogue::Configuration,
    episodic::{
        Choice, Constraint, Counts, EpisodePolicy, Episodic, Problem, Strategy, check_delta, check_growth,
    },
    tensor::Device,
};

/// Configuration of OptPess-LP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// δ: the constraint holds in all episodes with probability 1 − δ.
    pub delta: f64,
    /// Factor of the width β, not negative. Paper: 1.
    pub scale: f64,
    /// K, the number of episodes that the width counts on; at least 1.
    pub episodes: u64,
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
            constraint: Constraint::default(),
            replan_growth: 0.0,
        }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        check_delta(self.delta)?;
        require("scale", self.scale, self.scale >= 0.0 && self.scale.is_finite(), "0 and more")?;
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
        Ok(Box::new(Episodic::new(OptPessLp::new(self)?, &constraint, replan_growth, environment, seed)?))
    }
}

/// The choice of OptPess-LP; [`Episodic`] makes a learner of it.
#[derive(Clone, Debug, PartialEq)]
pub struct OptPessLp {
    config: Config,
}

impl OptPessLp {
    /// The strategy. Errors when the configuration is out of range.
    pub fn new(config: Config) -> Result<Self, ParameterError> {
        config.validate()?;
        Ok(OptPessLp { config })
    }
}

impl Strategy for OptPessLp {
    const NAME: &'static str = "optpess-lp";
    const METRICS: &'static [&'static str] = &["baseline_lower_bound", "solved"];

    fn choose(&self, problem: &Problem, counts: &Counts, _episodes: u64) -> Result<Choice, Error> {
        let Config { delta, scale, episodes, .. } = self.config;
        let size = problem.size;
        let (states, horizon) = (size.states as f64, size.horizon as f64);
        let slack = problem.baseline_value - problem.threshold;
        let optimism = states * horizon + 4.0 * horizon * states * horizon / slack;
        let estimate = counts.estimate(problem);
        let widths = Array3::from_shape_fn(problem.rewards.dim(), |(step, state, action)| {
            let visits = counts.visits(step, state, action);
            if problem.terminal[state] {
                return 0.0;
            }
            scale * optimistic_pessimistic_width(size, visits, episodes, delta)
        });
        let rewards = problem.resting_rewards();
        let utilities = &rewards - states * horizon * &widths;

        // What the baseline is worth at least, in the empirical problem.
        let mut values = Array1::<f64>::zeros(size.states);
        for step in (0..size.horizon).rev() {
            let look_ahead = |(state, action): (usize, usize)| {
                let next = estimate.probabilities.slice(s![step, state, action, ..]).dot(&values);
                utilities[[step, state, action]] + next
            };
            let q = Array2::from_shape_fn((size.states, size.actions), look_ahead);
            values = (&q * &problem.baseline.index_axis(Axis(0), step)).sum_axis(Axis(1));
        }
        let lower = problem.at_start(&values.to_vec());

        // Far enough above the threshold, the program has a solution with room to learn.
        let known_enough = slack > 0.0 && lower > 0.5 * (problem.threshold + problem.baseline_value);
        let solution = if known_enough {
            let rewards = &rewards + optimism * &widths;
            let constraint = AtLeast { utilities, at_least: problem.threshold };
            constrained_optimum(&estimate, &rewards, &[constraint])?
        } else {
            None
        };
        let metrics = vec![problem.unscaled(lower), f64::from(u8::from(solution.is_some()))];
        let policy = match solution {
            Some(solution) => solution.policy(&problem.baseline)?,
            None => problem.baseline.clone(),
        };
        Ok(Choice { policy: EpisodePolicy::Markov(policy), metrics })
    }
}
