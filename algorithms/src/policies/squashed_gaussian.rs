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

use super::DiagonalGaussian;
use crate::tensor::{Device, Matrix, MatrixOperations, NoTape, Operations, Tape, Vector, shape};

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

    /// The same distributions with empty tapes, for use at a second place of one calculation.
    pub fn branch(&self) -> Self {
        SquashedGaussian { mean: self.mean.branch(), log_std: self.log_std.branch() }
    }

    /// KL(`fixed`, self) in closed form: (rows). Squashing is invertible, so it is the divergence of
    /// the Gaussians.
    pub fn kl_from(self, fixed: &SquashedGaussian<D>) -> Vector<D, T> {
        let fixed = DiagonalGaussian { mean: fixed.mean.clone(), log_std: fixed.log_std.clone() };
        DiagonalGaussian { mean: self.mean, log_std: self.log_std }.kl_from(&fixed)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Cpu, Record, backward, gradient_of};
    use assay_environments::random::Seed;
    use proptest::prelude::*;

    fn column(device: &Cpu, values: &[f32]) -> Matrix<Cpu> {
        device.matrix(values, values.len(), 1).unwrap()
    }

    /// One-dimensional distributions with the same parameters, one per row.
    fn repeated(device: &Cpu, mean: f32, log_std: f32, rows: usize) -> SquashedGaussian<Cpu> {
        SquashedGaussian::from_outputs(device.matrix(&[mean, log_std].repeat(rows), rows, 2).unwrap())
    }

    /// log N(u; μ, σ) − log(1 − tanh² u), in double precision and with the slope as written.
    fn reference(mean: f64, log_std: f64, u: f64) -> f64 {
        let deviation = (u - mean) / log_std.exp();
        let normal = -0.5 * deviation * deviation - log_std - 0.5 * (2.0 * std::f64::consts::PI).ln();
        normal - (1.0 - u.tanh().powi(2)).ln()
    }

    #[test]
    fn densities_integrate_to_one_over_the_box() {
        let device = Cpu::open().unwrap();
        let cells = 20_000;
        let pre_squash: Vec<f32> =
            (0..cells).map(|i| (-1.0 + (2.0 * i as f64 + 1.0) / cells as f64).atanh() as f32).collect();
        for (mean, log_std) in [(0.0, -1.0), (0.7, -1.0), (-1.5, -0.5), (0.2, -3.0), (2.0, -2.0)] {
            let distribution = repeated(&device, mean, log_std, cells);
            let log_probs = distribution.log_probs(column(&device, &pre_squash)).to_host();
            let total: f64 = log_probs.iter().map(|l| f64::from(*l).exp() * 2.0 / cells as f64).sum();
            assert!((total - 1.0).abs() < 2e-4, "mean {mean}, log std {log_std}: {total}");
        }
    }

    proptest! {
        #[test]
        fn log_probs_are_the_change_of_variables_in_double_precision(
            mean in -3.0_f32..3.0, log_std in -4.0_f32..1.0, noise in -3.0_f32..3.0,
        ) {
            let device = Cpu::open().unwrap();
            let sample = repeated(&device, mean, log_std, 1).rsample(column(&device, &[noise]));
            let (mean, log_std, noise) = (f64::from(mean), f64::from(log_std), f64::from(noise));
            let u = mean + log_std.exp() * noise;
            // Beyond, 1 − tanh² u has lost its digits even in double precision.
            prop_assume!(u.abs() < 12.0);
            let expected = reference(mean, log_std, u);
            let found = f64::from(sample.log_probs.to_host()[0]);
            prop_assert!((found - expected).abs() < 2e-5 * (1.0 + expected.abs()), "{found}, {expected}");
            let action = f64::from(sample.actions.to_host()[0]);
            prop_assert!((action - u.tanh()).abs() < 1e-6);
        }

        /// With the noise ε held fixed: d log π/dμ = 2 tanh u, d log π/d log σ = −1 + 2 tanh u · σ ε.
        #[test]
        fn gradients_agree_with_finite_differences_of_the_double_precision_reference(
            mean in -2.0_f64..2.0, log_std in -2.0_f64..0.5, noise in -2.0_f64..2.0, weight in -2.0_f64..2.0,
        ) {
            let value = |mean: f64, log_std: f64| {
                let u = mean + log_std.exp() * noise;
                reference(mean, log_std, u) + weight * u.tanh()
            };
            let h = 1e-4;
            let expected = [
                (value(mean + h, log_std) - value(mean - h, log_std)) / (2.0 * h),
                (value(mean, log_std + h) - value(mean, log_std - h)) / (2.0 * h),
            ];
            let device = Cpu::open().unwrap();
            let outputs = device.matrix(&[mean as f32, log_std as f32], 1, 2).unwrap();
            let sample = SquashedGaussian::from_outputs(outputs.clone().recorded())
                .rsample(column(&device, &[noise as f32]));
            let loss = (sample.log_probs + sample.actions * weight as f32).sum_all();
            let (_, mut gradients) = backward(loss, "loss").unwrap();
            for (found, expected) in gradient_of(&mut gradients, &outputs).unwrap().iter().zip(expected) {
                prop_assert!((f64::from(*found) - expected).abs() < 1e-4, "{found}, {expected}");
            }
        }

        #[test]
        fn any_network_output_gives_finite_densities_and_gradients(
            mean in -1e4_f32..1e4, log_std in -1e4_f32..1e4, noise in -6.0_f32..6.0,
        ) {
            let device = Cpu::open().unwrap();
            let outputs = device.matrix(&[mean, log_std], 1, 2).unwrap();
            let sample = SquashedGaussian::from_outputs(outputs.clone().recorded())
                .rsample(column(&device, &[noise]));
            prop_assert!(sample.log_probs.to_host()[0].is_finite());
            prop_assert!(sample.actions.to_host()[0].abs() <= 1.0);
            let (_, mut gradients) = backward((sample.log_probs + sample.actions).sum_all(), "loss").unwrap();
            let gradient = gradient_of(&mut gradients, &outputs).unwrap();
            prop_assert!(gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
            if !(LOG_STD_MIN..=LOG_STD_MAX).contains(&log_std) {
                prop_assert_eq!(gradient[1], 0.0, "outside its bounds log σ is a constant");
            }
        }

        #[test]
        fn the_density_of_a_drawn_action_is_the_same_either_way(
            mean in -3.0_f32..3.0, log_std in -3.0_f32..1.0, noise in -3.0_f32..3.0,
        ) {
            let device = Cpu::open().unwrap();
            let distribution = repeated(&device, mean, log_std, 1);
            let sample = distribution.clone().rsample(column(&device, &[noise]));
            let again = distribution.log_probs(sample.pre_squash).to_host()[0];
            let drawn = sample.log_probs.to_host()[0];
            prop_assert!((again - drawn).abs() < 1e-4 * (1.0 + drawn.abs()), "{again}, {drawn}");
        }
    }

    #[test]
    fn the_slope_of_tanh_keeps_its_digits_in_the_tails() {
        let device = Cpu::open().unwrap();
        for u in [-60.0_f32, -30.0, 30.0, 60.0] {
            let found = log_slope(column(&device, &[u])).to_host()[0];
            let expected = 2.0 * (std::f64::consts::LN_2 - f64::from(u.abs()));
            assert!((f64::from(found) - expected).abs() < 1e-5 * expected.abs(), "{u}: {found}");
        }
    }

    #[test]
    fn host_and_device_draw_the_same_actions_from_the_same_stream() {
        let device = Cpu::open().unwrap();
        let (rows, width) = (5, 3);
        let mut rng = Seed::new(3).stream("test");
        let mut outputs = vec![0.0; rows * 2 * width];
        fill_normal(&mut rng, &mut outputs);
        let mut noise = vec![0.0; rows * width];
        let mut on_host = vec![0.0; rows * width];
        sample(&outputs, width, &mut rng.clone(), &mut on_host);
        fill_normal(&mut rng, &mut noise);
        let distribution = SquashedGaussian::from_outputs(device.matrix(&outputs, rows, 2 * width).unwrap());
        let on_device = distribution.rsample(device.matrix(&noise, rows, width).unwrap());
        for (a, b) in on_host.iter().zip(on_device.actions.to_host()) {
            assert!((a - b).abs() < 1e-6, "{a}, {b}");
        }
    }

    #[test]
    fn the_divergence_of_two_policies_is_the_mean_log_ratio_of_the_fixed_ones_actions() {
        let device = Cpu::open().unwrap();
        let draws = 200_000;
        let mut noise = vec![0.0; draws];
        fill_normal(&mut Seed::new(4).stream("test"), &mut noise);
        let fixed = repeated(&device, 0.3, -0.5, draws);
        let other = repeated(&device, -0.1, -0.2, draws);
        let sample = fixed.clone().rsample(column(&device, &noise));
        let log_ratio = sample.log_probs - other.log_probs(sample.pre_squash);
        let estimate = log_ratio.mean_all().to_host()[0];
        let closed = other.kl_from(&fixed).to_host()[0];
        assert!((closed - estimate).abs() < 5e-3, "{closed}, {estimate}");
        assert_eq!(fixed.clone().kl_from(&fixed).to_host()[0], 0.0);
    }
}
