//! Several copies of an environment, stepped as one.
//!
//! Learners see environments only through [`BatchedEnvironment`], so an algorithm is compiled once
//! and runs on everything; one virtual call covers a whole batch, and the loop inside it is
//! compiled for the environment's own type.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    Action, Actions, Environment, Error, Outcome, PhysicalParameters, Space, VectorReward,
    error::check_length,
    hills::NormalActions,
    parameters::require,
    picture::Picture,
    random::{Seed, Stream, fnv1a},
    submodular::Submodular,
    tabular::Tabular,
};

/// A finished episode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// Sum of the rewards, undiscounted.
    pub total_reward: f64,
    /// Number of steps.
    pub length: u64,
}

/// What a batched step brought. All buffers have one row per copy and are reused from step to
/// step.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchedStep {
    /// The observations to act on next, as features: where an episode ended, already the first
    /// one of the next episode. Shape: copies × features.
    pub observations: Vec<f32>,
    /// The last observations of the episodes that ended in this step, as features; rows of copies
    /// whose episode goes on are not written. Shape: copies × features.
    pub final_observations: Vec<f32>,
    /// The rewards.
    pub rewards: Vec<f32>,
    /// Which episodes ended by the task's own rules.
    pub terminated: Vec<bool>,
    /// Which episodes were cut off.
    pub truncated: Vec<bool>,
    /// The episodes that ended in this step, in the order of the copies.
    pub episodes: Vec<Episode>,
}

impl BatchedStep {
    /// Buffers for a batch.
    pub fn new(environment: &dyn BatchedEnvironment) -> Self {
        let copies = environment.copies();
        let features = copies * environment.observation_space().features();
        BatchedStep {
            observations: vec![0.0; features],
            final_observations: vec![0.0; features],
            rewards: vec![0.0; copies],
            terminated: vec![false; copies],
            truncated: vec![false; copies],
            episodes: Vec::with_capacity(copies),
        }
    }
}

/// A batch of copies of some environment, whatever its type.
pub trait BatchedEnvironment: Send {
    /// How many copies there are.
    fn copies(&self) -> usize;
    /// The space of one copy's observations. They are handed out as features
    /// ([`Space::encode`]).
    fn observation_space(&self) -> &Space;
    /// The space of one copy's actions.
    fn action_space(&self) -> &Space;
    /// Starts a new episode in every copy and writes the first observations (copies × features).
    fn reset(&mut self, observations: &mut [f32]) -> Result<(), Error>;
    /// Steps every copy; a copy whose episode ends is reset at once.
    ///
    /// Errors when an action does not belong to the action space or a buffer has another length
    /// (nothing has been stepped then), when a reward or an observation is not finite or an
    /// observation is not in its space, and when the environment itself fails. After those, some
    /// copies may have been stepped and others not: [`restore`](Self::restore) a snapshot or
    /// [`reset`](Self::reset) before going on. Where several copies fail, the error is that of the
    /// first.
    fn step(&mut self, actions: &Actions, step: &mut BatchedStep) -> Result<(), Error>;
    /// The complete state: the copies, their generators, their running episodes.
    fn snapshot(&self) -> Result<Vec<u8>, Error>;
    /// Puts back a [`snapshot`](Self::snapshot) of a batch that was made with the same parameters
    /// and number of copies. Errors, without changing anything, when it is damaged or of another
    /// batch.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), Error>;
    /// A new batch of the same environment with `copies` (1 or more) copies and its own randomness,
    /// for example for evaluation.
    fn replicate(&self, copies: usize, seed: Seed) -> Box<dyn BatchedEnvironment>;
    /// The state of one copy as a picture.
    fn draw(&self, copy: usize) -> Option<Picture>;
    /// The rewards of the several objectives in a copy's last step; `None` where there is only one.
    fn vector_reward(&self, copy: usize) -> Option<&dyn VectorReward>;
    /// The physical parameters of a copy, for changing them from its next reset on; `None` where they
    /// are fixed.
    fn physics(&mut self, copy: usize) -> Option<&mut dyn PhysicalParameters>;
    /// The environment as one whose exact tables are known; `None` where they are not.
    fn tabular(&self) -> Option<&dyn Tabular>;
    /// The environment as one whose reward is the gain of a known set function; `None` where it is not.
    fn submodular(&self) -> Option<&dyn Submodular>;
    /// The environment as one whose expectations over normally distributed actions are known; `None`
    /// where they are not.
    fn normal_actions(&self) -> Option<&dyn NormalActions>;
    /// The space of one copy's post-decision observations, where steps have a known deterministic half
    /// ([`PostDecision`](crate::PostDecision)). They are handed out as features.
    fn post_decision_space(&self) -> Option<&Space>;
    /// The deterministic half of the step that `actions` would take in every copy: writes the
    /// post-decision observations (copies × features of their space) and the rewards r^x (one per copy).
    /// No copy is stepped.
    ///
    /// Errors when the environment has no such half, an action does not belong to the action space, a
    /// buffer has another length, or a reward or an observation is not finite or not in its space.
    fn decide(
        &mut self,
        actions: &Actions,
        observations: &mut [f32],
        rewards: &mut [f32],
    ) -> Result<(), Error>;
}

