//! Kernels, and draws from a Gaussian process.

use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use crate::random::Stream;

/// A covariance k(x, x′) of values at two points of the plane, with k(x, x) = 1 for those that only
/// depend on distance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Kernel {
    /// Matérn with ν = 5/2: (1 + r + r²/3) exp(−r), r = √5 |x − x′|/ℓ.
    Matern {
        /// ℓ, above 0, in the unit of the points.
        lengthscale: f64,
    },
    /// φ(x)ᵀφ(x′) with φ = (1, x, y, x², xy, y²): Bayesian quadratic regression with unit priors.
    Quadratic,
}

impl Kernel {
    /// k(x, x′).
    pub fn covariance(&self, x: [f64; 2], other: [f64; 2]) -> f64 {
        match self {
            Kernel::Matern { lengthscale } => {
                let distance = (x[0] - other[0]).hypot(x[1] - other[1]);
                let r = 5f64.sqrt() * distance / lengthscale;
                (1.0 + r + r * r / 3.0) * (-r).exp()
            }
            Kernel::Quadratic => {
                let features = |[x, y]: [f64; 2]| [1.0, x, y, x * x, x * y, y * y];
                dot(&features(x), &features(other))
            }
        }
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The packed lower triangle of the Cholesky factor of a symmetric matrix of this size: row i has
/// i + 1 entries and begins at [`row`]. `None` when the matrix is not positive definite.
pub(super) fn cholesky(size: usize, entry: impl Fn(usize, usize) -> f64) -> Option<Vec<f64>> {
    let mut factor = vec![0.0; row(size)];
    for i in 0..size {
        let (above, rest) = factor.split_at_mut(row(i));
        let current = &mut rest[..=i];
        for j in 0..i {
            let other = &above[row(j)..=row(j) + j];
            current[j] = (entry(i, j) - dot(&current[..j], &other[..j])) / other[j];
        }
        let pivot = entry(i, i) - dot(&current[..i], &current[..i]);
        if pivot.is_nan() || pivot <= 0.0 {
            return None;
        }
        current[i] = pivot.sqrt();
    }
    Some(factor)
}

/// Where row i of a packed lower triangle begins.
pub(super) fn row(i: usize) -> usize {
    i * (i + 1) / 2
}

/// A draw of the process with mean zero at `points`, given that it is zero at `zero` up to noise of
/// this variance. The covariance gets a jitter of 1e-6. `None` when it is not positive definite all the
/// same.
pub(super) fn draw(
    kernel: Kernel,
    points: &[[f64; 2]],
    zero: [f64; 2],
    noise_variance: f64,
    rng: &mut Stream,
) -> Option<Vec<f64>> {
    let to_zero: Vec<f64> = points.iter().map(|&x| kernel.covariance(x, zero)).collect();
    let at_zero = kernel.covariance(zero, zero) + noise_variance;
    let factor = cholesky(points.len(), |i, j| {
        let jitter = if i == j { 1e-6 } else { 0.0 };
        kernel.covariance(points[i], points[j]) - to_zero[i] * to_zero[j] / at_zero + jitter
    })?;
    let normal: Vec<f64> = points.iter().map(|_| StandardNormal.sample(rng)).collect();
    Some((0..points.len()).map(|i| dot(&factor[row(i)..=row(i) + i], &normal[..=i])).collect())
}
