//! What noisy measurements tell about a Gaussian process or a linear model.

use serde::{Deserialize, Serialize};

use super::{
    Kernel, Look, SetFunction,
    gaussian_process::{cholesky, dot, row},
    set_function::distinct,
};
use crate::Error;

/// F(A) = ½ log det(I + σ⁻² K_A), in nats: the mutual information between the measurements at A and
/// what is measured.
///
/// It is the objective of informative path planning with a Matérn kernel, and of Bayesian D-optimal
/// design with the kernel of a linear model. K may be a posterior covariance, after earlier
/// measurements. A state that is visited twice is measured once.
///
/// The gain of a state is ½ log(1 + σ⁻² Var(s|A)). With the Cholesky factor of K_A + σ²I it takes one
/// forward substitution, O(|A|²), which is also the next row of the factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Information {
    /// Where each state lies.
    points: Vec<[f64; 2]>,
    kernel: Kernel,
    /// σ², above 0.
    noise_variance: f64,
    /// Number of earlier measurements.
    measured: usize,
    /// By state, L⁻¹ k(X, s) with L the factor of the earlier measurements X (states × measured).
    whitened: Vec<f64>,
}

impl Information {
    /// Measurements with noise of variance `noise_variance` at `points`, where those at `measured` are
    /// there already. Errors when the variance is not positive and finite.
    pub fn new(
        points: Vec<[f64; 2]>,
        kernel: Kernel,
        noise_variance: f64,
        measured: &[[f64; 2]],
    ) -> Result<Self, Error> {
        let invalid = |reason| Error::InvalidProcess { reason };
        if !(noise_variance > 0.0 && noise_variance.is_finite()) {
            return Err(invalid(format!("measurements with noise of variance {noise_variance}")));
        }
        let count = measured.len();
        let factor = cholesky(count, |i, j| {
            kernel.covariance(measured[i], measured[j]) + if i == j { noise_variance } else { 0.0 }
        })
        .ok_or_else(|| invalid("earlier measurements without a covariance".into()))?;
        let mut whitened = vec![0.0; points.len() * count];
        for (&point, whitened) in points.iter().zip(whitened.chunks_exact_mut(count.max(1))) {
            for (j, &x) in measured.iter().enumerate() {
                let factor = &factor[row(j)..=row(j) + j];
                let known = dot(&factor[..j], &whitened[..j]);
                whitened[j] = (kernel.covariance(point, x) - known) / factor[j];
            }
        }
        Ok(Information { points, kernel, noise_variance, measured: count, whitened })
    }

    /// K, the covariance of two states given the earlier measurements. Panics when there are no such
    /// states.
    pub fn covariance(&self, state: usize, other: usize) -> f64 {
        let known = |state: usize| &self.whitened[state * self.measured..][..self.measured];
        self.kernel.covariance(self.points[state], self.points[other]) - dot(known(state), known(other))
    }

    /// Writes the row of the factor that `state` would add, and returns its gain.
    fn next_row(&self, members: &[usize], factor: &mut [f64], state: usize) -> f64 {
        let count = members.len();
        let (above, rest) = factor.split_at_mut(row(count));
        let new = &mut rest[..=count];
        for (j, &member) in members.iter().enumerate() {
            let other = &above[row(j)..=row(j) + j];
            new[j] = (self.covariance(state, member) - dot(&new[..j], &other[..j])) / other[j];
        }
        // Rounding may take a variance that is almost zero below it.
        let known = dot(&new[..count], &new[..count]);
        let variance = (self.covariance(state, state) - known).max(0.0);
        new[count] = (variance + self.noise_variance).sqrt();
        0.5 * (variance / self.noise_variance).ln_1p()
    }
}

/// What is remembered: the packed Cholesky factor of K_A + σ²I, members in the order of the set.
impl SetFunction for Information {
    fn states(&self) -> usize {
        self.points.len()
    }

    /// Pivots of Gaussian elimination on I + σ⁻² K_A, which shares nothing with the increments.
    fn value(&self, set: &[usize]) -> f64 {
        let set = distinct(set);
        let count = set.len();
        let mut matrix = vec![0.0; count * count];
        for (i, &a) in set.iter().enumerate() {
            for (j, &b) in set.iter().enumerate() {
                let one = if i == j { 1.0 } else { 0.0 };
                matrix[i * count + j] = one + self.covariance(a, b) / self.noise_variance;
            }
        }
        let mut log_determinant = 0.0;
        for pivot in 0..count {
            let head = matrix[pivot * count + pivot];
            log_determinant += head.ln();
            for i in pivot + 1..count {
                let factor = matrix[i * count + pivot] / head;
                for j in pivot..count {
                    matrix[i * count + j] -= factor * matrix[pivot * count + j];
                }
            }
        }
        0.5 * log_determinant
    }

    /// One more row than the set needs, for gains.
    fn memory(&self, capacity: usize) -> usize {
        row(capacity + 1)
    }

    fn gain(&self, members: &[usize], factor: &mut [f64], state: usize) -> f64 {
        self.next_row(members, factor, state)
    }

    fn include(&self, members: &[usize], factor: &mut [f64], state: usize) -> f64 {
        self.next_row(members, factor, state)
    }

    /// The standard deviation that is left.
    fn look(&self, members: &[usize], factor: &[f64], state: usize) -> Look {
        let mut factor = factor.to_vec();
        let gain = self.next_row(members, &mut factor, state);
        let left = self.noise_variance * (2.0 * gain).exp_m1();
        let value = (left / self.kernel.covariance(self.points[state], self.points[state])).sqrt();
        Look { value: value.clamp(0.0, 1.0), done: members.contains(&state), group: None }
    }
}
