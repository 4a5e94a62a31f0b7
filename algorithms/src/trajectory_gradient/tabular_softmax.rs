//! π(a|s) ∝ exp θ(s, a).

use assay_environments::{Actions, random::Stream};
use rand::Rng;

use super::{ScorePolicy, Trajectory};
use crate::{Error, Mode};

/// A softmax policy with one logit for each state and action, in double precision. θ(s, a) is
/// number s · actions + a; it starts at zero, with the uniform policy.
///
/// Its Fisher information is singular: adding a number to all logits of a state changes nothing,
/// and where the policy becomes deterministic the information vanishes in every direction. The
/// assumption of a non-degenerate Fisher information does not hold for it.
#[derive(Clone, Debug)]
pub struct TabularSoftmax {
    actions: usize,
    logits: Vec<f64>,
    /// π(·|s) of the state that is looked at.
    probabilities: Vec<f64>,
}

impl TabularSoftmax {
    /// The uniform policy.
    pub fn new(states: usize, actions: usize) -> Self {
        TabularSoftmax { actions, logits: vec![0.0; states * actions], probabilities: vec![0.0; actions] }
    }

    /// The logits of a state that is given as a one-hot code, and where they begin in θ.
    fn row(&self, observation: &[f32]) -> (usize, &[f64]) {
        let start = hot(observation) * self.actions;
        (start, &self.logits[start..start + self.actions])
    }

    /// Computes π(·|s); returns where the state's logits begin in θ.
    fn look_at(&mut self, observation: &[f32]) -> usize {
        let start = hot(observation) * self.actions;
        let logits = &self.logits[start..start + self.actions];
        let (_, largest, total) = normaliser(logits);
        for (p, logit) in self.probabilities.iter_mut().zip(logits) {
            *p = (logit - largest).exp() / total;
        }
        start
    }
}

/// The index that a one-hot code stands for.
fn hot(code: &[f32]) -> usize {
    code.iter().position(|x| *x == 1.0).unwrap_or(0)
}

/// The most likely action, its logit m, and Σ exp(logit − m).
fn normaliser(logits: &[f64]) -> (usize, f64, f64) {
    let larger = |a: usize, b: usize| if logits[b] > logits[a] { b } else { a };
    let best = (0..logits.len()).reduce(larger).unwrap_or(0);
    (best, logits[best], logits.iter().map(|logit| (logit - logits[best]).exp()).sum())
}

impl ScorePolicy for TabularSoftmax {
    fn dimension(&self) -> usize {
        self.logits.len()
    }

    fn initial_parameters(&self) -> Vec<f64> {
        vec![0.0; self.logits.len()]
    }

    fn move_to(&mut self, parameters: &[f64]) {
        self.logits.copy_from_slice(parameters);
    }

    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        let Actions::Discrete(actions) = actions else {
            unreachable!("{actions:?} were not made for a tabular policy")
        };
        let states = self.logits.len() / self.actions;
        for (observation, action) in observations.chunks_exact(states).zip(actions) {
            let (_, logits) = self.row(observation);
            let (best, largest, total) = normaliser(logits);
            *action = match mode {
                Mode::Greedy => best,
                Mode::Sample => {
                    let mut left = rng.random::<f64>() * total;
                    let drawn = logits.iter().position(|logit| {
                        left -= (logit - largest).exp();
                        left < 0.0
                    });
                    // Rounding may leave a hair's breadth that belongs to nobody.
                    drawn.unwrap_or(best)
                }
            };
        }
        Ok(())
    }

    fn log_probs(&mut self, trajectory: &Trajectory, log_probs: &mut [f64]) {
        for ((observation, action), log_prob) in trajectory.steps().zip(log_probs) {
            let (_, logits) = self.row(observation);
            let (_, largest, total) = normaliser(logits);
            *log_prob = logits[hot(action)] - largest - total.ln();
        }
    }

    /// ∂ log π(a|s)/∂θ(s, b) = 1{a = b} − π(b|s).
    fn add_score(&mut self, trajectory: &Trajectory, weights: &[f64], gradient: &mut [f64]) {
        for ((observation, action), weight) in trajectory.steps().zip(weights) {
            let start = self.look_at(observation);
            for (g, p) in gradient[start..].iter_mut().zip(&self.probabilities) {
                *g -= weight * p;
            }
            gradient[start + hot(action)] += weight;
        }
    }

    /// The Hessian of log π(a|s) is −(diag π − π πᵀ), whatever the action.
    fn add_curvature(
        &mut self,
        trajectory: &Trajectory,
        weights: &[f64],
        direction: &[f64],
        gradient: &mut [f64],
        product: &mut [f64],
    ) -> f64 {
        let mut slope = 0.0;
        for ((observation, action), weight) in trajectory.steps().zip(weights) {
            let start = self.look_at(observation);
            let here = start..start + self.actions;
            let v = &direction[here.clone()];
            let mean: f64 = self.probabilities.iter().zip(v).map(|(p, v)| p * v).sum();
            let rows = gradient[here.clone()].iter_mut().zip(&mut product[here]);
            for ((g, h), (p, v)) in rows.zip(self.probabilities.iter().zip(v)) {
                *g -= weight * p;
                *h -= weight * p * (v - mean);
            }
            let action = hot(action);
            gradient[start + action] += weight;
            slope += v[action] - mean;
        }
        slope
    }
}
