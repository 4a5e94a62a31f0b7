//! Acting in the environments, and remembering it.

use assay_environments::{Actions, BatchedEnvironment, BatchedStep, Episode};

use crate::{Checkpoint, Error, policies::ActionBox, replay::Replay};

/// The environments of an off-policy learner with continuous actions, and its memory of them.
pub struct Collector {
    environment: Box<dyn BatchedEnvironment>,
    action_box: ActionBox,
    replay: Replay,
    /// What the environments show now. Empty before the first step.
    observations: Vec<f32>,
    /// The policy's actions, on [−1, 1]. Shape: copies × width.
    normalised: Vec<f32>,
    /// The same in the environment's units.
    actions: Actions,
    step: BatchedStep,
    steps: u64,
}

impl Collector {
    /// A collector for the algorithm called `algorithm` that has not started, with room for
    /// `capacity` transitions. Errors when the action space is not a bounded box, or the memory
    /// cannot be had.
    pub fn new(
        algorithm: &'static str,
        environment: Box<dyn BatchedEnvironment>,
        capacity: usize,
    ) -> Result<Self, Error> {
        let action_box = ActionBox::new(algorithm, environment.action_space())?;
        let actions = Actions::zeros(environment.action_space(), environment.copies());
        let features = environment.observation_space().features();
        Ok(Collector {
            replay: Replay::new(features, action_box.width(), capacity)?,
            observations: Vec::new(),
            normalised: vec![0.0; environment.copies() * action_box.width()],
            actions,
            step: BatchedStep::new(&*environment),
            steps: 0,
            action_box,
            environment,
        })
    }

    /// Steps every copy once and remembers the transitions. `choose` is given the observations
    /// (copies × features) and writes the actions, on [−1, 1] (copies × width).
    ///
    /// Returns the episodes that ended. Errors are those of the environment.
    pub fn step(&mut self, choose: impl FnOnce(&[f32], &mut [f32])) -> Result<&[Episode], Error> {
        if self.observations.is_empty() {
            self.observations.resize(self.step.observations.len(), 0.0);
            self.environment.reset(&mut self.observations)?;
        }
        choose(&self.observations, &mut self.normalised);
        if let Actions::Continuous { values, .. } = &mut self.actions {
            self.action_box.denormalise(&self.normalised, values);
        }
        self.environment.step(&self.actions, &mut self.step)?;
        self.replay.push_step(&self.observations, &self.normalised, &self.step);
        self.observations.copy_from_slice(&self.step.observations);
        self.steps += self.environment.copies() as u64;
        Ok(&self.step.episodes)
    }

    /// Whether gradient steps follow the step just taken: after `learning_starts` environment
    /// steps, and then after every `train_every` steps of each copy.
    pub fn learning_is_due(&self, learning_starts: u64, train_every: u64) -> bool {
        let rounds = self.steps / self.environment.copies() as u64;
        self.steps > learning_starts && rounds.is_multiple_of(train_every)
    }

    /// Steps taken so far, over all copies.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What is remembered.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    /// The box of the environment's actions.
    pub fn action_box(&self) -> &ActionBox {
        &self.action_box
    }

    /// The environments.
    pub fn environment(&self) -> &dyn BatchedEnvironment {
        &*self.environment
    }

    /// Writes the complete state, the memory included.
    pub fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        checkpoint.put_record("collector/environment", &self.environment.snapshot()?)?;
        checkpoint.put_record("collector/state", &(self.steps, &self.observations))?;
        self.replay.save("replay", checkpoint)
    }

    /// Puts a saved state back.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let snapshot: Vec<u8> = checkpoint.record("collector/environment")?;
        let (steps, observations): (u64, Vec<f32>) = checkpoint.record("collector/state")?;
        let expected = self.step.observations.len();
        if !observations.is_empty() && observations.len() != expected {
            return Err(Error::Checkpoint {
                reason: format!("its observations are {} numbers; {expected} are needed", observations.len()),
            });
        }
        self.replay.load("replay", checkpoint)?;
        self.environment.restore(&snapshot)?;
        (self.steps, self.observations) = (steps, observations);
        Ok(())
    }
}
