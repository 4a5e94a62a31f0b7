//! Independent categorical distributions: one for a discrete action space, several for a
//! multi-discrete one.
//!
//! The parameters are unnormalised log-probabilities (logits), those of the parts beside each
//! other. Actions are one-hot codes, laid out in the same way.

use std::ops::Range;

use assay_environments::random::Stream;
use rand::Rng;

use crate::tensor::{Device, Matrix, MatrixOperations, NoTape, Operations, Tape, Vector};

/// A batch of distributions, each a product of categorical ones.
#[derive(Clone, Debug)]
pub struct Categorical<D: Device, T: Tape<D> = NoTape> {
    /// Unnormalised log-probabilities: rows × the sum of `sizes`.
    pub logits: Matrix<D, T>,
    /// How many values each part has.
    pub sizes: Vec<usize>,
}

impl<D: Device, T: Tape<D>> Categorical<D, T> {
    /// log π(a) of one-hot coded actions: (rows).
    pub(super) fn log_prob(self, actions: &Matrix<D>) -> Vector<D, T> {
        let whole = self.sizes.len() == 1;
        self.fold(std::ops::Add::add, |log_p, part| {
            let actions = if whole { actions.clone() } else { actions.clone().columns(part) };
            (log_p * actions).sum_columns()
        })
    }

    /// log π(a) of each part of one-hot coded actions: parts of (rows).
    pub(super) fn part_log_probs(self, actions: &Matrix<D>) -> Vec<Vector<D, T>> {
        if self.sizes.len() == 1 {
            return vec![self.log_prob(actions)];
        }
        let branch = self.logits.branch();
        let mut tape = Some(self.logits);
        parts(&self.sizes)
            .map(|part| {
                // The first part carries the tape of the logits.
                let logits = tape.take().unwrap_or_else(|| branch.branch());
                let log_p = logits.columns(part.clone()).log_softmax_columns();
                (log_p * actions.clone().columns(part)).sum_columns()
            })
            .collect()
    }

    /// −Σ p log p: (rows).
    pub(super) fn entropy(self) -> Vector<D, T> {
        self.fold(std::ops::Add::add, |log_p, _| (log_p.branch().exp() * log_p).sum_columns().negate())
    }

    /// Σ p (log p − log q): (rows).
    pub(super) fn kl_to(self, fixed: &Categorical<D>) -> Vector<D, T> {
        self.fold(std::ops::Add::add, |log_p, part| {
            let log_q = fixed.log_probabilities(part);
            (log_p.branch().exp() * (log_p - log_q)).sum_columns()
        })
    }

    /// Σ q (log q − log p): (rows).
    pub(super) fn kl_from(self, fixed: &Categorical<D>) -> Vector<D, T> {
        self.fold(std::ops::Add::add, |log_p, part| {
            let log_q = fixed.log_probabilities(part);
            ((log_p.negate() + log_q.clone()) * log_q.exp()).sum_columns()
        })
    }

    /// Σ p^q over all actions: (rows).
    pub(super) fn power(self, q: f64) -> Vector<D, T> {
        self.fold(std::ops::Mul::mul, |log_p, _| (log_p * q as f32).exp().sum_columns())
    }

    /// Σ p k^(q−1) over all actions, k being the fixed distribution: (rows).
    pub(super) fn power_with(self, fixed: &Categorical<D>, q: f64) -> Vector<D, T> {
        self.fold(std::ops::Mul::mul, |log_p, part| {
            let log_k = fixed.log_probabilities(part);
            (log_p.exp() * (log_k * (q - 1.0) as f32).exp()).sum_columns()
        })
    }

    /// Combines what `of_part` makes of each part's log-probabilities and columns. Sums over all
    /// actions of a product of distributions are products or sums over its parts.
    fn fold(
        self,
        combine: impl Fn(Vector<D, T>, Vector<D, T>) -> Vector<D, T>,
        of_part: impl Fn(Matrix<D, T>, Range<usize>) -> Vector<D, T>,
    ) -> Vector<D, T> {
        if let [size] = self.sizes[..] {
            return of_part(self.logits.log_softmax_columns(), 0..size);
        }
        let branch = self.logits.branch();
        let mut parts = parts(&self.sizes);
        let first = parts.next().expect("a distribution has parts");
        let mut total = of_part(self.logits.columns(first.clone()).log_softmax_columns(), first);
        for part in parts {
            let log_p = branch.branch().columns(part.clone()).log_softmax_columns();
            total = combine(total, of_part(log_p, part));
        }
        total
    }
}