/// Copies of one environment that step together.
///
/// Copy `i` draws from its own stream, so results do not depend on the number of threads. A step
/// allocates nothing, but for what rayon does when it is [`parallel`](Self::parallel).
pub struct Batch<E> {
    prototype: E,
    copies: Vec<Copy<E>>,
    observation_space: Space,
    action_space: Space,
    post_decision_space: Option<Space>,
    /// A post-decision observation in raw form, where features differ from it.
    raw: Vec<f32>,
    parallel: bool,
    /// What became of each copy in a parallel step; kept for its memory.
    results: Vec<Result<Option<Episode>, Error>>,
}

/// One copy, with all that a snapshot must hold.
#[derive(Clone, Serialize, Deserialize)]
struct Copy<E> {
    environment: E,
    stream: Stream,
    total_reward: f64,
    length: u64,
    /// The raw observation, where features differ from it.
    raw: Vec<f32>,
}

impl<E: Environment> Batch<E> {
    /// `copies` copies of `environment`. Copy `i` draws from the stream `("environment", i)` of
    /// `seed`. Errors when there are to be no copies, or a space of the environment is invalid.
    pub fn new(environment: E, copies: usize, seed: Seed) -> Result<Self, Error> {
        require("copies", copies, copies > 0, "1 or more")?;
        environment.observation_space().validate()?;
        environment.action_space().validate()?;
        if let Some(half) = environment.post_decision() {
            half.post_decision_space().validate()?;
        }
        Ok(Self::of_valid(environment, copies, seed))
    }

    fn of_valid(environment: E, copies: usize, seed: Seed) -> Self {
        let observation_space = environment.observation_space();
        let width = observation_space.width();
        let post_decision_space = environment.post_decision().map(|half| half.post_decision_space());
        Batch {
            copies: (0..copies)
                .map(|i| Copy {
                    environment: environment.clone(),
                    stream: seed.indexed_stream("environment", i),
                    total_reward: 0.0,
                    length: 0,
                    raw: vec![0.0; width],
                })
                .collect(),
            action_space: environment.action_space(),
            observation_space,
            raw: vec![0.0; post_decision_space.as_ref().map_or(0, Space::width)],
            post_decision_space,
            prototype: environment,
            parallel: false,
            results: Vec::new(),
        }
    }

    /// Steps the copies on rayon's threads: worth it where a step costs microseconds (physics),
    /// not where it costs nanoseconds. Results are the same bits either way.
    pub fn parallel(mut self) -> Self {
        self.parallel = true;
        self
    }

    /// The copies, for reading their state.
    pub fn environments(&self) -> impl Iterator<Item = &E> {
        self.copies.iter().map(|copy| &copy.environment)
    }

    /// A number that only batches of the same environment with the same parameters share.
    fn fingerprint(&self) -> Result<u64, Error> {
        let identity = (&self.observation_space, &self.action_space, &self.prototype);
        Ok(fnv1a(&postcard::to_allocvec(&identity).map_err(unusable)?))
    }
}

impl<E: Environment> Copy<E> {
    fn reset(&mut self, index: usize, space: &Space, features: &mut [f32]) -> Result<(), Error> {
        self.total_reward = 0.0;
        self.length = 0;
        let observation = if is_box(space) { &mut *features } else { &mut self.raw };
        self.environment.reset(&mut self.stream, observation)?;
        self.finish_observation(index, space, features)
    }

