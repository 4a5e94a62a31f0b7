//! The rollouts that an iteration learns from: the newest and some before it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, Error,
    rollout::Rollout,
    tensor::{Device, Matrix, Vector},
};

/// One rollout, as it was when it was collected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Chunk {
    /// Rows × observation features.
    pub(super) observations: Vec<f32>,
    /// What the second critic sees: rows × its features; empty where there is none.
    pub(super) second_observations: Vec<f32>,
    /// Rows × action features.
    pub(super) actions: Vec<f32>,
    /// Of every part of the actions, or of the whole: parts of (rows).
    pub(super) log_probs: Vec<Vec<f32>>,
    pub(super) advantages: Vec<f32>,
    pub(super) returns: Vec<f32>,
    /// Empty where there is no second critic.
    pub(super) second_returns: Vec<f32>,
}

/// The newest chunks, the oldest first.
#[derive(Clone, Debug)]
pub(super) struct Chunks {
    most: usize,
    chunks: VecDeque<Chunk>,
}

/// All chunks on the device, row after row.
pub(super) struct Experience<D: Device> {
    pub(super) rows: usize,
    pub(super) observations: Matrix<D>,
    /// Absent where there is no second input.
    pub(super) second_observations: Option<Matrix<D>>,
    pub(super) actions: Matrix<D>,
    pub(super) log_probs: Vec<Vector<D>>,
    pub(super) advantages: Vector<D>,
    pub(super) returns: Vector<D>,
    /// Without meaning where there is no second critic.
    pub(super) second_returns: Vector<D>,
}

impl Chunks {
    /// None yet, of at most so many.
    pub(super) fn new(most: usize) -> Self {
        Chunks { most, chunks: VecDeque::new() }
    }

    /// Takes in a new chunk; the oldest goes where there are too many.
    pub(super) fn push(&mut self, chunk: Chunk) {
        if self.chunks.len() == self.most {
            self.chunks.pop_front();
        }
        self.chunks.push_back(chunk);
    }

    /// Everything that is kept, of chunks that have `chunk_rows` rows each.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub(super) fn experience<D: Device>(
        &self,
        device: &D,
        chunk_rows: usize,
    ) -> Result<Experience<D>, Error> {
        let rows = chunk_rows * self.chunks.len();
        let column = |of: &dyn Fn(&Chunk) -> &[f32]| -> Vec<f32> {
            self.chunks.iter().flat_map(|chunk| of(chunk).iter().copied()).collect()
        };
        let matrix = |of: &dyn Fn(&Chunk) -> &[f32]| {
            let numbers = column(of);
            device.matrix(&numbers, rows, numbers.len() / rows)
        };
        let vector = |of: &dyn Fn(&Chunk) -> &[f32]| device.vector(&column(of));
        let newest = self.chunks.back();
        let parts = newest.map_or(0, |chunk| chunk.log_probs.len());
        let second = newest.is_some_and(|chunk| !chunk.second_observations.is_empty());
        Ok(Experience {
            rows,
            observations: matrix(&|chunk| &chunk.observations)?,
            second_observations: second.then(|| matrix(&|chunk| &chunk.second_observations)).transpose()?,
            actions: matrix(&|chunk| &chunk.actions)?,
            log_probs: (0..parts)
                .map(|part| vector(&|chunk| &chunk.log_probs[part]))
                .collect::<Result<_, _>>()?,
            advantages: vector(&|chunk| &chunk.advantages)?,
            returns: vector(&|chunk| &chunk.returns)?,
            second_returns: vector(&|chunk| &chunk.second_returns)?,
        })
    }

    /// Stores all chunks.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when they cannot be stored.
    pub(super) fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        checkpoint.put_record("chunks", &self.chunks)
    }

    /// Reads saved chunks, which must be of the form of `rollout`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when they are absent, too many, or of another form.
    pub(super) fn read(&self, checkpoint: &Checkpoint, rollout: &Rollout) -> Result<Self, Error> {
        let chunks: VecDeque<Chunk> = checkpoint.record("chunks")?;
        let rows = rollout.len();
        let fits = |chunk: &Chunk| {
            let second = [0, rows].contains(&chunk.second_returns.len());
            chunk.observations.len() == rollout.observations.len()
                && chunk.actions.len() == rollout.actions.len()
                && [chunk.advantages.len(), chunk.returns.len()] == [rows; 2]
                && !chunk.log_probs.is_empty()
                && chunk.log_probs.iter().all(|part| part.len() == rows)
                && chunk.second_observations.len().is_multiple_of(rows)
                && second
        };
        if chunks.len() > self.most || !chunks.iter().all(fits) {
            let reason = format!("its {} chunks of experience have another form", chunks.len());
            return Err(Error::Checkpoint { reason });
        }
        Ok(Chunks { most: self.most, chunks })
    }
}
