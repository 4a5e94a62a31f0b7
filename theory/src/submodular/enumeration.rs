//! Expectations over all trajectories, by enumerating them.

use std::collections::HashMap;

use assay_environments::submodular::{Submodular, VisitedSet};
use ndarray::{Array3, ArrayRef3, Axis};

use crate::Error;

/// A step of an enumerated trajectory.
#[derive(Clone, Copy)]
struct Step {
    place: usize,
    action: usize,
    /// F(s_{h+1}|τ_{0:h}).
    gain: f64,
}

/// Calls `visit` with the probability, F({s_0}) and the steps of every trajectory that the policy (H ×
/// places × actions) can take. What an unreliable move does is enumerated too.
fn enumerate(
    problem: &dyn Submodular,
    policy: &ArrayRef3<f64>,
    visit: &mut dyn FnMut(f64, f64, &[Step]),
) -> Result<(), Error> {
    let expected = [problem.horizon(), problem.moves().places(), problem.moves().actions()];
    if policy.shape() != expected {
        let (given, expected) = (policy.shape().to_vec(), expected.to_vec());
        return Err(Error::Shape { what: "policy", given, expected });
    }
    let mut visited = VisitedSet::new(problem.set_function(), problem.horizon() + 1);
    let initial = visited.add(problem.set_function(), problem.start());
    let steps = Vec::with_capacity(problem.horizon());
    Enumeration { problem, policy, initial, steps, visit }.follow(problem.start(), 1.0, &visited);
    Ok(())
}

/// An enumeration under way.
struct Enumeration<'a> {
    problem: &'a dyn Submodular,
    policy: &'a ArrayRef3<f64>,
    initial: f64,
    /// The beginning of the current trajectory.
    steps: Vec<Step>,
    visit: &'a mut dyn FnMut(f64, f64, &[Step]),
}

impl Enumeration<'_> {
    /// The trajectories that go on from `place`, after the current steps.
    fn follow(&mut self, place: usize, probability: f64, visited: &VisitedSet) {
        let (problem, step) = (self.problem, self.steps.len());
        if step == problem.horizon() {
            return (self.visit)(probability, self.initial, &self.steps);
        }
        for action in 0..problem.moves().actions() {
            for (next, share) in outcomes(problem, place, action) {
                let probability = probability * self.policy[[step, place, action]] * share;
                if probability == 0.0 {
                    continue;
                }
                let mut visited = visited.clone();
                let gain = visited.add(problem.set_function(), next);
                self.steps.push(Step { place, action, gain });
                self.follow(next, probability, &visited);
                self.steps.pop();
            }
        }
    }
}

/// Where an action leads, with what probability.
fn outcomes(problem: &dyn Submodular, place: usize, action: usize) -> Vec<(usize, f64)> {
    let moves = problem.moves();
    let mut outcomes = vec![(moves.next(place, action), 1.0 - moves.noise())];
    if moves.noise() > 0.0 {
        let share = moves.noise() / moves.actions() as f64;
        outcomes.extend((0..moves.actions()).map(|slip| (moves.next(place, slip), share)));
    }
    outcomes
}

/// E F(s_{h+1}|τ_{0:h}) by step for a policy (H × places × actions); the first includes F({s_0}), as the
/// environment's reward does, so J(π) is their sum. By enumeration: the time grows as actions to the power
/// of H. Errors when the policy has another shape.
pub fn expected_gains(problem: &dyn Submodular, policy: &ArrayRef3<f64>) -> Result<Vec<f64>, Error> {
    let mut gains = vec![0.0; problem.horizon()];
    enumerate(problem, policy, &mut |probability, initial, steps| {
        gains[0] += probability * initial;
        for (total, step) in gains.iter_mut().zip(steps) {
            *total += probability * step.gain;
        }
    })?;
    Ok(gains)
}

/// J(π) = E F(τ) of a policy (H × places × actions), as [`expected_gains`].
pub fn expected_value(problem: &dyn Submodular, policy: &ArrayRef3<f64>) -> Result<f64, Error> {
    Ok(expected_gains(problem, policy)?.iter().sum())
}

