//! Measurements that tell the most: along a path, and of one's choice.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{check_grid, check_horizon, plane};
use crate::{
    Error,
    parameters::require,
    random::Seed,
    submodular::{Exploration, Information, Kernel, Moves, Observation, Reward},
};

/// Measure a Gaussian process along a path, so that the measurements tell the most.
///
/// The defaults are the 30 × 30 grid of the paper, cells 0.1 apart, with a Matérn 5/2 kernel and five
/// earlier measurements at random places of [0, 10]². The authors' jitter of 1e-6 on the covariance is,
/// in this form, a noise of that variance. Actions: 0 stay, 1 right, 2 down, 3 left, 4 up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InformativePath {
    /// Number of rows, 1 to 60.
    pub rows: usize,
    /// Number of columns, 1 to 60.
    pub columns: usize,
    /// ℓ of the kernel, above 0; cells are 0.1 apart.
    pub lengthscale: f64,
    /// σ², variance of the noise of a measurement, above 0.
    pub noise_variance: f64,
    /// How many earlier measurements there are, 0 to 100.
    pub measured: usize,
    /// Which of the random instances.
    pub instance: u64,
    /// The cell to start in, counted row by row.
    pub start: usize,
    /// Actions of an episode, 1 to 1000.
    pub horizon: usize,
    /// Probability of a uniformly random action instead of the one chosen, 0 to 1.
    pub action_noise: f64,
    /// What is observed.
    pub observation: Observation,
    /// What is rewarded.
    pub reward: Reward,
}

impl Default for InformativePath {
    fn default() -> Self {
        InformativePath {
            rows: 30,
            columns: 30,
            lengthscale: 1.0,
            noise_variance: 1e-3,
            measured: 5,
            instance: 0,
            start: 34,
            horizon: 39,
            action_noise: 0.0,
            observation: Observation::Place,
            reward: Reward::Gain,
        }
    }
}

impl InformativePath {
    /// The environment. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<Exploration<Information>, Error> {
        let (rows, columns, lengthscale) = (self.rows, self.columns, self.lengthscale);
        check_grid(rows, columns)?;
        require("lengthscale", lengthscale, (1e-3..=1e3).contains(&lengthscale), "1e-3 to 1e3")?;
        let noise = self.noise_variance;
        require("noise_variance", noise, (1e-9..=1e9).contains(&noise), "1e-9 to 1e9")?;
        require("measured", self.measured, self.measured <= 100, "0 to 100")?;
        let mut rng = Seed::new(self.instance).stream("measurements");
        let mut point = || [rng.random_range(0.0..10.0), rng.random_range(0.0..10.0)];
        let measured: Vec<[f64; 2]> = (0..self.measured).map(|_| point()).collect();
        let kernel = Kernel::Matern { lengthscale };
        let function = Information::new(plane(rows, columns), kernel, noise, &measured)?;
        check_horizon(self.horizon)?;
        let moves = Moves::grid(rows, columns, vec![false; rows * columns])?.with_noise(self.action_noise)?;
        let exploration = Exploration::new(moves, function, self.start, self.horizon)?;
        Ok(exploration.observing(self.observation).rewarding(self.reward))
    }
}

/// Choose measurements for a Bayesian quadratic regression in two variables: D-optimal design.
///
/// The candidates are a grid on [−1, 1]², and an action measures the candidate of its number, wherever
/// the last measurement was: the limit of an ε-bandit process. The first measurement, at `start`, is
/// given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExperimentDesign {
    /// Number of rows and of columns of candidates, 2 to 20.
    pub side: usize,
    /// σ², variance of the noise of a measurement, above 0.
    pub noise_variance: f64,
    /// The candidate that is measured already.
    pub start: usize,
    /// Measurements to choose, 1 to 1000.
    pub horizon: usize,
    /// Probability of a uniformly random measurement instead of the one chosen, 0 to 1.
    pub action_noise: f64,
    /// What is observed.
    pub observation: Observation,
    /// What is rewarded.
    pub reward: Reward,
}

impl Default for ExperimentDesign {
    fn default() -> Self {
        ExperimentDesign {
            side: 6,
            noise_variance: 0.1,
            start: 14,
            horizon: 10,
            action_noise: 0.0,
            observation: Observation::Place,
            reward: Reward::Gain,
        }
    }
}

impl ExperimentDesign {
    /// The environment. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<Exploration<Information>, Error> {
        let (side, noise) = (self.side, self.noise_variance);
        require("side", side, (2..=20).contains(&side), "2 to 20")?;
        require("noise_variance", noise, (1e-9..=1e9).contains(&noise), "1e-9 to 1e9")?;
        let at = |i: usize| 2.0 * i as f64 / (side - 1) as f64 - 1.0;
        let candidates: Vec<[f64; 2]> = (0..side * side).map(|i| [at(i % side), at(i / side)]).collect();
        let function = Information::new(candidates.clone(), Kernel::Quadratic, noise, &[])?;
        check_horizon(self.horizon)?;
        let moves = Moves::free(candidates)?.with_noise(self.action_noise)?;
        let exploration = Exploration::new(moves, function, self.start, self.horizon)?;
        Ok(exploration.observing(self.observation).rewarding(self.reward))
    }
}
