#![doc = include_str!("../docs/ucbvi.md")]

use assay_environments::{
    BatchedEnvironment,
    parameters::{ParameterError, require},
    random::Seed,
};
use assay_theory::confidence::hoeffding_width;
use ndarray::Array3;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Learner,
    catalogue::Configuration,
    episodic::{
        Choice, Constraint, Counts, EpisodePolicy, Episodic, Problem, Strategy, check_delta, check_growth,
    },
    tensor::Device,
};

/// Configuration of UCBVI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// δ: the bounds hold with probability 1 − δ.
    pub delta: f64,
    /// Factor of the bonus, not negative. Paper: 1.
    pub scale: f64,
    /// K, the number of episodes that the bonus counts on; at least 1.
    pub episodes: u64,
    /// The constraint whose violations are counted. It changes nothing that is played.
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
        Ok(Box::new(Episodic::new(Ucbvi::new(self)?, &constraint, replan_growth, environment, seed)?))
    }
}

/// The choice of UCBVI; [`Episodic`] makes a learner of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ucbvi {
    config: Config,
}

impl Ucbvi {
    /// The strategy. Errors when the configuration is out of range.
    pub fn new(config: Config) -> Result<Self, ParameterError> {
        config.validate()?;
        Ok(Ucbvi { config })
    }
}

impl Strategy for Ucbvi {
    const NAME: &'static str = "ucbvi";
    const METRICS: &'static [&'static str] = &["upper_bound"];

    fn choose(&self, problem: &Problem, counts: &Counts, _episodes: u64) -> Result<Choice, Error> {
        let Config { delta, scale, episodes, .. } = self.config;
        let size = problem.size;
        let mut policy = Array3::zeros((size.horizon, size.states, size.actions));
        let mut next = vec![0.0; size.states];
        for step in (0..size.horizon).rev() {
            let most = (size.horizon - step) as f64;
            let upper = |state: usize, action: usize| {
                let visits = counts.visits(step, state, action);
                if visits == 0.0 {
                    return most;
                }
                let successors = counts.successors(step, state, action).iter().zip(&next);
                let mean = successors.map(|(n, value)| n * value).sum::<f64>() / visits;
                let bonus = scale * hoeffding_width(size, visits, episodes, delta);
                f64::min(most, problem.rewards[[step, state, action]] + mean + bonus)
            };
            let value = |state: usize| {
                let rest = (upper(state, 0), 0);
                (1..size.actions).map(|action| (upper(state, action), action)).fold(
                    rest,
                    |best, candidate| {
                        if candidate.0 > best.0 { candidate } else { best }
                    },
                )
            };
            let best: Vec<(f64, usize)> = (0..size.states).map(value).collect();
            for (state, (value, action)) in best.into_iter().enumerate() {
                next[state] = if problem.terminal[state] { problem.resting(step) } else { value };
                policy[[step, state, action]] = 1.0;
            }
        }
        let metrics = vec![problem.unscaled(problem.at_start(&next))];
        Ok(Choice { policy: EpisodePolicy::Markov(policy), metrics })
    }
}
