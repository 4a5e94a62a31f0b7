//! Plans made with full knowledge of the set function and the moves: what a learner of submodular
//! exploration is compared with.
//!
//! Where moves are reliable a sequence of actions is all that a policy needs to be. `greedy` takes the
//! largest gain at every step, `beam` keeps the best beginnings, `optimal` searches with branch and bound
//! ([`assay_theory::submodular`]). Nothing is learnt: the plan is made before the first step and played
//! again and again.
//!
//! Metrics: `value`, F of the planned path.

use assay_environments::{
    Actions, BatchedEnvironment, BatchedStep,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
};
use assay_theory::submodular::{Plan, beam_plan, greedy_plan, optimal_plan};
use serde::{Deserialize, Serialize};

use crate::{Checkpoint, Error, Learner, Mode, Report, catalogue::Configuration, tensor::Device};

/// How a plan is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Planning {
    /// The largest gain at every step.
    #[default]
    Greedy,
    /// The best of a beam search.
    Beam,
    /// The best of all, for small problems.
    Optimal,
}

/// Settings of the planner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How the plan is made.
    pub planning: Planning,
    /// Beginnings that a beam search keeps, at least 1.
    pub width: usize,
    /// Beginnings that branch and bound may look at, at least 1.
    pub limit: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config { planning: Planning::Greedy, width: 1000, limit: 1_000_000 }
    }
}

impl Configuration for Config {
    fn validate(&self) -> Result<(), ParameterError> {
        require("width", self.width, self.width > 0, "at least 1")?;
        require("limit", self.limit, self.limit > 0, "at least 1")
    }

    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        _seed: Seed,
        _device: D,
    ) -> Result<Box<dyn Learner>, Error> {
        Ok(Box::new(Planned::new(self, environment)?))
    }
}

/// Plays a plan.
pub struct Planned {
    plan: Plan,
    environment: Box<dyn BatchedEnvironment>,
    actions: Actions,
    step: BatchedStep,
    steps: u64,
}

impl Planned {
    /// Makes the plan.
    ///
    /// # Errors
    /// [`Error::Parameter`] when the configuration is out of range; [`Error::Unsupported`] when the
    /// environment has no set function; [`Error::Theory`] when its moves are not reliable or the search
    /// does not end within its limit.
    pub fn new(config: Config, mut environment: Box<dyn BatchedEnvironment>) -> Result<Self, Error> {
        config.validate()?;
        let Some(problem) = environment.submodular() else {
            return Err(Error::Unsupported {
                algorithm: "planned",
                needed: "an environment with a set function".into(),
                found: "none".into(),
            });
        };
        let plan = match config.planning {
            Planning::Greedy => greedy_plan(problem)?,
            Planning::Beam => beam_plan(problem, config.width)?,
            Planning::Optimal => optimal_plan(problem, config.limit)?,
        };
        let mut step = BatchedStep::new(&*environment);
        environment.reset(&mut step.observations)?;
        let actions = Actions::zeros(environment.action_space(), environment.copies());
        Ok(Planned { plan, environment, actions, step, steps: 0 })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl Learner for Planned {
    /// One episode on every copy.
    fn advance(&mut self) -> Result<Report, Error> {
        let mut report = Report::default();
        for &action in &self.plan.actions {
            if let Actions::Discrete(actions) = &mut self.actions {
                actions.fill(action);
            }
            self.environment.step(&self.actions, &mut self.step)?;
            report.episodes.extend_from_slice(&self.step.episodes);
            self.steps += self.actions.len() as u64;
        }
        report.metrics.push(("value", self.plan.value));
        Ok(report)
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn act(
        &self,
        observations: &[f32],
        _mode: Mode,
        _rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        let features = self.environment.observation_space().features();
        self.environment.action_space().check_buffer(actions, observations.len() / features)?;
        let (Actions::Discrete(actions), Some(problem)) = (actions, self.environment.submodular()) else {
            return Ok(());
        };
        for (action, observation) in actions.iter_mut().zip(observations.chunks_exact(features)) {
            let step = problem.observed(observation).map_or(0, |(step, _)| step);
            *action = self.plan.actions[step.min(self.plan.actions.len() - 1)];
        }
        Ok(())
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        checkpoint.put_record("planned", &(self.steps, self.environment.snapshot()?))
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let (steps, environment): (u64, Vec<u8>) = checkpoint.record("planned")?;
        self.environment.restore(&environment)?;
        self.steps = steps;
        Ok(())
    }
}