    fn step(
        &mut self,
        index: usize,
        action: Action<'_>,
        space: &Space,
        features: &mut [f32],
    ) -> Result<Outcome, Error> {
        let observation = if is_box(space) { &mut *features } else { &mut self.raw };
        let outcome = self.environment.step(action, &mut self.stream, observation)?;
        if !outcome.reward.is_finite() {
            return Err(self.non_finite(index, "reward".into(), outcome.reward));
        }
        self.finish_observation(index, space, features)?;
        self.total_reward += outcome.reward;
        self.length += 1;
        Ok(outcome)
    }

    /// Checks the observation and, where it is not features already, encodes it.
    fn finish_observation(&self, index: usize, space: &Space, features: &mut [f32]) -> Result<(), Error> {
        finish(&self.raw, space, features, index, self.length)
    }

    fn non_finite(&self, copy: usize, what: String, value: f64) -> Error {
        Error::NonFinite { what, value, copy, step: self.length }
    }
}

/// Checks an observation of a copy at a step of its episode and, where it is not features already,
/// encodes it from its raw form.
fn finish(raw: &[f32], space: &Space, features: &mut [f32], copy: usize, step: u64) -> Result<(), Error> {
    if is_box(space) {
        // One pass without branches: the sum is finite only if every summand is, up to overflow,
        // which the exact search settles.
        if !features.iter().sum::<f32>().is_finite()
            && let Some(i) = features.iter().position(|x| !x.is_finite())
        {
            let (what, value) = (format!("observation[{i}]"), f64::from(features[i]));
            return Err(Error::NonFinite { what, value, copy, step });
        }
    } else if space.contains(raw) {
        space.encode(raw, features);
    } else {
        return Err(Error::InvalidSpace {
            reason: format!("observation {raw:?} of copy {copy} is not in {space}"),
        });
    }
    Ok(())
}

/// Whether raw observations of this space are features already.
fn is_box(space: &Space) -> bool {
    matches!(space, Space::Box { .. })
}

/// The rows of a [`BatchedStep`] that belong to one copy.
struct Row<'a> {
    observation: &'a mut [f32],
    final_observation: &'a mut [f32],
    reward: &'a mut f32,
    terminated: &'a mut bool,
    truncated: &'a mut bool,
}

fn step_copy<E: Environment>(
    index: usize,
    copy: &mut Copy<E>,
    action: Action<'_>,
    space: &Space,
    row: Row<'_>,
) -> Result<Option<Episode>, Error> {
    let outcome = copy.step(index, action, space, row.observation)?;
    *row.reward = outcome.reward as f32;
    *row.terminated = outcome.terminated;
    *row.truncated = outcome.truncated;
    if !outcome.done() {
        return Ok(None);
    }
    let episode = Episode { total_reward: copy.total_reward, length: copy.length };
    row.final_observation.copy_from_slice(row.observation);
    copy.reset(index, space, row.observation)?;
    Ok(Some(episode))
}

impl<E: Environment> BatchedEnvironment for Batch<E> {
    fn copies(&self) -> usize {
        self.copies.len()
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, observations: &mut [f32]) -> Result<(), Error> {
        let features = self.observation_space.features();
        check_length("observations", observations.len(), self.copies.len() * features)?;
        let rows = observations.chunks_exact_mut(features);
        for (i, (copy, row)) in self.copies.iter_mut().zip(rows).enumerate() {
            copy.reset(i, &self.observation_space, row)?;
        }
        Ok(())
    }

    fn step(&mut self, actions: &Actions, step: &mut BatchedStep) -> Result<(), Error> {
        let features = self.observation_space.features();
        let count = self.copies.len();
        check_length("actions", actions.len(), count)?;
        check_length("observations", step.observations.len(), count * features)?;
        check_length("final observations", step.final_observations.len(), count * features)?;
        check_length("rewards", step.rewards.len(), count)?;
        check_length("terminated", step.terminated.len(), count)?;
        check_length("truncated", step.truncated.len(), count)?;
        for i in 0..count {
            self.action_space.check_action(actions.row(i))?;
        }
        step.episodes.clear();
        let space = &self.observation_space;
        if self.parallel {
            self.copies
                .par_iter_mut()
                .zip(step.observations.par_chunks_exact_mut(features))
                .zip(step.final_observations.par_chunks_exact_mut(features))
                .zip(step.rewards.par_iter_mut())
                .zip(step.terminated.par_iter_mut())
                .zip(step.truncated.par_iter_mut())
                .enumerate()
                .map(|(i, (((((copy, observation), final_observation), reward), terminated), truncated))| {
                    let row = Row { observation, final_observation, reward, terminated, truncated };
                    step_copy(i, copy, actions.row(i), space, row)
                })
                .collect_into_vec(&mut self.results);
            for episode in self.results.drain(..) {
                step.episodes.extend(episode?);
            }
        } else {
            for (i, copy) in self.copies.iter_mut().enumerate() {
                let rows = i * features..(i + 1) * features;
                let row = Row {
                    observation: &mut step.observations[rows.clone()],
                    final_observation: &mut step.final_observations[rows],
                    reward: &mut step.rewards[i],
                    terminated: &mut step.terminated[i],
                    truncated: &mut step.truncated[i],
                };
                step.episodes.extend(step_copy(i, copy, actions.row(i), space, row)?);
            }
        }
        Ok(())
    }

