//! Environments, and a policy that acts in them.

use std::ops::Range;

use assay_environments::{
    Actions, BatchedEnvironment, BatchedStep,
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize};

use super::{Normalisation, Rollout};
use crate::{
    Checkpoint, Error,
    policies::{Exploration, Policy},
    tensor::Device,
};

/// The environments of an on-policy learner, and all that goes with acting in them.
pub struct Collector {
    environment: Box<dyn BatchedEnvironment>,
    /// What the last step brought; its observations stay raw.
    step: BatchedStep,
    /// The observations to act on, normalised.
    observations: Vec<f32>,
    actions: Actions,
    /// Begins anew with every rollout, so it is not part of the state.
    exploration: Exploration,
    state: State,
}

/// What a checkpoint must hold beside the environments.
#[derive(Clone, Serialize, Deserialize)]
struct State {
    /// The observations to act on next, as the environment gave them. Empty before the first step.
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
            observations: Vec::new(),
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
        rollout.episodes.clear();
        rollout.cut_rows.clear();
        rollout.cut_observations.clear();
        if let Some(raw) = &mut rollout.raw {
            raw.cut_observations.clear();
        }
        self.collect_rows(behaviour, rollout, 0..rollout.len())
    }

    /// Lets `behaviour` act until the last `rows` of `rollout` are full, whole steps of all copies; the
    /// rows before them stay, as do the episodes that have ended.
    ///
    /// # Errors
    /// Those of [`collect`](Self::collect).
    ///
    /// # Panics
    /// When these are not the last rows.
    pub fn collect_rows<D: Device>(
        &mut self,
        behaviour: &Policy<D>,
        rollout: &mut Rollout,
        rows: Range<usize>,
    ) -> Result<(), Error> {
        assert_eq!(rows.end, rollout.len(), "the last rows of a rollout");
        let Collector { environment, step, observations: seen, actions, exploration, state } = self;
        let copies = environment.copies();
        let (features, action_features) = (rollout.observation_features, rollout.action_features);
        if state.observations.is_empty() {
            environment.reset(&mut step.observations)?;
            state.normalisation.observe(&step.observations);
            state.observations.extend_from_slice(&step.observations);
        }
        for (time, start) in rows.step_by(copies).enumerate() {
            let rows = start..start + copies;
            let of_step = start * features..(start + copies) * features;
            seen.clear();
            seen.extend_from_slice(&state.observations);
            state.normalisation.normalise(seen);
            rollout.observations[of_step.clone()].copy_from_slice(seen);
            let log_probs = &mut rollout.log_probs[rows.clone()];
            // A diverged policy is the learner's failure, not a mistake of the environment's user.
            behaviour
                .explore(seen, time as u64, &mut state.stream, actions, Some(log_probs), exploration)
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

            if let Some(raw) = &mut rollout.raw {
                raw.observations[of_step].copy_from_slice(&state.observations);
                raw.rewards[rows.clone()].copy_from_slice(&step.rewards);
            }
            state.normalisation.observe(&step.observations);
            state.observations.copy_from_slice(&step.observations);
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
                    if let Some(raw) = &mut rollout.raw {
                        raw.cut_observations.extend_from_slice(final_observation);
                    }
                    let first = rollout.cut_observations.len();
                    rollout.cut_observations.extend_from_slice(final_observation);
                    state.normalisation.normalise(&mut rollout.cut_observations[first..]);
                }
            }
            rollout.episodes.extend_from_slice(&step.episodes);
            state.steps += copies as u64;
        }
        rollout.last_observations.copy_from_slice(&state.observations);
        state.normalisation.normalise(&mut rollout.last_observations);
        Ok(())
    }

    /// Normalises the whole of a rollout [with raw experience](Rollout::with_raw) by the statistics as
    /// they are now; another one stays as it is. Old experience would otherwise be seen on the scale of
    /// its own time.
    pub fn normalise_again(&self, rollout: &mut Rollout) {
        let Rollout { observations, rewards, cut_observations, raw: Some(raw), .. } = rollout else { return };
        observations.copy_from_slice(&raw.observations);
        rewards.copy_from_slice(&raw.rewards);
        cut_observations.copy_from_slice(&raw.cut_observations);
        self.state.normalisation.normalise(observations);
        self.state.normalisation.rescale_rewards(rewards);
        self.state.normalisation.normalise(cut_observations);
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
