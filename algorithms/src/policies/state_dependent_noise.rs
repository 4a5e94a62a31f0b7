//! Generalised state-dependent exploration (gSDE), Raffin, Kober and Stulp 2021 (arXiv 2005.05719).
//!
//! Independent noise shakes an actuator at every step. Here the noise is a function of the state that
//! stays the same for several steps: with the features φ(s), the activations of the policy network's
//! last hidden layer,
//!
//! ```text
//! u = μ(s) + Eᵀ φ(s),   E_ij ~ N(0, exp(2 l_ij)),
//! ```
//!
//! where the matrix E (features × dimensions) is drawn anew every so many steps, one for each copy
//! of the environment, and the log standard deviations l are learned. Given the state alone u is
//! normal with independent dimensions of variance
//!
//! ```text
//! Σᵢ φᵢ(s)² exp(2 l_ij) + ε,
//! ```
//!
//! which is what losses see. ε = 1e-6 keeps the density finite where all features vanish; it is
//! Stable-Baselines3's and is not part of the noise itself.
//!
//! What a loss differentiates is here as an operation on tensors, what collects experience as
//! functions on host rows that allocate nothing.

use assay_environments::{
    parameters::{ParameterError, require},
    random::Stream,
};
use rand::Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::{DiagonalGaussian, diagonal_gaussian::LOG_SQRT_TAU};
use crate::{
    Checkpoint, Error, Mode,
    tensor::{Device, Matrix, MatrixOperations, Operations, Tape, Vector, VectorOperations, shape},
};

/// Added to the variance.
const VARIANCE_EPSILON: f32 = 1e-6;

/// The settings of state-dependent noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateDependentNoise {
    /// All log standard deviations l_ij at the start, from -20 to 2. Stable-Baselines3: 0 for
    /// on-policy learners, -3 for SAC.
    pub initial_log_std: f64,
    /// Steps of each copy of the environment after which its matrix is drawn anew, at least 1.
    /// They are counted from the start of a rollout, off-policy from the last round of gradient
    /// steps, where there is a new matrix in any case; absent: only there. Stable-Baselines3: absent.
    pub redraw_every: Option<u64>,
    /// Whether derivatives of the variance reach the features. Stable-Baselines3: no for on-policy
    /// learners, yes for SAC.
    #[serde(default)]
    pub learn_features: bool,
    /// What the mean is clipped to, above 0; absent for no bound. A mean beyond it has no gradient.
    /// Stable-Baselines3: absent for on-policy learners, 2 before squashing for SAC.
    pub mean_bound: Option<f64>,
}

impl StateDependentNoise {
    /// Errors when a setting is out of its range. `field` is the name under which the noise is
    /// configured.
    pub fn validate(&self, field: &str) -> Result<(), ParameterError> {
        let (log_std, steps) = (self.initial_log_std, self.redraw_every.unwrap_or(1));
        let name = format!("{field}.initial_log_std");
        require(&name, log_std, (-20.0..=2.0).contains(&log_std), "from -20 to 2")?;
        require(&format!("{field}.redraw_every"), steps, steps > 0, "at least 1")?;
        let bound = self.mean_bound.unwrap_or(1.0);
        require(&format!("{field}.mean_bound"), bound, bound > 0.0 && bound.is_finite(), "above 0")
    }

    /// A number of the mean, within the bound.
    fn clip(&self, mean: f32) -> f32 {
        self.mean_bound.map_or(mean, |bound| mean.clamp(-bound as f32, bound as f32))
    }

    /// Whether there is a new matrix before the step that follows `step` others.
    fn is_due(&self, step: u64) -> bool {
        step == 0 || self.redraw_every.is_some_and(|interval| step.is_multiple_of(interval))
    }

    /// The distributions of u in the states of a network's `outputs`, `width` means and then the
    /// features, for l (features × dimensions, flat).
    pub(super) fn gaussian<D: Device, T: Tape<D>>(
        &self,
        outputs: Matrix<D, T>,
        width: usize,
        entries: Vector<D, T>,
    ) -> DiagonalGaussian<D, T> {
        let (_, columns) = shape(&outputs);
        // The network's tape goes where its derivatives come from in every quantity: not all of
        // them use the mean, and constant features bring none.
        let (mean, features) = if self.learn_features {
            (outputs.branch().columns(0..width), outputs.columns(width..columns))
        } else {
            let features = outputs.branch().columns(width..columns).constant();
            (outputs.columns(0..width), features)
        };
        let mean = match self.mean_bound {
            Some(bound) => mean.clamp(-bound, bound),
            None => mean,
        };
        let variances = (entries * 2.0).exp().into_matrix(columns - width, width);
        let log_std = (features.square().product(variances) + VARIANCE_EPSILON).ln() * 0.5;
        DiagonalGaussian { mean, log_std }
    }
}

/// What acting in the copies of an environment needs from one step to the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exploration {
    /// The noise matrices: copies × features × dimensions. Empty before the first draw, and
    /// always for a policy whose noise has none.
    matrices: Vec<f32>,
    /// Memory of a step.
    #[serde(skip)]
    scratch: Vec<f32>,
}

impl Exploration {
    /// Draws matrices for `copies` copies where they are due before the step that follows `step`
    /// others of the same rollout or round.
    pub(super) fn draw(
        &mut self,
        noise: &StateDependentNoise,
        step: u64,
        copies: usize,
        entries: &[f32],
        rng: &mut Stream,
    ) {
        if !noise.is_due(step) && !self.matrices.is_empty() {
            return;
        }
        self.matrices.resize(copies * entries.len(), 0.0);
        for (i, log_std) in entries.iter().enumerate() {
            let deviation = log_std.exp();
            for x in self.matrices.iter_mut().skip(i).step_by(entries.len()) {
                *x = deviation * rng.sample::<f32, _>(StandardNormal);
            }
        }
    }

