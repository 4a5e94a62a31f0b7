//! Rollouts in shuffled parts.

use assay_environments::random::{Seed, Stream};
use rand::seq::SliceRandom;

use super::Rollout;
use crate::{Checkpoint, Error};

/// The order in which the rows of a rollout are visited.
#[derive(Clone, Debug)]
pub struct MinibatchOrder {
    rows: Vec<usize>,
    stream: Stream,
}

impl MinibatchOrder {
    /// An order over `rows` rows; it is drawn from the stream `"minibatch order"` of `seed`.
    pub fn new(rows: usize, seed: Seed) -> Self {
        MinibatchOrder { rows: (0..rows).collect(), stream: seed.stream("minibatch order") }
    }

    /// A new uniformly random order, in parts of `size` rows; the last part may be smaller.
    pub fn shuffled(&mut self, size: usize) -> std::slice::Chunks<'_, usize> {
        // From the same start every time, so that the generator is all there is to save.
        self.rows.iter_mut().enumerate().for_each(|(i, row)| *row = i);
        self.rows.shuffle(&mut self.stream);
        self.rows.chunks(size)
    }

    /// Stores the generator's state.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when it cannot be stored.
    pub fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        checkpoint.put_record("minibatch_order", &self.stream)
    }

    /// Puts a saved state back.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when it is absent or cannot be read.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.stream = checkpoint.record("minibatch_order")?;
        Ok(())
    }
}

/// Some rows of a rollout, gathered into buffers that are reused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Minibatch {
    /// How many rows there are.
    pub rows: usize,
    /// Rows × observation features.
    pub observations: Vec<f32>,
    /// Rows × action features.
    pub actions: Vec<f32>,
    /// Log-probabilities under the behaviour policy.
    pub log_probs: Vec<f32>,
    /// Advantage estimates.
    pub advantages: Vec<f32>,
    /// Value targets.
    pub returns: Vec<f32>,
    /// Values before the update.
    pub values: Vec<f32>,
}

impl Minibatch {
    /// Copies these rows of `rollout`.
    pub fn gather(&mut self, rollout: &Rollout, rows: &[usize]) {
        self.rows = rows.len();
        gather(&rollout.observations, rollout.observation_features(), rows, &mut self.observations);
        gather(&rollout.actions, rollout.action_features(), rows, &mut self.actions);
        gather(&rollout.log_probs, 1, rows, &mut self.log_probs);
        gather(&rollout.advantages, 1, rows, &mut self.advantages);
        gather(&rollout.returns, 1, rows, &mut self.returns);
        gather(&rollout.values, 1, rows, &mut self.values);
    }
}

fn gather(source: &[f32], width: usize, rows: &[usize], target: &mut Vec<f32>) {
    target.clear();
    for &row in rows {
        target.extend_from_slice(&source[row * width..][..width]);
    }
}
