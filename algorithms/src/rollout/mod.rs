//! On-policy experience.
//!
//! A [`Collector`] owns the environments and lets a behaviour policy act in them for a fixed number
//! of steps; a [`Rollout`] holds what came of it, in flat buffers that are filled anew every
//! iteration. Values and advantages are a second pass over the finished rollout: the value
//! function sees all its states at once, and a learner that keeps old rollouts can evaluate them
//! again under another policy or value function. Where several iterations' experience is learned
//! from at once, the rollout is [extended](Rollout::extend) at its end and forgets its oldest steps.

mod advantage;
mod collector;
mod minibatch;
mod normalisation;
#[cfg(test)]
mod tests;

pub use advantage::{Steps, discounted_sums, explained_variance, generalised_advantages, standardise};
pub use collector::Collector;
pub use minibatch::{Minibatch, MinibatchOrder};
pub use normalisation::Normalisation;

use std::ops::Range;

use assay_environments::{BatchedEnvironment, Episode};
use serde::{Deserialize, Serialize};

/// The steps of one iteration, in time-major order: step t of copy i is row `t * copies + i`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    observation_features: usize,
    action_features: usize,
    /// How many copies of the environment took part.
    pub copies: usize,
    /// The observations acted on, as the policy saw them (normalised, if anything is). Shape: rows
    /// × observation features.
    pub observations: Vec<f32>,
    /// The actions as features: a box's numbers, or one-hot codes. Shape: rows × action features.
    pub actions: Vec<f32>,
    /// The log-probabilities (or log-densities) of the actions under the behaviour policy.
    pub log_probs: Vec<f32>,
    /// The rewards (scaled, if anything is).
    pub rewards: Vec<f32>,
    /// The observations of the post-decision states, as a critic sees them. Shape: rows × post-decision
    /// features; empty where nobody [asked](Self::with_post_decisions) for them.
    pub post_observations: Vec<f32>,
    /// The rewards of the steps' deterministic halves (scaled, if anything is); empty where nobody asked
    /// for them.
    pub post_rewards: Vec<f32>,
    /// Which steps ended an episode by the task's own rules.
    pub terminated: Vec<bool>,
    /// Which steps were an episode's last because it was cut off.
    pub truncated: Vec<bool>,
    /// The observations after the last step, one row per copy. Shape: copies × observation features.
    pub last_observations: Vec<f32>,
    /// The rows whose episode was cut off there without having terminated.
    pub cut_rows: Vec<usize>,
    /// The final observations of those episodes, in the same order.
    pub cut_observations: Vec<f32>,
    /// The values of the observations; written by [`evaluate`](Self::evaluate).
    pub values: Vec<f32>,
    /// The values of the observations that the actions led to; written by
    /// [`evaluate`](Self::evaluate). Where an episode terminated the number means nothing.
    pub next_values: Vec<f32>,
    /// Advantage estimates; written by [`estimate_advantages`](Self::estimate_advantages).
    pub advantages: Vec<f32>,
    /// Value targets, advantage + value; written by
    /// [`estimate_advantages`](Self::estimate_advantages).
    pub returns: Vec<f32>,
    /// The episodes that ended, in the order in which they did.
    pub episodes: Vec<Episode>,
    /// What normalisation is taken from anew; absent where nobody [asked](Self::with_raw) for it.
    raw: Option<Raw>,
}

/// Experience before it was normalised.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Raw {
    observations: Vec<f32>,
    rewards: Vec<f32>,
    cut_observations: Vec<f32>,
}

impl Rollout {
    /// Buffers for `steps` steps of each of `copies` copies.
    pub fn new(environment: &dyn BatchedEnvironment, steps: usize) -> Self {
        let copies = environment.copies();
        let rows = steps * copies;
        let features = environment.observation_space().features();
        let action_features = environment.action_space().features();
        Rollout {
            observation_features: features,
            action_features,
            copies,
            observations: vec![0.0; rows * features],
            actions: vec![0.0; rows * action_features],
            log_probs: vec![0.0; rows],
            rewards: vec![0.0; rows],
            post_observations: Vec::new(),
            post_rewards: Vec::new(),
            terminated: vec![false; rows],
            truncated: vec![false; rows],
            last_observations: vec![0.0; copies * features],
            cut_rows: Vec::new(),
            cut_observations: Vec::new(),
            values: vec![0.0; rows],
            next_values: vec![0.0; rows],
            advantages: vec![0.0; rows],
            returns: vec![0.0; rows],
            episodes: Vec::new(),
            raw: None,
        }
    }

    /// The same, keeping observations and rewards as the environment gave them too, so that
    /// [`Collector::normalise_again`] can be asked for.
    pub fn with_raw(mut self) -> Self {
        let (observations, rewards) = (vec![0.0; self.observations.len()], vec![0.0; self.len()]);
        self.raw = Some(Raw { observations, rewards, cut_observations: Vec::new() });
        self
    }

    /// Whether it holds as many numbers of each kind as another one.
    pub(crate) fn has_form_of(&self, other: &Self) -> bool {
        let form = |r: &Self| (r.observation_features, r.action_features, r.copies, r.raw.is_some());
        form(self) == form(other) && self.is_consistent()
    }

