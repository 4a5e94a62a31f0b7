//! Acting in the environments, remembering it, and drawing from the memory.

use assay_environments::{
    Actions, BatchedEnvironment, BatchedStep, Episode,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize};

use crate::{
    Checkpoint, Error,
    error::require_finite,
    policies::{ActionBox, uniform},
    replay::{Minibatch, Replay, TransitionBatch},
    tensor::Device,
};

/// How experience is gathered and learned from; a learner fills it from its own configuration,
/// whose fields have the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Environment steps, over all copies, that are taken uniformly at random before anything is
    /// learned.
    pub learning_starts: u64,
    /// Steps of each copy between two rounds of gradient steps; at least 1.
    pub train_every: u64,
    /// Gradient steps in a round; at least 1.
    pub gradient_steps: usize,
    /// Transitions in a gradient step; at least 1.
    pub batch_size: usize,
    /// Transitions that are remembered; at least 1.
    pub replay_capacity: usize,
}

impl Settings {
    /// Errors when a field is out of its range.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let at_least_one = |field, x: u64| require(field, x, x > 0, "at least 1");
        at_least_one("train_every", self.train_every)?;
        at_least_one("gradient_steps", self.gradient_steps as u64)?;
        at_least_one("batch_size", self.batch_size as u64)?;
        at_least_one("replay_capacity", self.replay_capacity as u64)
    }
}

/// The environments of an off-policy learner with continuous actions, and its memory of them.
pub struct Collector {
    settings: Settings,
    environment: Box<dyn BatchedEnvironment>,
    action_box: ActionBox,
    replay: Replay,
    /// The policy's actions, on [−1, 1]. Shape: copies × width.
    normalised: Vec<f32>,
    /// What is remembered beside the actions. Shape: copies × its numbers; empty where that is nothing.
    context: Vec<f32>,
    /// Actions and context beside each other, where there is a context.
    remembered: Vec<f32>,
    /// The same in the environment's units.
    actions: Actions,
    step: BatchedStep,
    sample: TransitionBatch,
    state: State,
}

/// What a checkpoint must hold beside environments and replay.
#[derive(Clone, Serialize, Deserialize)]
struct State {
    /// What the environments show now. Empty before the first step.
    observations: Vec<f32>,
    steps: u64,
    /// Draws actions.
    action_stream: Stream,
    /// Draws transitions.
    replay_stream: Stream,
}

impl Collector {
    /// A collector for the algorithm called `algorithm` that has not started. It draws from the
    /// streams `"actions"` and `"replay"` of `seed`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the action space is not a bounded box, [`Error::Parameter`] when
    /// the memory cannot be had.
    pub fn new(
        algorithm: &'static str,
        environment: Box<dyn BatchedEnvironment>,
        settings: Settings,
        seed: Seed,
    ) -> Result<Self, Error> {
        Self::with_context(algorithm, environment, 0, settings, seed)
    }

