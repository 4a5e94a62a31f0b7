//! Acting on the least of several models' values.

use assay_environments::random::Stream;

use super::static_agent::{Scratch, StaticAgent};
use crate::{Mode, policies::SquashedPolicy, tensor::Device};

/// The policy of a list of solved models.
///
/// In s it plays π_{j*}(s) with j* = argmin_j Q_j(s, π_j(s)) among the models that are valid: those whose
/// prediction of s from the step before is off by at most ρ, ‖T̂_j(s_{t−1}, a_{t−1}) − s‖₁ ≤ ρ. At the start of
/// an episode all are. Where none is valid it plays the default policy.
pub struct RobustPolicy<'a, D: Device> {
    /// The solved models; where there are none the default policy acts.
    pub members: &'a [StaticAgent<D>],
    /// What acts where no model is valid.
    pub default: &'a SquashedPolicy<D>,
    /// ρ, in the L1 norm of observations.
    pub threshold: f64,
    /// Numbers of an action.
    pub width: usize,
}

/// The steps before the ones to act in.
#[derive(Clone, Copy, Debug)]
pub struct Before<'a> {
    /// s_{t−1} and a_{t−1}, on [−1, 1], beside each other (rows × [features, width]).
    pub state_actions: &'a [f32],
    /// Whether there was such a step in the episode, one per row.
    pub known: &'a [bool],
}

/// Buffers that are reused from call to call, and what was chosen.
#[derive(Clone, Debug, Default)]
pub struct Buffers {
    scratch: Scratch,
    actions: Vec<f32>,
    values: Vec<f32>,
    errors: Vec<f32>,
    /// The least value of any valid model, one per row; infinite where there is none.
    pub least: Vec<f32>,
    /// The model that acts, one per row; `None` where the default policy does.
    pub chosen: Vec<Option<usize>>,
}

impl<D: Device> RobustPolicy<'_, D> {
    /// Chooses actions on [−1, 1] (rows × width) for observations (rows × features).
    pub fn act(
        &self,
        observations: &[f32],
        before: Option<Before<'_>>,
        mode: Mode,
        rng: &mut Stream,
        buffers: &mut Buffers,
        actions: &mut [f32],
    ) {
        let width = self.width;
        let rows = actions.len() / width;
        let Buffers { scratch, actions: own, values, errors, least, chosen } = buffers;
        self.default.act(observations, mode, rng, &mut Vec::new(), actions);
        own.resize(actions.len(), 0.0);
        values.resize(rows, 0.0);
        errors.clear();
        errors.resize(rows, 0.0);
        least.clear();
        least.resize(rows, f32::INFINITY);
        chosen.clear();
        chosen.resize(rows, None);
        for (j, member) in self.members.iter().enumerate() {
            member.act(observations, mode, rng, scratch, own, values);
            if let Some(before) = before {
                member.surprise(before.state_actions, observations, scratch, errors);
            }
            for row in 0..rows {
                let known = before.is_some_and(|before| before.known[row]);
                let valid = !known || f64::from(errors[row]) <= self.threshold;
                if valid && values[row] < least[row] {
                    least[row] = values[row];
                    chosen[row] = Some(j);
                    actions[row * width..][..width].copy_from_slice(&own[row * width..][..width]);
                }
            }
        }
    }
}
