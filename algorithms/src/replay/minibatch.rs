//! A sample of transitions on a device.

use crate::{
    Error,
    replay::TransitionBatch,
    tensor::{Device, Matrix, Vector},
};

/// What a gradient step learns from.
#[derive(Clone, Debug)]
pub struct Minibatch<D: Device> {
    /// s. Shape: transitions × features.
    pub observations: Matrix<D>,
    /// a. Shape: transitions × numbers of an action.
    pub actions: Matrix<D>,
    /// (s, a), as critics take it. Shape: transitions × (features + numbers of an action).
    pub state_actions: Matrix<D>,
    /// r.
    pub rewards: Vector<D>,
    /// s′. Shape: transitions × features.
    pub next_observations: Matrix<D>,
    /// d: 1 where the task was over, else 0.
    pub terminated: Vector<D>,
}

impl<D: Device> Minibatch<D> {
    /// Copies a sample to `device`. The sample must not be empty.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn upload(device: &D, batch: &TransitionBatch) -> Result<Self, Error> {
        let rows = batch.len();
        let matrix = |values: &[f32]| device.matrix(values, rows, values.len() / rows);
        Ok(Minibatch {
            observations: matrix(&batch.observations)?,
            actions: matrix(&batch.actions)?,
            state_actions: matrix(&batch.state_actions)?,
            rewards: device.vector(&batch.rewards)?,
            next_observations: matrix(&batch.next_observations)?,
            terminated: device.vector(&batch.terminated)?,
        })
    }

    /// The one-step target r + γ (1 − d) V(s′), with γ = `discount` and V(s′) = `next_values`.
    pub fn targets(&self, discount: f64, next_values: Vector<D>) -> Vector<D> {
        let discount = discount as f32;
        next_values * (self.terminated.clone() * -discount + discount) + self.rewards.clone()
    }
}
