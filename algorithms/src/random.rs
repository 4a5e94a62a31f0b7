//! Uniformly random actions: the baseline that any learning must beat.
//!
//! Every action of a discrete space is equally likely; a box is drawn from uniformly, an unbounded
//! dimension from [-1, 1] ([`Space::sample`](assay_environments::Space::sample)). There is nothing
//! to learn, and [`Mode::Greedy`] is no different from [`Mode::Sample`].
//!
//! Metrics: `reward`, the mean reward of a step in the iteration.

use assay_environments::{
    Actions, BatchedEnvironment, BatchedStep, Space,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use serde::{Deserialize, Serialize};

use crate::{Checkpoint, Error, Learner, Mode, Report, catalogue::Configuration, tensor::Device};

/// What the random learner can be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Steps of each copy of the environment in one iteration.
    pub steps: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config { steps: 128 }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        require("steps", self.steps, self.steps > 0, "at least 1")
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        _device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(Random::new(self, environment, seed)?))
    }
}

/// Acts uniformly at random and learns nothing.
pub struct Random {
    config: Config,
    environment: Box<dyn BatchedEnvironment>,
    action_space: Space,
    actions: Actions,
    step: BatchedStep,
    stream: Stream,
    steps: u64,
}

impl Random {
    /// The learner at its first step. Errors when the configuration is out of range or the
    /// environment fails to start.
    pub fn new(
        config: Config,
        mut environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
    ) -> Result<Self, Error> {
        config.validate()?;
        let mut step = BatchedStep::new(&*environment);
        environment.reset(&mut step.observations)?;
        Ok(Random {
            config,
            action_space: environment.action_space().clone(),
            actions: Actions::zeros(environment.action_space(), environment.copies()),
            environment,
            step,
            stream: seed.stream("policy"),
            steps: 0,
        })
    }
}

impl Learner for Random {
    fn advance(&mut self) -> Result<Report, Error> {
        let mut report = Report::default();
        let mut total_reward = 0.0;
        for _ in 0..self.config.steps {
            self.action_space.sample(&mut self.stream, &mut self.actions);
            self.environment.step(&self.actions, &mut self.step)?;
            total_reward += self.step.rewards.iter().copied().map(f64::from).sum::<f64>();
            report.episodes.extend_from_slice(&self.step.episodes);
        }
        let taken = self.config.steps * self.actions.len();
        self.steps += taken as u64;
        report.metrics.push(("reward", total_reward / taken as f64));
        Ok(report)
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn act(
        &self,
        _observations: &[f32],
        _mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        self.action_space.sample(rng, actions);
        Ok(())
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        let environment = self.environment.snapshot()?;
        checkpoint.put_record("random", &(self.steps, &self.stream, environment))
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let (steps, stream, environment): (u64, Stream, Vec<u8>) = checkpoint.record("random")?;
        self.environment.restore(&environment)?;
        (self.steps, self.stream) = (steps, stream);
        Ok(())
    }
}
