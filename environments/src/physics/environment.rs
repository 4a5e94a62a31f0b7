//! A robot with a task, as an environment.

use std::sync::Arc;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Robot, World, drawing};
use crate::{Action, Environment, Error, Outcome, Space, picture::Picture, random::Stream};

/// What a robot is to do: how an episode starts, what is observed, what is rewarded, when it ends.
pub trait Task: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// How many numbers an observation has.
    fn width(&self, robot: &Robot) -> usize;

    /// Starts an episode: moves the generalised positions and velocities away from where the robot
    /// starts without noise.
    fn start(&mut self, robot: &Robot, rng: &mut Stream, positions: &mut [f64], velocities: &mut [f64]);

    /// Writes the observation of the current state.
    fn observe(&self, robot: &Robot, world: &World, observation: &mut [f32]);

    /// Judges the control step that led to the current state under `action`, as it was given.
    fn outcome(&mut self, robot: &Robot, world: &World, action: &[f32]) -> Outcome;
}

/// A robot that acts in a simulated world.
///
/// Actions are one number for each motor, clipped to the motor's limits. Observations are not
/// bounded. `reset` builds a new world; `step` allocates only what rapier's solver does.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "T: Task")]
pub struct RobotEnvironment<T> {
    robot: Arc<Robot>,
    task: T,
    world: World,
}

impl<T: Task> RobotEnvironment<T> {
    /// The robot at its start, without noise until the first `reset`. Errors when the description
    /// contradicts itself.
    pub fn new(robot: Robot, task: T) -> Result<Self, Error> {
        let world = World::new(&robot, &robot.start, &vec![0.0; robot.velocities()])?;
        Ok(RobotEnvironment { robot: Arc::new(robot), task, world })
    }

    /// The robot's description.
    pub fn robot(&self) -> &Robot {
        &self.robot
    }

    /// The simulation.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Puts the robot into a state at rest in the solver's memory: generalised positions and
    /// velocities, in the order of [`Joint`](super::Joint). Errors when one of them has a wrong
    /// length.
    pub fn set_state(&mut self, positions: &[f64], velocities: &[f64]) -> Result<(), Error> {
        self.world = World::new(&self.robot, positions, velocities)?;
        Ok(())
    }
}

impl<T: Task> Environment for RobotEnvironment<T> {
    fn observation_space(&self) -> Space {
        Space::symmetric(self.task.width(&self.robot), f32::INFINITY)
    }

    fn action_space(&self) -> Space {
        let high: Vec<f32> = self.robot.motors.iter().map(|motor| motor.limit as f32).collect();
        Space::Box { low: high.iter().map(|limit| -limit).collect(), high }
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        let mut positions = self.robot.start.clone();
        let mut velocities = vec![0.0; self.robot.velocities()];
        self.task.start(&self.robot, rng, &mut positions, &mut velocities);
        self.world = World::new(&self.robot, &positions, &velocities)?;
        self.task.observe(&self.robot, &self.world, observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        _rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let action = action.numbers(self.robot.motors.len())?;
        self.world.step(&self.robot, action)?;
        self.task.observe(&self.robot, &self.world, observation);
        Ok(self.task.outcome(&self.robot, &self.world, action))
    }

    fn draw(&self) -> Option<Picture> {
        Some(drawing::draw(&self.robot, &self.world))
    }
}