impl<D: Device> Categorical<D> {
    fn log_probabilities(&self, part: Range<usize>) -> Matrix<D> {
        let logits = self.logits.clone();
        if self.sizes.len() == 1 { logits } else { logits.columns(part) }.log_softmax_columns()
    }
}

/// The columns of each part.
pub(super) fn parts(sizes: &[usize]) -> impl Iterator<Item = Range<usize>> {
    sizes.iter().scan(0, |end, size| {
        let start = *end;
        *end += size;
        Some(start..*end)
    })
}

/// Draws a value of one part and returns it with its log-probability. Takes one number from `rng`.
pub(super) fn sample(logits: &[f32], rng: &mut Stream) -> (usize, f32) {
    let (most_likely, total) = normaliser(logits);
    let largest = logits[most_likely];
    let mut rest = rng.random::<f32>() * total;
    // Rounding may leave a rest after the last value.
    let mut drawn = most_likely;
    for (value, x) in logits.iter().enumerate() {
        let weight = (x - largest).exp();
        if rest < weight {
            drawn = value;
            break;
        }
        rest -= weight;
    }
    (drawn, logits[drawn] - largest - total.ln())
}

/// The most likely value of one part (the first one of several) and its log-probability.
pub(super) fn mode(logits: &[f32]) -> (usize, f32) {
    let (most_likely, total) = normaliser(logits);
    (most_likely, -total.ln())
}

/// Multiplies a tangent of one part's logits by the Fisher information diag(p) − p pᵀ, in place.
pub(super) fn fisher_product(logits: &[f32], tangent: &mut [f32]) {
    let (most_likely, total) = normaliser(logits);
    let largest = logits[most_likely];
    let p = |x: &f32| (x - largest).exp() / total;
    let mean: f32 = logits.iter().zip(&*tangent).map(|(x, u)| p(x) * u).sum();
    for (x, u) in logits.iter().zip(tangent) {
        *u = p(x) * (*u - mean);
    }
}

/// The log-probability of one part's action, a one-hot code.
pub(super) fn log_prob(logits: &[f32], action: &[f32]) -> f32 {
    let (most_likely, total) = normaliser(logits);
    let taken: f32 = logits.iter().zip(action).map(|(x, a)| x * a).sum();
    taken - logits[most_likely] - total.ln()
}

/// Writes the derivative of w log π(a) with respect to one part's logits, w (a − p).
pub(super) fn score(logits: &[f32], action: &[f32], weight: f32, score: &mut [f32]) {
    let (most_likely, total) = normaliser(logits);
    let largest = logits[most_likely];
    for ((s, x), a) in score.iter_mut().zip(logits).zip(action) {
        *s = weight * (a - (x - largest).exp() / total);
    }
}

/// Writes the tangent of that derivative, −w (diag(p) − p pᵀ) t for a tangent t of the logits, and
/// returns the tangent of log π(a), ⟨a − p, t⟩.
pub(super) fn curvature(
    logits: &[f32],
    tangents: &[f32],
    action: &[f32],
    weight: f32,
    curvature: &mut [f32],
) -> f32 {
    let (most_likely, total) = normaliser(logits);
    let largest = logits[most_likely];
    let mut mean = 0.0;
    for ((c, x), t) in curvature.iter_mut().zip(logits).zip(tangents) {
        *c = (x - largest).exp() / total;
        mean += *c * t;
    }
    let mut slope = -mean;
    for ((c, t), a) in curvature.iter_mut().zip(tangents).zip(action) {
        *c *= -weight * (t - mean);
        slope += a * t;
    }
    slope
}

/// The index of the largest logit m, and Σ exp(logit − m).
fn normaliser(logits: &[f32]) -> (usize, f32) {
    let mut best = 0;
    for (value, x) in logits.iter().enumerate() {
        if *x > logits[best] {
            best = value;
        }
    }
    (best, logits.iter().map(|x| (x - logits[best]).exp()).sum())
}
