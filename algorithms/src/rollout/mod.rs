//! On-policy experience.
//!
//! A [`Collector`] owns the environments and lets a behaviour policy act in them for a fixed number
//! of steps; a [`Rollout`] holds what came of it, in flat buffers that are filled anew every
//! iteration. Values and advantages are a second pass over the finished rollout: the value
//! function sees all its states at once, and a learner that keeps old rollouts can evaluate them
//! again under another policy or value function.

mod advantage;
mod minibatch;
mod normalisation;
#[cfg(test)]
mod tests;

pub use advantage::{Steps, discounted_sums, explained_variance, generalised_advantages, standardise};
pub use minibatch::{Minibatch, MinibatchOrder};
pub use normalisation::Normalisation;

use assay_environments::{
    Actions, BatchedEnvironment, BatchedStep, Episode,
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, Error,
    policies::{Exploration, Policy},
    tensor::Device,
};

/// The steps of one iteration, in time-major order: step t of copy i is row `t * copies + i`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
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
}

impl Rollout {
    /// Buffers for `steps` steps of each of `copies` copies.
    pub fn new(environment: &dyn BatchedEnvironment, steps: usize) -> Self {
        let copies = environment.copies();
        let rows = steps * copies;
        let features = environment.observation_space().features();
        Rollout {
            copies,
            observations: vec![0.0; rows * features],
            actions: vec![0.0; rows * environment.action_space().features()],
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
        }
    }

    /// The same with room for post-decision states of so many features, which are then collected too.
    pub fn with_post_decisions(mut self, features: usize) -> Self {
        self.post_observations = vec![0.0; self.len() * features];
        self.post_rewards = vec![0.0; self.len()];
        self
    }

    /// How many numbers an observation has.
    pub fn observation_features(&self) -> usize {
        self.observations.len() / self.len()
    }

