//! A robot with a task, as an environment.

use std::{collections::BTreeMap, sync::Arc};

use rand::Rng;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Robot, World, alterations::Alterations, drawing};
use crate::{
    Action, Environment, Error, Outcome, PhysicalParameter, PhysicalParameters, Space, VectorReward,
    parameters::require, physical_parameters::find, picture::Picture, random::Stream,
};

/// What a robot is to do: how an episode starts, what is observed, what is rewarded, when it ends.
pub trait Task: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// How many numbers an observation has.
    fn width(&self, robot: &Robot) -> usize;

    /// The names of the objectives, where the reward has several.
    fn objectives(&self) -> &[&'static str] {
        &[]
    }

    /// Starts an episode: moves the generalised positions and velocities away from where the robot
    /// starts without noise.
    fn start(&mut self, robot: &Robot, rng: &mut Stream, positions: &mut [f64], velocities: &mut [f64]);

    /// Writes the observation of the current state.
    fn observe(&self, robot: &Robot, world: &World, observation: &mut [f32]);

    /// Judges the control step that led to the current state under `action`, as it was given, and
    /// writes the reward of every objective.
    fn outcome(&mut self, robot: &Robot, world: &World, action: &[f32], rewards: &mut [f64]) -> Outcome;

    /// Does what happens between two steps, such as choosing a new goal.
    fn proceed(&mut self, _world: &World, _rng: &mut Stream) {}

    /// Adds what belongs to the task to a picture of the robot.
    fn draw(&self, _picture: &mut Picture) {}
}

/// A robot that acts in a simulated world.
///
/// Actions are one number for each motor, clipped to the motor's limits. Observations are not
/// bounded. `reset` builds a new world; `step` allocates only what rapier's solver does.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "T: Task")]
pub struct RobotEnvironment<T> {
    published: Arc<Robot>,
    /// The robot as it is in this episode.
    robot: Arc<Robot>,
    alterations: Alterations,
    /// Parameters (by index) that are drawn from a range at every reset.
    hidden: Vec<(usize, [f64; 2])>,
    task: T,
    world: World,
    rewards: Vec<f64>,
}

/// How a robot differs from the published one; parameters of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Physique {
    /// Values of physical parameters, by name.
    pub physical: BTreeMap<String, f64>,
    /// Ranges of physical parameters, by name, that are drawn from uniformly at every reset. The
    /// agent observes neither the range nor the value.
    pub hidden: BTreeMap<String, [f64; 2]>,
}

impl<T: Task> RobotEnvironment<T> {
    /// The robot at its start, without noise until the first `reset`. Errors when the description
    /// contradicts itself.
    pub fn new(robot: Robot, task: T) -> Result<Self, Error> {
        let world = World::new(&robot, &robot.start, &vec![0.0; robot.velocities()])?;
        let alterations = Alterations::of(&robot);
        let rewards = vec![0.0; task.objectives().len()];
        let robot = Arc::new(robot);
        Ok(RobotEnvironment {
            published: Arc::clone(&robot),
            robot,
            alterations,
            hidden: Vec::new(),
            task,
            world,
            rewards,
        })
    }

    /// The environment with another physique. Errors when a parameter is unknown or out of its range.
    pub fn with_physique(mut self, physique: &Physique) -> Result<Self, Error> {
        for (name, value) in &physique.physical {
            self.set_physical_parameter(name, *value)?;
        }
        for (name, range) in &physique.hidden {
            self.hide(name, *range)?;
        }
        Ok(self)
    }

    /// Draws the parameter called `name` uniformly from `range` at every reset. Errors when there is
    /// none of this name, or the range is not within the parameter's.
    pub fn hide(&mut self, name: &str, range: [f64; 2]) -> Result<(), Error> {
        let parameters = &self.alterations.parameters;
        let index = find(parameters, name)?;
        let [low, high] = range;
        parameters[index].check(low)?;
        parameters[index].check(high)?;
        require(name, format!("{low} to {high}"), low <= high, "a range from low to high")?;
        self.hidden.retain(|(other, _)| *other != index);
        self.hidden.push((index, range));
        Ok(())
    }

    /// The robot's description in this episode.
    pub fn robot(&self) -> &Robot {
        &self.robot
    }

    /// The task.
    pub fn task(&self) -> &T {
        &self.task
    }

    /// The simulation.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Puts the robot into a state, as new: generalised positions and velocities, in the order of
    /// [`Joint`](super::Joint). Errors when one of them has a wrong length.
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
        for (index, [low, high]) in &self.hidden {
            self.alterations.parameters[*index].value = rng.random_range(*low..=*high);
        }
        if self.alterations.any() {
            self.robot = Arc::new(self.alterations.apply(&self.published));
        } else if !Arc::ptr_eq(&self.robot, &self.published) {
            self.robot = Arc::clone(&self.published);
        }
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
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let action = action.numbers(self.robot.motors.len())?;
        self.world.step(&self.robot, action)?;
        let outcome = self.task.outcome(&self.robot, &self.world, action, &mut self.rewards);
        self.task.proceed(&self.world, rng);
        self.task.observe(&self.robot, &self.world, observation);
        Ok(outcome)
    }

    fn draw(&self) -> Option<Picture> {
        let mut picture = drawing::draw(&self.robot, &self.world);
        self.task.draw(&mut picture);
        Some(picture)
    }

    fn vector_reward(&self) -> Option<&dyn VectorReward> {
        (!self.rewards.is_empty()).then_some(self)
    }

    fn physics(&mut self) -> Option<&mut dyn PhysicalParameters> {
        Some(self)
    }
}

impl<T: Task> VectorReward for RobotEnvironment<T> {
    fn objectives(&self) -> &[&'static str] {
        self.task.objectives()
    }

    fn rewards(&self) -> &[f64] {
        &self.rewards
    }
}

impl<T: Task> PhysicalParameters for RobotEnvironment<T> {
    fn physical_parameters(&self) -> Vec<PhysicalParameter> {
        self.alterations.parameters.clone()
    }

    fn set_physical_parameter(&mut self, name: &str, value: f64) -> Result<(), Error> {
        let parameters = &mut self.alterations.parameters;
        let index = find(parameters, name)?;
        parameters[index].check(value)?;
        parameters[index].value = value;
        self.hidden.retain(|(hidden, _)| *hidden != index);
        Ok(())
    }
}