    /// As [`new`](Self::new), and `context` numbers more are remembered behind every action: what a
    /// critic is to know beside observation and action. They are zero until they are
    /// [set](Self::set_context).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_context(
        algorithm: &'static str,
        environment: Box<dyn BatchedEnvironment>,
        context: usize,
        settings: Settings,
        seed: Seed,
    ) -> Result<Self, Error> {
        let action_box = ActionBox::new(algorithm, environment.action_space())?;
        let features = environment.observation_space().features();
        Ok(Collector {
            settings,
            replay: Replay::new(features, action_box.width() + context, settings.replay_capacity)?,
            normalised: vec![0.0; environment.copies() * action_box.width()],
            context: vec![0.0; environment.copies() * context],
            remembered: Vec::new(),
            actions: Actions::zeros(environment.action_space(), environment.copies()),
            step: BatchedStep::new(&*environment),
            sample: TransitionBatch::default(),
            state: State {
                observations: Vec::new(),
                steps: 0,
                action_stream: seed.stream("actions"),
                replay_stream: seed.stream("replay"),
            },
            action_box,
            environment,
        })
    }

    /// Steps every copy once and remembers the transitions. `act` is given the observations (copies
    /// × features) and random numbers, and writes the actions, on [−1, 1] (copies × width); before
    /// learning starts it is not asked, and actions are uniform.
    ///
    /// Returns the episodes that ended.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when an action is not finite; those of the environment.
    pub fn step(&mut self, act: impl FnOnce(&[f32], &mut Stream, &mut [f32])) -> Result<&[Episode], Error> {
        let state = &mut self.state;
        if state.observations.is_empty() {
            state.observations.resize(self.step.observations.len(), 0.0);
            self.environment.reset(&mut state.observations)?;
        }
        if state.steps < self.settings.learning_starts {
            uniform(&mut state.action_stream, &mut self.normalised);
        } else {
            act(&state.observations, &mut state.action_stream, &mut self.normalised);
        }
        // A diverged policy is the learner's failure, not a mistake of the environment's user.
        require_finite("action", &self.normalised).map_err(|e| e.after(state.steps))?;
        self.action_box.write(&self.normalised, &mut self.actions);
        self.environment.step(&self.actions, &mut self.step)?;
        let remembered = if self.context.is_empty() {
            &self.normalised
        } else {
            let context = self.context.chunks_exact(self.context.len() / self.environment.copies());
            self.remembered.clear();
            for (action, context) in self.normalised.chunks_exact(self.action_box.width()).zip(context) {
                self.remembered.extend_from_slice(action);
                self.remembered.extend_from_slice(context);
            }
            &self.remembered
        };
        self.replay.push_step(&state.observations, remembered, &self.step);
        state.observations.copy_from_slice(&self.step.observations);
        state.steps += self.environment.copies() as u64;
        Ok(&self.step.episodes)
    }

    /// What [`Learner::act`](crate::Learner::act) asks for: in `actions`, an action of the
    /// environment for each row of `observations` (rows × features). `act` is given the
    /// observations and writes the actions on [−1, 1] (rows × width).
    ///
    /// # Errors
    /// [`Error::Environment`] when `actions` is not a buffer for one action per row;
    /// [`Error::NonFinite`] when an action is not finite.
    pub fn act(
        &self,
        observations: &[f32],
        actions: &mut Actions,
        act: impl FnOnce(&[f32], &mut [f32]),
    ) -> Result<(), Error> {
        let rows = observations.len() / self.environment.observation_space().features();
        self.environment.action_space().check_buffer(actions, rows)?;
        let mut normalised = vec![0.0; rows * self.action_box.width()];
        act(observations, &mut normalised);
        require_finite("action", &normalised).map_err(|e| e.after(self.state.steps))?;
        self.action_box.write(&normalised, actions);
        Ok(())
    }

    /// Steps of each copy since the last round of gradient steps, or where one will be once
    /// learning has started.
    pub fn steps_since_round(&self) -> u64 {
        self.state.steps / self.environment.copies() as u64 % self.settings.train_every
    }

    /// Whether an episode of this copy ended with the step just taken.
    pub fn has_ended(&self, copy: usize) -> bool {
        self.step.terminated[copy] || self.step.truncated[copy]
    }

    /// How many gradient steps follow the step just taken.
    pub fn updates_due(&self) -> usize {
        let due = self.state.steps > self.settings.learning_starts && self.steps_since_round() == 0;
        if due { self.settings.gradient_steps } else { 0 }
    }

    /// Draws a minibatch uniformly from what is remembered. There must have been a step.
    ///
    /// # Errors
    /// [`Error::Device`] when the device's memory is exhausted.
    pub fn draw<D: Device>(&mut self, device: &D) -> Result<Minibatch<D>, Error> {
        self.sample.clear();
        self.replay.sample(self.settings.batch_size, &mut self.state.replay_stream, &mut self.sample);
        Minibatch::upload(device, &self.sample)
    }

    /// Steps taken so far, over all copies.
    pub fn steps(&self) -> u64 {
        self.state.steps
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

    /// The same, to be changed: for the physics of the episodes that come.
    pub fn environment_mut(&mut self) -> &mut dyn BatchedEnvironment {
        &mut *self.environment
    }

    /// What is remembered from now on behind the actions (copies × context). A checkpoint does not hold
    /// it: whoever sets it knows it.
    pub fn set_context(&mut self, context: &[f32]) {
        self.context.copy_from_slice(context);
    }

    /// Writes the complete state, the memory included.
    pub fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        checkpoint.put_record("collector/environment", &self.environment.snapshot()?)?;
        checkpoint.put_record("collector/state", &self.state)?;
        self.replay.save("replay", checkpoint)
    }

    /// Puts a saved state back.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let snapshot: Vec<u8> = checkpoint.record("collector/environment")?;
        let state: State = checkpoint.record("collector/state")?;
        let (given, expected) = (state.observations.len(), self.step.observations.len());
        if given != 0 && given != expected {
            return Err(Error::Checkpoint {
                reason: format!("its observations are {given} numbers; {expected} are needed"),
            });
        }
        self.replay.load("replay", checkpoint)?;
        self.environment.restore(&snapshot)?;
        self.state = state;
        Ok(())
    }
}
