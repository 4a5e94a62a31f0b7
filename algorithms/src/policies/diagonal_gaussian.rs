//! Normal distributions with independent dimensions.

use assay_environments::random::Stream;
use rand::Rng;
use rand_distr::StandardNormal;

use crate::tensor::{Device, Matrix, MatrixOperations, NoTape, Operations, Tape, Vector};

/// ln √(2π), what a dimension's normalisation costs.
pub(super) const LOG_SQRT_TAU: f32 = 0.918_938_5;

/// A batch of normal distributions with independent dimensions.
#[derive(Clone, Debug)]
pub struct DiagonalGaussian<D: Device, T: Tape<D> = NoTape> {
    /// The means: rows × dimensions.
    pub mean: Matrix<D, T>,
    /// The logarithms of the standard deviations: rows × dimensions.
    pub log_std: Matrix<D, T>,
}

impl<D: Device, T: Tape<D>> DiagonalGaussian<D, T> {
    /// log π(a) = −Σ [ ((a − μ)/σ)²/2 + log σ + log √(2π) ]: (rows).
    pub(super) fn log_prob(self, actions: &Matrix<D>) -> Vector<D, T> {
        let scaled = (self.mean - actions.clone()) * self.log_std.branch().negate().exp();
        (scaled.square() * -0.5 - self.log_std - LOG_SQRT_TAU).sum_columns()
    }

    /// Σ [ log σ + log √(2π) + 1/2 ]: (rows).
    pub(super) fn entropy(self) -> Vector<D, T> {
        (self.log_std + (LOG_SQRT_TAU + 0.5)).sum_columns()
    }

    /// KL(self, fixed) = Σ [ log(σ_f/σ) + (σ² + (μ − μ_f)²)/(2σ_f²) − 1/2 ]: (rows).
    pub(super) fn kl_to(self, fixed: &DiagonalGaussian<D>) -> Vector<D, T> {
        let log_ratio = self.log_std - fixed.log_std.clone();
        let precision = (fixed.log_std.clone() * -2.0).exp();
        let distance = (self.mean - fixed.mean.clone()).square() * precision;
        let spread = (log_ratio.branch() * 2.0).exp();
        ((distance + spread - 1.0) * 0.5 - log_ratio).sum_columns()
    }

    /// KL(fixed, self), with the roles exchanged: (rows).
    pub(super) fn kl_from(self, fixed: &DiagonalGaussian<D>) -> Vector<D, T> {
        let log_ratio = self.log_std.branch() - fixed.log_std.clone();
        let precision = (self.log_std * -2.0).exp();
        let distance = (self.mean - fixed.mean.clone()).square() * precision;
        let spread = (log_ratio.branch() * -2.0).exp();
        ((distance + spread - 1.0) * 0.5 + log_ratio).sum_columns()
    }

    /// ∫ p^q = Π (2πσ²)^((1−q)/2) q^(−1/2): (rows).
    pub(super) fn power(self, q: f64) -> Vector<D, T> {
        let q = q as f32;
        let constant = (1.0 - q) * LOG_SQRT_TAU - 0.5 * q.ln();
        (self.log_std * (1.0 - q) + constant).sum_columns().exp()
    }

    /// ∫ p k^(q−1), k being the fixed distribution: with v = σ_k² + (q−1)σ²,
    /// Π (2πσ_k²)^((1−q)/2) (σ_k²/v)^(1/2) exp(−(q−1)(μ−μ_k)²/(2v)): (rows).
    pub(super) fn power_with(self, fixed: &DiagonalGaussian<D>, q: f64) -> Vector<D, T> {
        let r = (q - 1.0) as f32;
        let fixed_variance = (fixed.log_std.clone() * 2.0).exp();
        let v = (self.log_std * 2.0).exp() * r + fixed_variance;
        let distance = (self.mean - fixed.mean.clone()).square() * r / v.branch();
        let constant = fixed.log_std.clone() * (1.0 - r) - r * LOG_SQRT_TAU;
        ((distance + v.ln()) * -0.5 + constant).sum_columns().exp()
    }
}

/// Draws a vector and returns its log-density. Takes one normal number per dimension from `rng`.
pub(super) fn sample(mean: &[f32], log_std: &[f32], rng: &mut Stream, action: &mut [f32]) -> f32 {
    let mut log_prob = 0.0;
    for ((a, mean), log_std) in action.iter_mut().zip(mean).zip(log_std) {
        let noise: f32 = rng.sample(StandardNormal);
        *a = mean + log_std.exp() * noise;
        log_prob -= 0.5 * noise * noise + log_std + LOG_SQRT_TAU;
    }
    log_prob
}

/// Writes the mean, the most likely action, and returns its log-density.
pub(super) fn mode(mean: &[f32], log_std: &[f32], action: &mut [f32]) -> f32 {
    action.copy_from_slice(mean);
    -log_std.iter().map(|x| x + LOG_SQRT_TAU).sum::<f32>()
}

/// Multiplies a tangent of the mean by its Fisher information 1/σ², in place.
pub(super) fn fisher_product_mean(log_std: &[f32], mean: &mut [f32]) {
    for (u, log_std) in mean.iter_mut().zip(log_std) {
        *u *= (-2.0 * log_std).exp();
    }
}

/// The Fisher information of log σ, the same whatever the distribution is.
pub(super) const FISHER_LOG_STD: f32 = 2.0;

/// A number for the mean and one for log σ of one dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pair {
    pub(super) mean: f32,
    pub(super) log_std: f32,
}

/// log π(a) of one dimension.
pub(super) fn log_density(mean: f32, log_std: f32, action: f32) -> f32 {
    let z = (action - mean) * (-log_std).exp();
    -0.5 * z * z - log_std - LOG_SQRT_TAU
}

/// The derivatives of log π(a) of one dimension: z/σ and z² − 1, with z = (a − μ)/σ.
pub(super) fn score(mean: f32, log_std: f32, action: f32) -> Pair {
    let inverse = (-log_std).exp();
    let z = (action - mean) * inverse;
    Pair { mean: z * inverse, log_std: z * z - 1.0 }
}

/// The derivatives of these two along tangents of mean and log σ.
pub(super) fn curvature(mean: f32, log_std: f32, action: f32, [of_mean, of_log_std]: [f32; 2]) -> Pair {
    let inverse = (-log_std).exp();
    let z = (action - mean) * inverse;
    let z_tangent = -of_mean * inverse - z * of_log_std;
    Pair { mean: (z_tangent - z * of_log_std) * inverse, log_std: 2.0 * z * z_tangent }
}
