//! The sampling error of a learner's data: exact in tables, against the most likely last layer elsewhere.

use assay_environments::Space;
use ndarray::Array2;

use crate::{Error, policies::Policy, rollout::Rollout, tensor::Device};

/// How a learner's sampling error is measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SamplingError {
    /// States and actions are finite: π_D are the frequencies in every state, of each part of an action.
    Frequencies { states: usize, parts: Vec<usize> },
    /// π_D is the target policy with the most likely last layer.
    LastLayer,
}

impl SamplingError {
    /// The measure for these spaces.
    pub(super) fn new(observations: &Space, actions: &Space) -> Self {
        let parts = match actions {
            Space::Discrete { n } => vec![*n],
            Space::MultiDiscrete { sizes } => sizes.clone(),
            Space::Box { .. } => return SamplingError::LastLayer,
        };
        match observations {
            Space::Discrete { n } => SamplingError::Frequencies { states: *n, parts },
            _ => SamplingError::LastLayer,
        }
    }

    /// (1/|D|) Σ log π_D(a|s) − log π_θ(a|s) over the rollout, whose log-probabilities must be the target
    /// policy's: nats per sample.
    ///
    /// # Errors
    /// Those of [`Policy::likelihood_gain`].
    pub(super) fn of<D: Device>(&self, target: &Policy<D>, rollout: &Rollout) -> Result<f64, Error> {
        match self {
            SamplingError::LastLayer => target.likelihood_gain(&rollout.observations, &rollout.actions),
            SamplingError::Frequencies { states, parts } => {
                let mean = |sum: f64| sum / rollout.len() as f64;
                let likelihood = rollout.log_probs.iter().map(|x| f64::from(*x)).sum();
                Ok(mean(log_likelihood_of_frequencies(rollout, *states, parts)) - mean(likelihood))
            }
        }
    }
}

/// Σ log (N(s, a)/N(s)) over the rollout.
fn log_likelihood_of_frequencies(rollout: &Rollout, states: usize, parts: &[usize]) -> f64 {
    let observations = rollout.raw_observations().chunks_exact(states);
    let visited: Vec<usize> = observations.map(chosen).collect();
    let mut first = 0;
    let mut total = 0.0;
    for &size in parts {
        let mut counts = Array2::<f64>::zeros((states, size));
        let actions = rollout.actions.chunks_exact(rollout.action_features());
        for (&state, action) in visited.iter().zip(actions) {
            counts[[state, chosen(&action[first..first + size])]] += 1.0;
        }
        for row in counts.rows() {
            let visits = row.sum();
            total += row.iter().filter(|n| **n > 0.0).map(|n| n * (n / visits).ln()).sum::<f64>();
        }
        first += size;
    }
    total
}

/// What a one-hot code stands for.
fn chosen(code: &[f32]) -> usize {
    code.iter().position(|x| *x == 1.0).expect("a one-hot code has a one")
}