    /// Whether everything has the length that the number of rows asks for.
    fn is_consistent(&self) -> bool {
        let rows = self.len();
        let cut = self.cut_rows.len() * self.observation_features;
        let raw = self.raw.as_ref().is_none_or(|raw| {
            raw.observations.len() == self.observations.len()
                && raw.rewards.len() == rows
                && raw.cut_observations.len() == cut
        });
        let single = [&self.log_probs, &self.values, &self.next_values, &self.advantages, &self.returns];
        rows.is_multiple_of(self.copies.max(1))
            && self.observations.len() == rows * self.observation_features
            && self.actions.len() == rows * self.action_features
            && single.iter().all(|x| x.len() == rows)
            && [self.terminated.len(), self.truncated.len()] == [rows; 2]
            && self.last_observations.len() == self.copies * self.observation_features
            && self.cut_rows.iter().all(|&row| row < rows)
            && self.cut_observations.len() == cut
            && raw
    }

    /// Makes room for `steps` more steps of each copy after those that there are, and forgets the oldest
    /// ones where there would be more than `most`. Returns the new rows, which hold anything.
    ///
    /// The environments go on from the last step kept to the first new one, so the whole is one
    /// stretch of experience. Nothing is allocated once there have been `most` steps. Post-decision
    /// states are not kept in this way.
    pub fn extend(&mut self, steps: usize, most: usize) -> Range<usize> {
        let new = steps * self.copies;
        let kept = self.len().min(most.saturating_sub(steps) * self.copies);
        let gone = self.len() - kept;
        let cuts = self.cut_rows.partition_point(|&row| row < gone);
        let rows = kept + new;
        let slide = |values: &mut Vec<f32>, gone: usize, length: usize| {
            values.drain(..gone);
            values.resize(length, 0.0);
        };
        let (features, action_features) = (self.observation_features, self.action_features);
        slide(&mut self.observations, gone * features, rows * features);
        slide(&mut self.actions, gone * action_features, rows * action_features);
        for values in [
            &mut self.log_probs,
            &mut self.rewards,
            &mut self.values,
            &mut self.next_values,
            &mut self.advantages,
            &mut self.returns,
        ] {
            slide(values, gone, rows);
        }
        for flags in [&mut self.terminated, &mut self.truncated] {
            flags.drain(..gone);
            flags.resize(rows, false);
        }
        self.cut_rows.drain(..cuts);
        self.cut_rows.iter_mut().for_each(|row| *row -= gone);
        self.cut_observations.drain(..cuts * features);
        if let Some(raw) = &mut self.raw {
            slide(&mut raw.observations, gone * features, rows * features);
            slide(&mut raw.rewards, gone, rows);
            raw.cut_observations.drain(..cuts * features);
        }
        kept..rows
    }

    /// The observations as the environment gave them. Shape: rows × observation features.
    pub fn raw_observations(&self) -> &[f32] {
        self.raw.as_ref().map_or(&self.observations, |raw| &raw.observations)
    }

    /// The same with room for post-decision states of so many features, which are then collected too.
    pub fn with_post_decisions(mut self, features: usize) -> Self {
        self.post_observations = vec![0.0; self.len() * features];
        self.post_rewards = vec![0.0; self.len()];
        self
    }

    /// How many numbers an observation has.
    pub fn observation_features(&self) -> usize {
        self.observation_features
    }

    /// How many numbers an action has as features.
    pub fn action_features(&self) -> usize {
        self.action_features
    }

    /// How many rows there are: steps × copies.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// Computes [`values`](Self::values) and [`next_values`](Self::next_values) with a value
    /// function that maps observations (rows × features) to one number per row.
    pub fn evaluate(&mut self, mut value: impl FnMut(&[f32], &mut [f32])) {
        value(&self.observations, &mut self.values);
        let (rows, copies) = (self.len(), self.copies);
        let inner = rows - copies;
        self.next_values[..inner].copy_from_slice(&self.values[copies..]);
        value(&self.last_observations, &mut self.next_values[inner..]);
        // The advantages are written later: until then their buffer serves for the few values that
        // do not stand in a row.
        let cut_values = &mut self.advantages[..self.cut_rows.len()];
        value(&self.cut_observations, cut_values);
        for (&row, &value) in self.cut_rows.iter().zip(&*cut_values) {
            self.next_values[row] = value;
        }
    }

    /// Computes [`advantages`](Self::advantages) and [`returns`](Self::returns) from the rewards
    /// and values: see [`generalised_advantages`].
    pub fn estimate_advantages(&mut self, discount: f64, lambda: f64) {
        let steps = Steps {
            rewards: &self.rewards,
            values: &self.values,
            next_values: &self.next_values,
            terminated: &self.terminated,
            truncated: &self.truncated,
        };
        generalised_advantages(steps, self.copies, discount, lambda, &mut self.advantages);
        for ((target, advantage), value) in self.returns.iter_mut().zip(&self.advantages).zip(&self.values) {
            *target = advantage + value;
        }
    }
}
