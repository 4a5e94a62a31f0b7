//! Gymnasium's tasks, version 5, for the robots in MuJoCo.

use rand::Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::simulation::{Robot, Simulation};
use crate::{Action, Environment, Error, Outcome, Space, random::Stream};

/// A robot in MuJoCo with its task, as in Gymnasium: `Hopper-v5` and so on, without the time limit.
///
/// Observations, rewards, ends and starts are Gymnasium's; rewards agree to single precision, in
/// which Gymnasium squares actions. Actions count as they were given; MuJoCo clips them.
#[derive(Clone, Serialize, Deserialize)]
pub struct RobotEnvironment {
    simulation: Simulation,
    /// Where the robot was along the x axis at the end of the last step, in m.
    position: f64,
}

/// What a robot is to do.
enum Task {
    /// Keep one pole upright.
    Pole,
    /// Keep two poles upright.
    TwoPoles,
    /// Reach a target.
    Reach,
    /// Move forwards.
    Locomotion(Locomotion),
}

/// Moving forwards: reward for speed, cost of control and contacts, reward for being healthy.
struct Locomotion {
    /// Positions that are not observed: those that moving along does not change the task by.
    hidden: usize,
    /// Observed velocities are clipped to ± this.
    velocity_clip: f64,
    /// Of the sum of squared actions.
    control_cost: f64,
    health: Option<Health>,
    /// Half-width of the noise of positions at the start.
    position_noise: f64,
    velocity_noise: Noise,
}

/// What a healthy robot keeps to; a healthy step brings a reward of 1.
enum Health {
    /// Of a robot in the plane; all bounds are exclusive.
    Upright {
        /// Of the height in m.
        height: [f64; 2],
        /// Of the pitch in rad.
        pitch: [f64; 2],
        /// On the absolute value of everything but the horizontal position and the height.
        state: f64,
    },
    /// Of a robot that moves freely; the bounds are inclusive.
    Free {
        /// Of the height in m.
        height: [f64; 2],
    },
}

/// Of every velocity at the start.
#[derive(Clone, Copy)]
enum Noise {
    Uniform(f64),
    Normal(f64),
}

/// Bound on each contact force and torque on a body, as it is observed and as it counts.
const CONTACT_FORCE: f64 = 1.0;
/// Cost of the sum of the Ant's squared contact forces.
const CONTACT_COST: f64 = 5e-4;
/// Radius of the Reacher's targets in m.
const TARGETS: f64 = 0.2;

impl Task {
    fn of(robot: Robot) -> Self {
        let flat = Locomotion {
            hidden: 2,
            velocity_clip: f64::INFINITY,
            control_cost: 1e-4,
            health: None,
            position_noise: 0.1,
            velocity_noise: Noise::Uniform(0.1),
        };
        let upright = |height, pitch, state| Locomotion {
            hidden: 1,
            velocity_clip: 10.0,
            control_cost: 1e-3,
            health: Some(Health::Upright { height, pitch, state }),
            position_noise: 5e-3,
            velocity_noise: Noise::Uniform(5e-3),
        };
        Task::Locomotion(match robot {
            Robot::InvertedPendulum => return Task::Pole,
            Robot::InvertedDoublePendulum => return Task::TwoPoles,
            Robot::Reacher => return Task::Reach,
            Robot::Swimmer => flat,
            Robot::Hopper => upright([0.7, f64::INFINITY], [-0.2, 0.2], 100.0),
            Robot::Walker2d => upright([0.8, 2.0], [-1.0, 1.0], f64::INFINITY),
            Robot::HalfCheetah => {
                Locomotion { hidden: 1, control_cost: 0.1, velocity_noise: Noise::Normal(0.1), ..flat }
            }
            Robot::Ant => Locomotion {
                control_cost: 0.5,
                health: Some(Health::Free { height: [0.2, 1.0] }),
                velocity_noise: Noise::Normal(0.1),
                ..flat
            },
        })
    }

