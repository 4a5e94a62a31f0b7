//! Several copies of an environment, stepped as one.
//!
//! Learners see environments only through [`BatchedEnvironment`], so an algorithm is compiled once
//! and runs on everything; one virtual call covers a whole batch, and the loop inside it is
//! compiled for the environment's own type.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    Action, Actions, Environment, Error, Outcome, Space,
    picture::Picture,
    random::{Seed, Stream},
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
    fn step(&mut self, actions: &Actions, step: &mut BatchedStep) -> Result<(), Error>;
    /// The complete state: the copies, their generators, their running episodes.
    fn snapshot(&self) -> Result<Vec<u8>, Error>;
    /// Puts a [`snapshot`](Self::snapshot) of a batch of the same shape back.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), Error>;
    /// A new batch of the same environment with its own randomness, for example for evaluation.
    fn replicate(&self, copies: usize, seed: Seed) -> Box<dyn BatchedEnvironment>;
    /// The state of one copy as a picture.
    fn draw(&self, copy: usize) -> Option<Picture>;
    /// The environment as one whose exact tables are known; `None` where they are not.
    fn tabular(&self) -> Option<&dyn Tabular>;
}

/// Copies of one environment that step together.
///
/// Copy `i` draws from its own stream, so results do not depend on the number of threads.
pub struct Batch<E> {
    prototype: E,
    copies: Vec<Copy<E>>,
    observation_space: Space,
    action_space: Space,
    parallel: bool,
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
    /// `seed`.
    pub fn new(environment: E, copies: usize, seed: Seed) -> Self {
        let observation_space = environment.observation_space();
        let width = observation_space.width();
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
            prototype: environment,
            parallel: false,
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
}

impl<E: Environment> Copy<E> {
    fn reset(&mut self, space: &Space, features: &mut [f32]) -> Result<(), Error> {
        self.total_reward = 0.0;
        self.length = 0;
        if let Space::Box { .. } = space {
            self.environment.reset(&mut self.stream, features)
        } else {
            self.environment.reset(&mut self.stream, &mut self.raw)?;
            space.encode(&self.raw, features);
            Ok(())
        }
    }

    fn step(
        &mut self,
        index: usize,
        action: Action<'_>,
        space: &Space,
        features: &mut [f32],
    ) -> Result<Outcome, Error> {
        let outcome = if let Space::Box { .. } = space {
            self.environment.step(action, &mut self.stream, features)?
        } else {
            let outcome = self.environment.step(action, &mut self.stream, &mut self.raw)?;
            if !space.contains(&self.raw) {
                return Err(Error::InvalidSpace {
                    reason: format!("observation {:?} is not in {space}", self.raw),
                });
            }
            space.encode(&self.raw, features);
            outcome
        };
        let non_finite =
            |what: String, value: f64| Error::NonFinite { what, value, copy: index, step: self.length };
        if !outcome.reward.is_finite() {
            return Err(non_finite("reward".into(), outcome.reward));
        }
        // One pass without branches: the sum is finite only if every summand is, up to overflow,
        // which the exact search below settles.
        if !features.iter().sum::<f32>().is_finite()
            && let Some(i) = features.iter().position(|x| !x.is_finite())
        {
            return Err(non_finite(format!("observation[{i}]"), f64::from(features[i])));
        }
        self.total_reward += outcome.reward;
        self.length += 1;
        Ok(outcome)
    }
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
    copy.reset(space, row.observation)?;
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
        for (copy, row) in self.copies.iter_mut().zip(observations.chunks_exact_mut(features)) {
            copy.reset(&self.observation_space, row)?;
        }
        Ok(())
    }

    fn step(&mut self, actions: &Actions, step: &mut BatchedStep) -> Result<(), Error> {
        let features = self.observation_space.features();
        let count = self.copies.len();
        check_length("actions", actions.len(), count)?;
        check_length("observations", step.observations.len(), count * features)?;
        for i in 0..count {
            self.action_space.check_action(actions.row(i))?;
        }
        step.episodes.clear();
        let space = &self.observation_space;
        if self.parallel {
            let finished: Vec<Result<Option<Episode>, Error>> = self
                .copies
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
                .collect();
            for episode in finished {
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
        postcard::to_allocvec(&self.copies).map_err(|e| Error::Snapshot { reason: e.to_string() })
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), Error> {
        let copies: Vec<Copy<E>> =
            postcard::from_bytes(snapshot).map_err(|e| Error::Snapshot { reason: e.to_string() })?;
        if copies.len() != self.copies.len() {
            return Err(Error::Snapshot {
                reason: format!("it holds {} copies; this batch has {}", copies.len(), self.copies.len()),
            });
        }
        for copy in &copies {
            let (observation, action) =
                (copy.environment.observation_space(), copy.environment.action_space());
            if observation != self.observation_space || action != self.action_space {
                return Err(Error::Snapshot {
                    reason: format!(
                        "it is of an environment with observations {observation} and actions {action}; \
                         this one has {} and {}",
                        self.observation_space, self.action_space
                    ),
                });
            }
        }
        self.copies = copies;
        Ok(())
    }

    fn replicate(&self, copies: usize, seed: Seed) -> Box<dyn BatchedEnvironment> {
        let mut batch = Batch::new(self.prototype.clone(), copies, seed);
        batch.parallel = self.parallel;
        Box::new(batch)
    }

    fn draw(&self, copy: usize) -> Option<Picture> {
        self.copies.get(copy).and_then(|copy| copy.environment.draw())
    }

    fn tabular(&self) -> Option<&dyn Tabular> {
        self.prototype.tabular()
    }
}

fn check_length(what: &'static str, given: usize, expected: usize) -> Result<(), Error> {
    if given == expected { Ok(()) } else { Err(Error::Length { what, given, expected }) }
}
