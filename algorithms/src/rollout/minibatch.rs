//! Rollouts in shuffled parts.

use std::ops::Range;

use assay_environments::random::{Seed, Stream};
use rand::seq::SliceRandom;

use super::Rollout;
use crate::{Checkpoint, Error};

/// The order in which the rows of a rollout are visited.
#[derive(Clone, Debug)]
pub struct MinibatchOrder {
    /// What it is called in checkpoints.
    name: &'static str,
    rows: Vec<usize>,
    stream: Stream,
}

impl MinibatchOrder {
    /// Orders drawn from the stream `"minibatch order"` of `seed`.
    pub fn new(seed: Seed) -> Self {
        MinibatchOrder { name: "minibatch_order", rows: Vec::new(), stream: seed.stream("minibatch order") }
    }

    /// Orders drawn from the stream `"behaviour minibatch order"` of `seed`: for a behaviour policy
    /// that is trained beside the learner's own.
    pub fn of_behaviour(seed: Seed) -> Self {
        MinibatchOrder {
            name: "behaviour_minibatch_order",
            rows: Vec::new(),
            stream: seed.stream("behaviour minibatch order"),
        }
    }

    /// A new uniformly random order of `rows` in parts of `size`; the last part may be smaller.
    pub fn shuffled(&mut self, rows: Range<usize>, size: usize) -> std::slice::Chunks<'_, usize> {
        // From the same start every time, so that the generator is all there is to save.
        self.rows.clear();
        self.rows.extend(rows);
        self.rows.shuffle(&mut self.stream);
        self.rows.chunks(size)
    }

    /// Stores the generator's state.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when it cannot be stored.
    pub fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        checkpoint.put_record(self.name, &self.stream)
    }

    /// Puts a saved state back.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when it is absent or cannot be read.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.stream = checkpoint.record(self.name)?;
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
