//! Rollouts in shuffled parts.

use assay_environments::random::{Seed, Stream};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{Rollout, standardise};

/// The order in which the rows of a rollout are visited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        self.rows.shuffle(&mut self.stream);
        self.rows.chunks(size)
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

    /// Standardises the advantages over these rows alone.
    pub fn standardise_advantages(&mut self) {
        standardise(&mut self.advantages);
    }
}

fn gather(source: &[f32], width: usize, rows: &[usize], target: &mut Vec<f32>) {
    target.clear();
    for &row in rows {
        target.extend_from_slice(&source[row * width..][..width]);
    }
}
