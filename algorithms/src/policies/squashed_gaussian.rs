//! The tanh-squashed Gaussian policy of soft actor-critic.
//!
//! Haarnoja et al. 2018a (arXiv 1801.01290), appendix C. A network maps a state to the mean μ and
//! the log standard deviation of a diagonal Gaussian; the action is
//!
//! ```text
//! a = tanh(u),  u = μ + σ ε,  ε ~ N(0, I),
//! log π(a|s) = Σᵢ [ log N(uᵢ; μᵢ, σᵢ) − log(1 − tanh² uᵢ) ].
//! ```
//!
//! Actions are normalised: they lie in [−1, 1], and [`ActionBox`](super::ActionBox) scales them to
//! an environment's box. The logarithm of the slope of tanh is calculated as
//!
//! ```text
//! log(1 − tanh² u) = 2 (log 2 − u − softplus(−2u)),
//! ```
//!
//! which is exact in the tails, where 1 − tanh² u itself is rounded to zero. Densities are taken at
//! the pre-squash value u and not at a, from which u cannot be recovered there.
//!
//! What a learner differentiates is here as operations on tensors; what collects experience is here
//! as functions on host rows that allocate nothing. Both read the same network outputs: a row holds
//! the `width` means, then the `width` raw log standard deviations.

use std::f32::consts::{LN_2, PI};

use assay_environments::random::Stream;
use rand::Rng;
use rand_distr::StandardNormal;

use crate::tensor::{Device, Matrix, MatrixOperations, NoTape, Operations, Tape, shape};

/// The smallest log standard deviation; the raw output is clipped to it.
pub const LOG_STD_MIN: f32 = -20.0;
/// The largest log standard deviation.
pub const LOG_STD_MAX: f32 = 2.0;

/// The distributions over actions of a batch of states.
#[derive(Clone, Debug)]
pub struct SquashedGaussian<D: Device, T: Tape<D> = NoTape> {
    /// Means of the Gaussian, before squashing. Shape: rows × width.
    pub mean: Matrix<D, T>,
    /// Logarithms of its standard deviations, clipped. Shape: rows × width.
    pub log_std: Matrix<D, T>,
}

/// Actions drawn from a [`SquashedGaussian`], differentiable in its parameters.
///
/// The tape that leads to the parameters is carried by the actions. The other two are
/// [branches](Operations::branch) of the same calculation: a loss that uses them must use the
/// actions, too.
#[derive(Clone, Debug)]
pub struct Sample<D: Device, T: Tape<D> = NoTape> {
    /// The actions, in [−1, 1]. Shape: rows × width.
    pub actions: Matrix<D, T>,
    /// The values before squashing, at which densities are taken. Shape: rows × width.
    pub pre_squash: Matrix<D, T>,
    /// The log-density of each action's each dimension; their sum over a row is log π(a|s). Shape:
    /// rows × width.
    pub log_probs: Matrix<D, T>,
}

impl<D: Device, T: Tape<D>> SquashedGaussian<D, T> {
    /// The distributions that the network's `outputs` (rows × 2 width) describe.
    pub fn from_outputs(outputs: Matrix<D, T>) -> Self {
        let (_, columns) = shape(&outputs);
        let width = columns / 2;
        let log_std = outputs.branch().columns(width..2 * width).clamp(LOG_STD_MIN, LOG_STD_MAX);
        SquashedGaussian { mean: outputs.columns(0..width), log_std }
    }

    /// Draws one action per row by reparametrisation: `noise` (rows × width) is standard normal.
    pub fn rsample(self, noise: Matrix<D>) -> Sample<D, T> {
        let SquashedGaussian { mean, log_std } = self;
        // log N(u; μ, σ) with (u − μ)/σ = ε: nothing of it but log σ depends on the parameters.
        let normal = log_std.branch().negate() - (noise.clone().square() + (2.0 * PI).ln()) * 0.5;
        let pre_squash = mean + log_std.exp() * noise;
        let log_probs = normal - log_slope(pre_squash.branch());
        Sample { pre_squash: pre_squash.branch(), actions: pre_squash.tanh(), log_probs }
    }
}

impl<D: Device> SquashedGaussian<D> {
    /// The log-density of each dimension at the actions tanh(`pre_squash`) (rows × width),
    /// differentiable in `pre_squash`.
    pub fn log_probs<T: Tape<D>>(&self, pre_squash: Matrix<D, T>) -> Matrix<D, T> {
        let log_slope = log_slope(pre_squash.branch());
        let deviations = (pre_squash - self.mean.clone()) / self.log_std.clone().exp();
        let normal = (deviations.square() + (2.0 * PI).ln()) * -0.5 - self.log_std.clone();
        normal - log_slope
    }
}

/// log(1 − tanh² u), elementwise.
fn log_slope<D: Device, T: Tape<D>>(pre_squash: Matrix<D, T>) -> Matrix<D, T> {
    let softplus = (pre_squash.branch() * -2.0).softplus();
    (pre_squash + softplus - LN_2) * -2.0
}

/// Fills a buffer with standard normal numbers.
pub fn fill_normal(rng: &mut Stream, noise: &mut [f32]) {
    noise.iter_mut().for_each(|x| *x = rng.sample(StandardNormal));
}

/// Draws an action in [−1, 1] for each row of network outputs (rows × 2 width) into `actions`
/// (rows × width).
pub fn sample(outputs: &[f32], width: usize, rng: &mut Stream, actions: &mut [f32]) {
    for (output, action) in outputs.chunks_exact(2 * width).zip(actions.chunks_exact_mut(width)) {
        let (mean, log_std) = output.split_at(width);
        for ((a, mean), log_std) in action.iter_mut().zip(mean).zip(log_std) {
            let noise: f32 = rng.sample(StandardNormal);
            *a = (mean + log_std.clamp(LOG_STD_MIN, LOG_STD_MAX).exp() * noise).tanh();
        }
    }
}

/// The action tanh(μ) for each row of network outputs (rows × 2 width), into `actions` (rows ×
/// width). It is the median of every dimension, and what an evaluation of the deterministic policy
/// uses.
pub fn squashed_mean(outputs: &[f32], width: usize, actions: &mut [f32]) {
    for (output, action) in outputs.chunks_exact(2 * width).zip(actions.chunks_exact_mut(width)) {
        action.iter_mut().zip(output).for_each(|(a, mean)| *a = mean.tanh());
    }
}
