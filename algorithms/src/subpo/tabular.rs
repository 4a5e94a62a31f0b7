//! A softmax policy with one logit for each step, place and action, in double precision.

use assay_environments::random::Stream;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{Error, Mode};

/// Adam's β₁, β₂ and ε (Kingma and Ba 2014), as for networks.
const ADAM: (f64, f64, f64) = (0.9, 0.999, 1e-8);

/// π(a|h, s) = softmax(θ(h, s, ·))_a, and the moments of its optimiser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TabularPolicy {
    places: usize,
    actions: usize,
    /// θ (steps × places × actions).
    logits: Vec<f64>,
    first_moment: Vec<f64>,
    second_moment: Vec<f64>,
    updates: i32,
}

impl TabularPolicy {
    /// The uniformly random policy.
    pub fn new(horizon: usize, places: usize, actions: usize) -> Self {
        let zeros = vec![0.0; horizon * places * actions];
        TabularPolicy {
            places,
            actions,
            logits: zeros.clone(),
            first_moment: zeros.clone(),
            second_moment: zeros,
            updates: 0,
        }
    }

    /// θ (steps × places × actions).
    pub fn logits(&self) -> &[f64] {
        &self.logits
    }

    /// θ, to be changed.
    pub fn logits_mut(&mut self) -> &mut [f64] {
        &mut self.logits
    }

    /// Whether this is a policy for the same steps, places and actions as another.
    pub(super) fn has_form_of(&self, other: &Self) -> bool {
        let form = |policy: &Self| {
            let parts = [&policy.logits, &policy.first_moment, &policy.second_moment];
            (policy.places, policy.actions, parts.map(Vec::len))
        };
        form(self) == form(other)
    }

    /// Where the logits of a step and place begin.
    fn start(&self, step: usize, place: usize) -> usize {
        (step * self.places + place) * self.actions
    }

    /// Writes π(·|h, s). Panics when there is no such step or place.
    pub fn probabilities(&self, step: usize, place: usize, probabilities: &mut [f64]) {
        let logits = &self.logits[self.start(step, place)..][..self.actions];
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut total = 0.0;
        for (p, logit) in probabilities.iter_mut().zip(logits) {
            *p = (logit - largest).exp();
            total += *p;
        }
        probabilities.iter_mut().for_each(|p| *p /= total);
    }

    /// An action drawn from, or most likely under, these probabilities.
    pub(super) fn choose(probabilities: &[f64], mode: Mode, rng: &mut Stream) -> usize {
        let mut most_likely = 0;
        for (action, p) in probabilities.iter().enumerate() {
            if *p > probabilities[most_likely] {
                most_likely = action;
            }
        }
        if mode == Mode::Greedy {
            return most_likely;
        }
        let mut rest: f64 = rng.random();
        for (action, p) in probabilities.iter().enumerate() {
            if rest < *p {
                return action;
            }
            rest -= p;
        }
        // Rounding may leave a rest after the last action.
        most_likely
    }

    /// Adds weight · ∇ log π(a|h, s) + entropy_weight · ∇ H(π(·|h, s)) to a gradient, in the order of
    /// the logits. Returns H, in nats.
    pub(super) fn add_gradient(
        &self,
        (step, place, action): (usize, usize, usize),
        probabilities: &[f64],
        weight: f64,
        entropy_weight: f64,
        gradient: &mut [f64],
    ) -> f64 {
        let entropy = -probabilities.iter().map(|p| if *p > 0.0 { p * p.ln() } else { 0.0 }).sum::<f64>();
        let gradient = &mut gradient[self.start(step, place)..][..self.actions];
        for (a, (g, p)) in gradient.iter_mut().zip(probabilities).enumerate() {
            let taken = if a == action { 1.0 } else { 0.0 };
            *g += weight * (taken - p);
            if entropy_weight != 0.0 && *p > 0.0 {
                *g -= entropy_weight * p * (p.ln() + entropy);
            }
        }
        entropy
    }

    /// One step of Adam up the gradient; returns the gradient's norm. Errors, without changing
    /// anything, when that is not finite.
    pub(super) fn ascend(&mut self, gradient: &[f64], learning_rate: f64) -> Result<f64, Error> {
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Err(Error::NonFinite { what: "gradient norm", value: norm, steps: 0 });
        }
        self.updates += 1;
        let (beta1, beta2, epsilon) = ADAM;
        let rate = learning_rate / (1.0 - beta1.powi(self.updates));
        let correction = 1.0 / (1.0 - beta2.powi(self.updates)).sqrt();
        let moments = self.first_moment.iter_mut().zip(&mut self.second_moment);
        for ((logit, g), (first, second)) in self.logits.iter_mut().zip(gradient).zip(moments) {
            *first = beta1 * *first + (1.0 - beta1) * g;
            *second = beta2 * *second + (1.0 - beta2) * g * g;
            *logit += rate * *first / (second.sqrt() * correction + epsilon);
        }
        Ok(norm)
    }
}
