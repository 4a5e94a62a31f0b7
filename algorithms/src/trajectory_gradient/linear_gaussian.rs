//! π(·|s) = N(W φ(s), σ² I).

use assay_environments::{Actions, Space, random::Stream};
use rand::Rng;
use rand_distr::StandardNormal;

use super::{ScorePolicy, Trajectory};
use crate::{Error, Mode};

/// A Gaussian policy whose mean is linear in features of the observation and whose variance is
/// fixed, in double precision. Row j of W begins at j · features in θ; it starts at zero.
///
/// The features φ(s) are the one-hot code of a discrete observation, or a box's numbers and a one.
/// The Fisher information is E[φ φᵀ]/σ² for each dimension of the action, whatever θ is: it is as
/// far from singular as the states that are visited are from lying in a plane.
#[derive(Clone, Debug)]
pub struct LinearGaussian {
    observations: usize,
    constant: bool,
    deviation: f64,
    weights: Vec<f64>,
}

impl LinearGaussian {
    /// The policy with mean 0. `width` is that of an action, `deviation` is σ.
    pub fn new(observations: &Space, width: usize, deviation: f64) -> Self {
        let constant = matches!(observations, Space::Box { .. });
        let observations = observations.features();
        let weights = vec![0.0; width * (observations + usize::from(constant))];
        LinearGaussian { observations, constant, deviation, weights }
    }

    fn features(&self) -> usize {
        self.observations + usize::from(self.constant)
    }

    /// ⟨row j of `weights`, φ(s)⟩.
    fn mean(&self, weights: &[f64], j: usize, observation: &[f32]) -> f64 {
        let row = &weights[j * self.features()..][..self.features()];
        let constant = if self.constant { row[self.observations] } else { 0.0 };
        row.iter().zip(observation).map(|(w, &x)| w * f64::from(x)).sum::<f64>() + constant
    }

    /// Adds a multiple of φ(s) to row j of `rows`.
    fn add_features(&self, rows: &mut [f64], j: usize, factor: f64, observation: &[f32]) {
        let row = &mut rows[j * self.features()..][..self.features()];
        for (r, &x) in row.iter_mut().zip(observation) {
            *r += factor * f64::from(x);
        }
        if self.constant {
            row[self.observations] += factor;
        }
    }
}

impl ScorePolicy for LinearGaussian {
    fn dimension(&self) -> usize {
        self.weights.len()
    }

    fn initial_parameters(&self) -> Vec<f64> {
        vec![0.0; self.weights.len()]
    }

    fn move_to(&mut self, parameters: &[f64]) {
        self.weights.copy_from_slice(parameters);
    }

    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        let Actions::Continuous { values, width } = actions else {
            unreachable!("{actions:?} were not made for a Gaussian policy")
        };
        let rows = observations.chunks_exact(self.observations).zip(values.chunks_exact_mut(*width));
        for (observation, action) in rows {
            for (j, a) in action.iter_mut().enumerate() {
                let noise: f64 = match mode {
                    Mode::Greedy => 0.0,
                    Mode::Sample => rng.sample(StandardNormal),
                };
                *a = (self.mean(&self.weights, j, observation) + self.deviation * noise) as f32;
            }
        }
        Ok(())
    }

    fn log_probs(&mut self, trajectory: &Trajectory, log_probs: &mut [f64]) {
        let normaliser = self.deviation.ln() + 0.5 * std::f64::consts::TAU.ln();
        for ((observation, action), log_prob) in trajectory.steps().zip(log_probs) {
            let of_dimension = |(j, &a): (usize, &f32)| {
                let z = (f64::from(a) - self.mean(&self.weights, j, observation)) / self.deviation;
                -0.5 * z * z - normaliser
            };
            *log_prob = action.iter().enumerate().map(of_dimension).sum();
        }
    }

    /// ∇ log π(a|s) = (a − W φ) φᵀ/σ².
    fn add_score(&mut self, trajectory: &Trajectory, weights: &[f64], gradient: &mut [f64]) {
        let precision = self.deviation.powi(-2);
        for ((observation, action), weight) in trajectory.steps().zip(weights) {
            for (j, &a) in action.iter().enumerate() {
                let error = f64::from(a) - self.mean(&self.weights, j, observation);
                self.add_features(gradient, j, weight * precision * error, observation);
            }
        }
    }

    /// The Hessian of log π(a|s) is −φ φᵀ/σ² for each dimension of the action.
    fn add_curvature(
        &mut self,
        trajectory: &Trajectory,
        weights: &[f64],
        direction: &[f64],
        gradient: &mut [f64],
        product: &mut [f64],
    ) -> f64 {
        let precision = self.deviation.powi(-2);
        let mut slope = 0.0;
        for ((observation, action), weight) in trajectory.steps().zip(weights) {
            for (j, &a) in action.iter().enumerate() {
                let error = f64::from(a) - self.mean(&self.weights, j, observation);
                let moved = self.mean(direction, j, observation);
                self.add_features(gradient, j, weight * precision * error, observation);
                self.add_features(product, j, -weight * precision * moved, observation);
                slope += precision * error * moved;
            }
        }
        slope
    }
}