    /// Moves a state at the start of an episode away from the model's own.
    fn disturb(&self, rng: &mut Stream, positions: &mut [f64], velocities: &mut [f64]) {
        let (position_noise, velocity_noise) = match self {
            Task::Pole => (0.01, Noise::Uniform(0.01)),
            Task::TwoPoles => (0.1, Noise::Normal(0.1)),
            Task::Reach => (0.1, Noise::Uniform(5e-3)),
            Task::Locomotion(task) => (task.position_noise, task.velocity_noise),
        };
        positions.iter_mut().for_each(|q| *q += position_noise * rng.random_range(-1.0..1.0));
        velocities.iter_mut().for_each(|v| *v += velocity_noise.draw(rng));
        if let Task::Reach = self {
            let target = loop {
                let target = [TARGETS, TARGETS].map(|bound| rng.random_range(-bound..bound));
                if target[0].hypot(target[1]) < TARGETS {
                    break target;
                }
            };
            positions[2..].copy_from_slice(&target);
            velocities[2..].fill(0.0);
        }
    }
}

impl Noise {
    fn draw(self, rng: &mut Stream) -> f64 {
        match self {
            Noise::Uniform(bound) => bound * rng.random_range(-1.0..1.0),
            Noise::Normal(deviation) => deviation * rng.sample::<f64, _>(StandardNormal),
        }
    }
}

impl Health {
    fn holds(&self, positions: &[f64], velocities: &[f64]) -> bool {
        match *self {
            Health::Upright { height, pitch, state } => {
                let within = |x: f64, [low, high]: [f64; 2]| low < x && x < high;
                within(positions[1], height)
                    && within(positions[2], pitch)
                    && positions[2..].iter().chain(velocities).all(|x| x.abs() < state)
            }
            Health::Free { height: [low, high] } => low <= positions[2] && positions[2] <= high,
        }
    }
}

impl RobotEnvironment {
    /// The robot in its model's own pose, until the first `reset`. Errors when the installed MuJoCo
    /// has another version.
    pub fn new(robot: Robot) -> Result<Self, Error> {
        let simulation = Simulation::new(robot)?;
        let position = position(&simulation);
        Ok(RobotEnvironment { simulation, position })
    }

    /// The simulation.
    pub fn simulation(&self) -> &Simulation {
        &self.simulation
    }

    /// Puts the robot into a state: generalised positions and velocities. Errors when one of the two
    /// has a wrong length.
    pub fn set_state(&mut self, positions: &[f64], velocities: &[f64]) -> Result<(), Error> {
        self.simulation.set_state(positions, velocities)?;
        self.position = position(&self.simulation);
        Ok(())
    }

    fn observe(&self, observation: &mut [f32]) {
        let simulation = &self.simulation;
        let (positions, velocities) = (simulation.positions(), simulation.velocities());
        let mut rest = observation.iter_mut();
        let mut put = |values: &mut dyn Iterator<Item = f64>| {
            values.zip(rest.by_ref()).for_each(|(x, o)| *o = x as f32);
        };
        match Task::of(simulation.robot()) {
            Task::Pole => put(&mut positions.iter().chain(velocities).copied()),
            Task::TwoPoles => {
                put(&mut positions[..1].iter().copied());
                put(&mut positions[1..].iter().map(|angle| angle.sin()));
                put(&mut positions[1..].iter().map(|angle| angle.cos()));
                let forces = &simulation.constraint_forces()[..1];
                put(&mut velocities.iter().chain(forces).map(|x| x.clamp(-10.0, 10.0)));
            }
            Task::Reach => {
                put(&mut positions[..2].iter().map(|angle| angle.cos()));
                put(&mut positions[..2].iter().map(|angle| angle.sin()));
                put(&mut positions[2..].iter().chain(&velocities[..2]).copied());
                put(&mut to_target(simulation)[..2].iter().copied());
            }
            Task::Locomotion(task) => {
                put(&mut positions[task.hidden..].iter().copied());
                put(&mut velocities.iter().map(|v| v.clamp(-task.velocity_clip, task.velocity_clip)));
                if simulation.robot() == Robot::Ant {
                    // The world's own row is not observed.
                    put(&mut clipped_contact_forces(simulation).skip(6));
                }
            }
        }
    }