/// Mean and second moment, by parameter, of an estimator's terms.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// E[∂ log π(a_h|h, s_h)/∂θ(h, s, a) · w_h] (H × places × actions).
    pub mean: Array3<f64>,
    /// The same of the square.
    pub second: Array3<f64>,
}

impl Moments {
    /// `E[x²] − E[x]²` by parameter.
    pub fn variance(&self) -> Array3<f64> {
        &self.second - &self.mean * &self.mean
    }
}

/// The exact moments of Σ_h ∇ log π(a_h|h, s_h) w_h for π = softmax(θ) with one logit θ(h, s, a) each
/// (H × places × actions). `weights(F({s_0}), gains, w)` gives the w_h of a trajectory with these gains
/// F(s_{h+1}|τ_{0:h}). A parameter of step h occurs in the h-th term only, so moments by parameter are
/// moments by time index.
///
/// By enumeration: the time grows as actions to the power of H. Errors when the logits have another
/// shape.
pub fn estimator_moments(
    problem: &dyn Submodular,
    logits: &ArrayRef3<f64>,
    mut weights: impl FnMut(f64, &[f64], &mut [f64]),
) -> Result<Moments, Error> {
    let policy = softmax(logits);
    let mut moments = Moments { mean: Array3::zeros(policy.dim()), second: Array3::zeros(policy.dim()) };
    let mut gains = vec![0.0; problem.horizon()];
    let mut w = vec![0.0; problem.horizon()];
    enumerate(problem, &policy, &mut |probability, initial, steps| {
        gains.iter_mut().zip(steps).for_each(|(gain, step)| *gain = step.gain);
        weights(initial, &gains, &mut w);
        for (h, (step, w)) in steps.iter().zip(&w).enumerate() {
            for action in 0..policy.dim().2 {
                let taken = if action == step.action { 1.0 } else { 0.0 };
                let term = (taken - policy[[h, step.place, action]]) * w;
                moments.mean[[h, step.place, action]] += probability * term;
                moments.second[[h, step.place, action]] += probability * term * term;
            }
        }
    })?;
    Ok(moments)
}

/// π(a|h, s) = softmax(θ(h, s, ·))_a: softmax over the last axis.
pub fn softmax(logits: &ArrayRef3<f64>) -> Array3<f64> {
    let mut policy = logits.to_owned();
    for mut row in policy.lanes_mut(Axis(2)) {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.mapv_inplace(|logit| (logit - largest).exp());
        let total = row.sum();
        row /= total;
    }
    policy
}

/// The expected value of the best history-dependent policy, by dynamic programming over step, place and
/// set of places visited: as many of these as there are, so for small problems. With reliable moves
/// [`optimal_plan`](super::optimal_plan) finds the same with less.
pub fn optimal_value(problem: &dyn Submodular) -> f64 {
    let mut visited = VisitedSet::new(problem.set_function(), problem.horizon() + 1);
    let initial = visited.add(problem.set_function(), problem.start());
    initial + optimal_rest(problem, problem.horizon(), problem.start(), &visited, &mut HashMap::new())
}

type Memory = HashMap<(usize, usize, Vec<bool>), f64>;

/// What can still be gained with `left` steps from `place`.
fn optimal_rest(
    problem: &dyn Submodular,
    left: usize,
    place: usize,
    visited: &VisitedSet,
    memory: &mut Memory,
) -> f64 {
    if left == 0 {
        return 0.0;
    }
    let key = (left, place, visited.indicator().to_vec());
    if let Some(&value) = memory.get(&key) {
        return value;
    }
    let mut best = f64::NEG_INFINITY;
    for action in 0..problem.moves().actions() {
        let mut value = 0.0;
        for (next, share) in outcomes(problem, place, action) {
            let mut visited = visited.clone();
            let gain = visited.add(problem.set_function(), next);
            value += share * (gain + optimal_rest(problem, left - 1, next, &visited, memory));
        }
        best = best.max(value);
    }
    memory.insert(key, best);
    best
}