    /// Memory for acting without noise.
    pub fn scratch(&mut self) -> &mut Vec<f32> {
        &mut self.scratch
    }

    /// The matrices and the scratch memory.
    pub(super) fn parts(&mut self) -> (&[f32], &mut Vec<f32>) {
        (&self.matrices, &mut self.scratch)
    }

    /// Writes the matrices. `length` is how many numbers all of them have; 0 for a policy without,
    /// for which nothing is written.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when they cannot be stored.
    pub fn save(&self, checkpoint: &mut Checkpoint, length: usize) -> Result<(), Error> {
        if length > 0 { checkpoint.put_record("exploration", self) } else { Ok(()) }
    }

    /// Puts saved matrices back: those of a policy with matrices of `length` numbers in all.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when they are absent or do not fit.
    pub fn load(&mut self, checkpoint: &Checkpoint, length: usize) -> Result<(), Error> {
        if length == 0 {
            return Ok(());
        }
        let saved: Exploration = checkpoint.record("exploration")?;
        let given = saved.matrices.len();
        if given != 0 && given != length {
            let reason = format!("its noise matrices are {given} numbers; {length} are needed");
            return Err(Error::Checkpoint { reason });
        }
        self.matrices = saved.matrices;
        Ok(())
    }
}

/// What a row's action is made of.
pub(super) struct Row<'a> {
    pub(super) noise: &'a StateDependentNoise,
    /// μ(s), before it is clipped.
    pub(super) mean: &'a [f32],
    /// φ(s).
    pub(super) features: &'a [f32],
    /// exp(2 l): features × dimensions.
    pub(super) variances: &'a [f32],
    /// E, if the noise is that of an exploring copy; without it noise is drawn for this row alone.
    pub(super) matrix: Option<&'a [f32]>,
}

impl Row<'_> {
    /// Chooses an action and returns its log-density.
    pub(super) fn act(&self, mode: Mode, rng: &mut Stream, action: &mut [f32]) -> f32 {
        let mut log_prob = 0.0;
        for (j, a) in action.iter_mut().enumerate() {
            let log_std = 0.5 * self.variance(j).ln();
            let noise = match (mode, self.matrix) {
                (Mode::Greedy, _) => 0.0,
                (Mode::Sample, Some(matrix)) => {
                    self.features.iter().zip(self.column(matrix, j)).map(|(x, e)| x * e).sum()
                }
                (Mode::Sample, None) => log_std.exp() * rng.sample::<f32, _>(StandardNormal),
            };
            let scaled = noise * (-log_std).exp();
            *a = self.noise.clip(self.mean[j]) + noise;
            log_prob -= 0.5 * scaled * scaled + log_std + LOG_SQRT_TAU;
        }
        log_prob
    }

    /// The variance of dimension `j`.
    fn variance(&self, j: usize) -> f32 {
        let terms = self.features.iter().zip(self.column(self.variances, j));
        VARIANCE_EPSILON + terms.map(|(x, v)| x * x * v).sum::<f32>()
    }

    fn column<'a>(&self, matrix: &'a [f32], j: usize) -> impl Iterator<Item = &'a f32> {
        matrix[j..].iter().step_by(self.mean.len())
    }

    /// Products with the Fisher information: turns the tangents of the mean and the features into
    /// what is pulled back to them, and adds to `entries` what arrives at l, for a tangent
    /// `direction` of l. `spread` has room for one number per dimension.
    pub(super) fn fisher_product(
        &self,
        (mean, features): (&mut [f32], &mut [f32]),
        direction: &[f32],
        spread: &mut [f32],
        entries: &mut [f32],
    ) {
        // d log σ_j = Σᵢ wᵢⱼ φᵢ (φᵢ dlᵢⱼ + dφᵢ)/σ_j², with the Fisher information 2 of log σ.
        let width = mean.len();
        for (j, (spread, u)) in spread.iter_mut().zip(mean).enumerate() {
            let terms = self.features.iter().zip(&*features).zip(self.column(self.variances, j));
            let terms = terms.zip(self.column(direction, j)).map(|(((x, dx), w), dl)| {
                let through_features = if self.noise.learn_features { *dx } else { 0.0 };
                w * x * (x * dl + through_features)
            });
            let variance = self.variance(j);
            *spread = 2.0 * terms.sum::<f32>() / (variance * variance);
            *u *= if self.noise.clip(self.mean[j]) == self.mean[j] { 1.0 / variance } else { 0.0 };
        }
        let rows = self.variances.chunks_exact(width).zip(entries.chunks_exact_mut(width));
        for ((x, u), (variances, entries)) in self.features.iter().zip(features).zip(rows) {
            let mut arrived = 0.0;
            for ((w, spread), entry) in variances.iter().zip(&*spread).zip(entries) {
                *entry += w * x * x * spread;
                arrived += w * x * spread;
            }
            *u = if self.noise.learn_features { arrived } else { 0.0 };
        }
    }
}

/// exp(2 l), elementwise.
pub(super) fn variances(entries: &[f32], variances: &mut [f32]) {
    variances.iter_mut().zip(entries).for_each(|(variance, l)| *variance = (2.0 * l).exp());
}

#[cfg(test)]
mod tests;