    /// Judges the step that led here from `self.position` by `action`.
    fn outcome(&self, action: &[f32]) -> Outcome {
        let simulation = &self.simulation;
        let (positions, velocities) = (simulation.positions(), simulation.velocities());
        let effort: f64 = action.iter().map(|a| f64::from(*a).powi(2)).sum();
        let ending = |reward: f64, terminated| Outcome { reward, terminated, truncated: false };
        match Task::of(simulation.robot()) {
            Task::Pole => {
                let fallen = positions[1].abs() > 0.2;
                ending(if fallen { 0.0 } else { 1.0 }, fallen)
            }
            Task::TwoPoles => {
                let [x, _, z] = simulation.sites()[0];
                let distance = 0.01 * x.powi(2) + (z - 2.0).powi(2);
                let velocity = 1e-3 * velocities[1].powi(2) + 5e-3 * velocities[2].powi(2);
                let fallen = z <= 1.0;
                ending(if fallen { 0.0 } else { 10.0 } - distance - velocity, fallen)
            }
            Task::Reach => {
                let distance = to_target(simulation).iter().map(|x| x * x).sum::<f64>().sqrt();
                Outcome::running(-distance - effort)
            }
            Task::Locomotion(task) => {
                let speed = (position(simulation) - self.position) / simulation.control_step();
                let mut reward = speed - task.control_cost * effort;
                if simulation.robot() == Robot::Ant {
                    reward -= CONTACT_COST * clipped_contact_forces(simulation).map(|x| x * x).sum::<f64>();
                }
                match task.health {
                    Some(health) if health.holds(positions, velocities) => Outcome::running(reward + 1.0),
                    Some(_) => ending(reward, true),
                    None => Outcome::running(reward),
                }
            }
        }
    }
}

/// Where the robot is along the x axis, in m. For the Ant, Gymnasium takes the torso's place as of
/// the integrator's last stage.
fn position(simulation: &Simulation) -> f64 {
    match simulation.robot() {
        Robot::Ant => simulation.bodies()[1][0],
        _ => simulation.positions()[0],
    }
}

/// From the Reacher's target to its fingertip, in m.
fn to_target(simulation: &Simulation) -> [f64; 3] {
    // The bodies are the world, two links, the fingertip and the target.
    let [.., fingertip, target] = simulation.bodies() else { return [0.0; 3] };
    [0, 1, 2].map(|i| fingertip[i] - target[i])
}

fn clipped_contact_forces(simulation: &Simulation) -> impl Iterator<Item = f64> {
    let forces = simulation.contact_forces().as_flattened();
    forces.iter().map(|x| x.clamp(-CONTACT_FORCE, CONTACT_FORCE))
}

impl Environment for RobotEnvironment {
    fn observation_space(&self) -> Space {
        let simulation = &self.simulation;
        let state = simulation.positions().len() + simulation.velocities().len();
        let width = match simulation.robot() {
            Robot::InvertedPendulum => state,
            Robot::InvertedDoublePendulum => state + 3,
            Robot::Reacher => state + 2,
            Robot::Swimmer => state - 2,
            Robot::Hopper | Robot::HalfCheetah | Robot::Walker2d => state - 1,
            Robot::Ant => state - 2 + 6 * (simulation.bodies().len() - 1),
        };
        Space::symmetric(width, f32::INFINITY)
    }

    fn action_space(&self) -> Space {
        let bounds = self.simulation.action_bounds();
        Space::Box {
            low: bounds.iter().map(|[low, _]| *low as f32).collect(),
            high: bounds.iter().map(|[_, high]| *high as f32).collect(),
        }
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        let mut positions = self.simulation.start().to_vec();
        let mut velocities = vec![0.0; self.simulation.velocities().len()];
        Task::of(self.simulation.robot()).disturb(rng, &mut positions, &mut velocities);
        self.set_state(&positions, &velocities)?;
        self.observe(observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        _rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let action = action.numbers(self.simulation.action_bounds().len())?;
        self.simulation.step(action)?;
        self.observe(observation);
        let outcome = self.outcome(action);
        self.position = position(&self.simulation);
        Ok(outcome)
    }
}