    fn snapshot(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = postcard::to_allocvec(&(self.fingerprint()?, &self.copies)).map_err(unusable)?;
        let checksum = fnv1a(&bytes);
        bytes.extend(checksum.to_le_bytes());
        Ok(bytes)
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), Error> {
        let refuse = |reason: &str| Err(Error::Snapshot { reason: reason.into() });
        let Some((bytes, checksum)) = snapshot.split_last_chunk() else {
            return refuse("it is too short to be one");
        };
        if fnv1a(bytes) != u64::from_le_bytes(*checksum) {
            return refuse("it is damaged, or not a snapshot");
        }
        let (fingerprint, bytes) = postcard::take_from_bytes::<u64>(bytes).map_err(unusable)?;
        if fingerprint != self.fingerprint()? {
            return refuse("it is of another environment, or of this one with other parameters");
        }
        let copies: Vec<Copy<E>> = postcard::from_bytes(bytes).map_err(unusable)?;
        if copies.len() != self.copies.len() {
            return Err(Error::Snapshot {
                reason: format!("it holds {} copies; this batch has {}", copies.len(), self.copies.len()),
            });
        }
        self.copies = copies;
        Ok(())
    }

    fn replicate(&self, copies: usize, seed: Seed) -> Box<dyn BatchedEnvironment> {
        let mut batch = Batch::of_valid(self.prototype.clone(), copies, seed);
        batch.parallel = self.parallel;
        Box::new(batch)
    }

    fn draw(&self, copy: usize) -> Option<Picture> {
        self.copies.get(copy).and_then(|copy| copy.environment.draw())
    }

    fn vector_reward(&self, copy: usize) -> Option<&dyn VectorReward> {
        self.copies.get(copy)?.environment.vector_reward()
    }

    fn physics(&mut self, copy: usize) -> Option<&mut dyn PhysicalParameters> {
        self.copies.get_mut(copy)?.environment.physics()
    }

    fn tabular(&self) -> Option<&dyn Tabular> {
        self.prototype.tabular()
    }

    fn submodular(&self) -> Option<&dyn Submodular> {
        self.prototype.submodular()
    }

    fn normal_actions(&self) -> Option<&dyn NormalActions> {
        self.prototype.normal_actions()
    }

    fn post_decision_space(&self) -> Option<&Space> {
        self.post_decision_space.as_ref()
    }

    fn decide(
        &mut self,
        actions: &Actions,
        observations: &mut [f32],
        rewards: &mut [f32],
    ) -> Result<(), Error> {
        let Some(space) = &self.post_decision_space else { return Err(Error::NoPostDecision) };
        let (features, count) = (space.features(), self.copies.len());
        check_length("actions", actions.len(), count)?;
        check_length("post-decision observations", observations.len(), count * features)?;
        check_length("post-decision rewards", rewards.len(), count)?;
        let rows = observations.chunks_exact_mut(features).zip(rewards);
        for (i, (copy, (row, reward))) in self.copies.iter().zip(rows).enumerate() {
            let action = actions.row(i);
            self.action_space.check_action(action)?;
            let Some(half) = copy.environment.post_decision() else { return Err(Error::NoPostDecision) };
            let observation = if is_box(space) { &mut *row } else { &mut self.raw };
            let brought = half.decide(action, observation)?;
            if !brought.is_finite() {
                return Err(copy.non_finite(i, "post-decision reward".into(), brought));
            }
            finish(&self.raw, space, row, i, copy.length)?;
            *reward = brought as f32;
        }
        Ok(())
    }
}

fn unusable(error: postcard::Error) -> Error {
    Error::Snapshot { reason: error.to_string() }
}