    /// How many numbers an action has as features.
    pub fn action_features(&self) -> usize {
        self.actions.len() / self.len()
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

/// The environments of an on-policy learner, and all that goes with acting in them.
pub struct Collector {
    environment: Box<dyn BatchedEnvironment>,
    /// What the last step brought; its observations stay raw.
    step: BatchedStep,
    actions: Actions,
    /// Begins anew with every rollout, so it is not part of the state.
    exploration: Exploration,
    state: State,
}

/// What a checkpoint must hold beside the environments.
#[derive(Clone, Serialize, Deserialize)]
struct State {
    /// The observations to act on next, normalised. Empty before the first step.
    observations: Vec<f32>,
    normalisation: Normalisation,
    stream: Stream,
    steps: u64,
}

impl Collector {
    /// A collector that has not started. Actions are drawn from the stream `"policy"` of `seed`.
    pub fn new(environment: Box<dyn BatchedEnvironment>, normalisation: Normalisation, seed: Seed) -> Self {
        Collector {
            step: BatchedStep::new(&*environment),
            actions: Actions::zeros(environment.action_space(), environment.copies()),
            exploration: Exploration::default(),
            state: State { observations: Vec::new(), normalisation, stream: seed.stream("policy"), steps: 0 },
            environment,
        }
    }

    /// The same, which normalises post-decision observations of so many features as it does others.
    pub fn with_post_decisions(mut self, features: usize) -> Self {
        self.state.normalisation = self.state.normalisation.with_post_decisions(features);
        self
    }

    /// The environments.
    pub fn environment(&self) -> &dyn BatchedEnvironment {
        &*self.environment
    }

    /// The running normalisation.
    pub fn normalisation(&self) -> &Normalisation {
        &self.state.normalisation
    }

    /// Steps taken so far, over all copies.
    pub fn steps(&self) -> u64 {
        self.state.steps
    }

    /// Lets `behaviour` act until `rollout` is full. Everything but the rollout's values,
    /// advantages and returns is overwritten.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when an action is not finite; those of the environment.
    pub fn collect<D: Device>(&mut self, behaviour: &Policy<D>, rollout: &mut Rollout) -> Result<(), Error> {
        let Collector { environment, step, actions, exploration, state } = self;
        let copies = environment.copies();
        let features = environment.observation_space().features();
        let action_features = environment.action_space().features();
        if state.observations.is_empty() {
            environment.reset(&mut step.observations)?;
            state.normalisation.observe(&step.observations);
            state.observations.resize(step.observations.len(), 0.0);
            state.observations.copy_from_slice(&step.observations);
            state.normalisation.normalise(&mut state.observations);
        }
        rollout.episodes.clear();
        rollout.cut_rows.clear();
        rollout.cut_observations.clear();
        for (time, start) in (0..rollout.len()).step_by(copies).enumerate() {
            let rows = start..start + copies;
            rollout.observations[start * features..][..copies * features]
                .copy_from_slice(&state.observations);
            let log_probs = &mut rollout.log_probs[rows.clone()];
            let (observations, rng) = (&state.observations, &mut state.stream);
            // A diverged policy is the learner's failure, not a mistake of the environment's user.
            behaviour
                .explore(observations, time as u64, rng, actions, Some(log_probs), exploration)
                .map_err(|e| e.after(state.steps))?;
            let encoded = rollout.actions[start * action_features..].chunks_exact_mut(action_features);
            for (copy, row) in encoded.take(copies).enumerate() {
                environment.action_space().encode_action(actions.row(copy), row);
            }

            // What is learned from is the action drawn, whose density is known.
            environment.action_space().clip(actions);
            let decided = !rollout.post_rewards.is_empty();
            if decided {
                let post_features = rollout.post_observations.len() / rollout.post_rewards.len();
                let observations =
                    &mut rollout.post_observations[start * post_features..][..copies * post_features];
                environment.decide(actions, observations, &mut rollout.post_rewards[rows.clone()])?;
                state.normalisation.observe_post(observations);
                state.normalisation.normalise_post(observations);
            }
            environment.step(actions, step)?;

            state.normalisation.observe(&step.observations);
            state.observations.copy_from_slice(&step.observations);
            state.normalisation.normalise(&mut state.observations);
            let done = |copy: usize| step.terminated[copy] || step.truncated[copy];
            let scale = state.normalisation.scale_rewards(&mut step.rewards, done);
            if decided {
                rollout.post_rewards[rows.clone()].iter_mut().for_each(|reward| *reward *= scale);
            }
            rollout.rewards[rows.clone()].copy_from_slice(&step.rewards);
            rollout.terminated[rows.clone()].copy_from_slice(&step.terminated);
            rollout.truncated[rows].copy_from_slice(&step.truncated);
            for copy in 0..copies {
                if step.truncated[copy] && !step.terminated[copy] {
                    rollout.cut_rows.push(start + copy);
                    let final_observation = &step.final_observations[copy * features..][..features];
                    let first = rollout.cut_observations.len();
                    rollout.cut_observations.extend_from_slice(final_observation);
                    state.normalisation.normalise(&mut rollout.cut_observations[first..]);
                }
            }
            rollout.episodes.extend_from_slice(&step.episodes);
            state.steps += copies as u64;
        }
        rollout.last_observations.copy_from_slice(&state.observations);
        Ok(())
    }

    /// Writes the complete state under `collector/`.
    ///
    /// # Errors
    /// [`Error::Environment`] or [`Error::Checkpoint`] when something cannot be stored.
    pub fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        checkpoint.put_record("collector/environment", &self.environment.snapshot()?)?;
        checkpoint.put_record("collector/state", &self.state)
    }

    /// Puts a saved state back.
    ///
    /// # Errors
    /// [`Error::Environment`] or [`Error::Checkpoint`] when something is absent or does not fit;
    /// nothing is changed then.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let snapshot: Vec<u8> = checkpoint.record("collector/environment")?;
        let state: State = checkpoint.record("collector/state")?;
        let expected = self.step.observations.len();
        let started = !state.observations.is_empty();
        if started && state.observations.len() != expected
            || !state.normalisation.has_form_of(&self.state.normalisation)
        {
            let reason = "its observations or their normalisation have another form".into();
            return Err(Error::Checkpoint { reason });
        }
        self.environment.restore(&snapshot)?;
        self.state = state;
        Ok(())
    }
}
