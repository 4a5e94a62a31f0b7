//! The contract of an algorithm.

use assay_environments::{Actions, BatchedEnvironment, BatchedStep, Episode, random::Stream};

use crate::{Checkpoint, Error};

/// An algorithm at work on an environment.
///
/// The learner owns its environments and everything else that its future depends on. Its state is
/// complete: [`save`](Self::save), kill, build anew from the same configuration,
/// [`load`](Self::load) and continue gives, byte for byte, what an uninterrupted run gives.
///
/// A learner by name stays on the thread that made it, because a CUDA device's handles do. Runs in
/// parallel each make their own.
pub trait Learner {
    /// One iteration of the paper's outer loop, and what happened in it.
    fn advance(&mut self) -> Result<Report, Error>;

    /// Environment steps taken so far, over all copies. The budget of a run is counted in these.
    fn steps(&self) -> u64;

    /// Chooses an action for each row of `observations` (rows × features), without changing what
    /// is learned. Randomness comes from `rng` alone.
    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error>;

    /// As [`act`](Self::act) within running episodes, for policies that depend on what happened in the
    /// step before. Most do not, and act as [`act`](Self::act) does.
    fn act_after(
        &self,
        _previous: &PreviousStep,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        self.act(observations, mode, rng, actions)
    }

    /// Writes the complete state.
    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error>;

    /// Puts a saved state back into a learner that was built from the same configuration.
    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error>;
}

/// The step before the one to act in, row by row. Whoever plays episodes keeps it up to date.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviousStep {
    /// What was observed (rows × features).
    pub observations: Vec<f32>,
    /// What was done.
    pub actions: Actions,
    /// Whether there was such a step in the same episode.
    pub known: Vec<bool>,
}

impl PreviousStep {
    /// Nothing has happened yet in any copy of `environment`.
    pub fn none(environment: &dyn BatchedEnvironment) -> Self {
        let copies = environment.copies();
        PreviousStep {
            observations: vec![0.0; copies * environment.observation_space().features()],
            actions: Actions::zeros(environment.action_space(), copies),
            known: vec![false; copies],
        }
    }

    /// `actions` are about to be taken in `observations` (rows × features).
    pub fn begin(&mut self, observations: &[f32], actions: &Actions) {
        self.observations.copy_from_slice(observations);
        self.actions.clone_from(actions);
    }

    /// They led to `step`.
    pub fn end(&mut self, step: &BatchedStep) {
        for (row, known) in self.known.iter_mut().enumerate() {
            *known = !(step.terminated[row] || step.truncated[row]);
        }
    }
}

/// How a policy is turned into an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Draw from the policy, as in training.
    Sample,
    /// The distribution's mode: the most likely action, or the mean.
    Greedy,
}

/// What happened in one iteration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Named measurements. An algorithm reports the same names in the same order every time; the
    /// meaning of each stands on its page. A value that does not exist in this iteration is NaN.
    pub metrics: Vec<(&'static str, f64)>,
    /// The training episodes that ended in this iteration, in order.
    pub episodes: Vec<Episode>,
}

/// Means of named measurements over an iteration.
pub(crate) struct Means<const N: usize> {
    names: [&'static str; N],
    sums: [f64; N],
    counts: [u32; N],
}

impl<const N: usize> Means<N> {
    /// No measurements yet of what is called `names`.
    pub(crate) fn new(names: [&'static str; N]) -> Self {
        Means { names, sums: [0.0; N], counts: [0; N] }
    }

    /// Adds a measurement of `name`, one of the names.
    pub(crate) fn add(&mut self, name: &'static str, value: f32) {
        let index = self.names.iter().position(|known| *known == name);
        let index = index.unwrap_or_else(|| unreachable!("`{name}` is not among {:?}", self.names));
        self.sums[index] += f64::from(value);
        self.counts[index] += 1;
    }

    /// Adds the mean of `values` as a measurement of `name`.
    pub(crate) fn add_mean(&mut self, name: &'static str, values: &[f32]) {
        self.add(name, values.iter().sum::<f32>() / values.len() as f32);
    }

    /// The means in the order of the names; NaN where nothing was measured.
    pub(crate) fn metrics(&self) -> Vec<(&'static str, f64)> {
        let means = self.sums.iter().zip(&self.counts).map(|(sum, count)| sum / f64::from(*count));
        self.names.into_iter().zip(means).collect()
    }
}
