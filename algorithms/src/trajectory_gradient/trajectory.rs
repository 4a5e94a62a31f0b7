//! Whole trajectories, and playing them.

use assay_environments::{
    Actions, BatchedEnvironment, BatchedStep, Episode, Space,
    random::{Seed, Stream},
};

use super::ScorePolicy;
use crate::{Checkpoint, Error, Mode};

/// One trajectory (s₀, a₀, r₀, …, s_{n−1}, a_{n−1}, r_{n−1}), in buffers that are reused.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trajectory {
    /// The observations acted on, as features. Shape: steps × observation features.
    pub observations: Vec<f32>,
    /// The actions as features: a box's numbers, or one-hot codes. Shape: steps × action features.
    pub actions: Vec<f32>,
    /// The rewards: (steps).
    pub rewards: Vec<f64>,
}

impl Trajectory {
    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// How many numbers an observation has.
    pub fn observation_features(&self) -> usize {
        self.observations.len() / self.len()
    }

    /// How many numbers an action has as features.
    pub fn action_features(&self) -> usize {
        self.actions.len() / self.len()
    }

    /// The observations and actions of the steps, one row after the other.
    pub fn steps(&self) -> impl Iterator<Item = (&[f32], &[f32])> {
        let observations = self.observations.chunks_exact(self.observation_features());
        observations.zip(self.actions.chunks_exact(self.action_features()))
    }

    /// Σ γʰ r_h.
    pub fn discounted_return(&self, discount: f64) -> f64 {
        self.rewards.iter().rev().fold(0.0, |later, reward| reward + discount * later)
    }

    fn clear(&mut self) {
        self.observations.clear();
        self.actions.clear();
        self.rewards.clear();
    }
}

/// The environments, and the randomness of acting in them.
///
/// In a *round* every copy of the environment plays one trajectory from the start, up to a horizon.
/// A copy that is done early is stepped on until all are, and what it does then is thrown away; its
/// steps count.
pub struct Sampler {
    environment: Box<dyn BatchedEnvironment>,
    step: BatchedStep,
    actions: Actions,
    done: Vec<bool>,
    stream: Stream,
    steps: u64,
    trajectories: u64,
}

impl Sampler {
    /// A sampler that has not started. Actions are drawn from the stream `"policy"` of `seed`.
    pub fn new(environment: Box<dyn BatchedEnvironment>, seed: Seed) -> Self {
        Sampler {
            step: BatchedStep::new(&*environment),
            actions: Actions::zeros(environment.action_space(), environment.copies()),
            done: vec![false; environment.copies()],
            stream: seed.stream("policy"),
            steps: 0,
            trajectories: 0,
            environment,
        }
    }

    /// The environments.
    pub fn environment(&self) -> &dyn BatchedEnvironment {
        &*self.environment
    }

    /// Steps taken so far, over all copies.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Trajectories played so far.
    pub fn trajectories(&self) -> u64 {
        self.trajectories
    }

    /// Plays `rounds` rounds of at most `horizon` steps by `policy`. `batch` is overwritten; an
    /// episode for each trajectory is added to `episodes`.
    ///
    /// # Errors
    /// Those of the environment.
    pub fn sample(
        &mut self,
        policy: &dyn ScorePolicy,
        rounds: usize,
        horizon: usize,
        batch: &mut Vec<Trajectory>,
        episodes: &mut Vec<Episode>,
    ) -> Result<(), Error> {
        let copies = self.environment.copies();
        batch.resize_with(rounds * copies, Trajectory::default);
        batch.iter_mut().for_each(Trajectory::clear);
        for round in batch.chunks_exact_mut(copies) {
            self.play(policy, horizon, round)?;
        }
        self.trajectories += batch.len() as u64;
        episodes.extend(batch.iter().map(|trajectory| Episode {
            total_reward: trajectory.rewards.iter().sum(),
            length: trajectory.len() as u64,
        }));
        Ok(())
    }

    fn play(
        &mut self,
        policy: &dyn ScorePolicy,
        horizon: usize,
        round: &mut [Trajectory],
    ) -> Result<(), Error> {
        let Sampler { environment, step, actions, done, stream, .. } = self;
        environment.reset(&mut step.observations)?;
        let features = environment.observation_space().features();
        done.fill(false);
        for _ in 0..horizon {
            policy.act(&step.observations, Mode::Sample, stream, actions).map_err(|e| e.after(self.steps))?;
            let rows = step.observations.chunks_exact(features);
            for (copy, (trajectory, row)) in round.iter_mut().zip(rows).enumerate() {
                if !done[copy] {
                    trajectory.observations.extend_from_slice(row);
                    encode(environment.action_space(), actions, copy, &mut trajectory.actions);
                }
            }
            environment.step(actions, step)?;
            self.steps += done.len() as u64;
            for (copy, trajectory) in round.iter_mut().enumerate() {
                if !done[copy] {
                    trajectory.rewards.push(f64::from(step.rewards[copy]));
                    done[copy] = step.terminated[copy] || step.truncated[copy];
                }
            }
            if done.iter().all(|done| *done) {
                break;
            }
        }
        Ok(())
    }

    /// Writes the complete state under `sampler/`.
    pub fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        checkpoint.put_record("sampler/environment", &self.environment.snapshot()?)?;
        checkpoint.put_record("sampler/state", &(&self.stream, self.steps, self.trajectories))
    }

    /// Puts a saved state back.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let snapshot: Vec<u8> = checkpoint.record("sampler/environment")?;
        let state = checkpoint.record("sampler/state")?;
        self.environment.restore(&snapshot)?;
        (self.stream, self.steps, self.trajectories) = state;
        Ok(())
    }
}

/// Appends the action of one copy as features.
fn encode(space: &Space, actions: &Actions, copy: usize, features: &mut Vec<f32>) {
    let start = features.len();
    features.resize(start + space.features(), 0.0);
    space.encode_action(actions.row(copy), &mut features[start..]);
}
