//! Walking, hopping, running and swimming: the task that most robots share.

use rand::Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use super::{
    World,
    environment::Task,
    robot::{Joint, Robot},
};
use crate::{Outcome, random::Stream};

/// Move forwards, spend little, stay healthy: the task of Gymnasium's `Hopper-v5`, `Walker2d-v5`,
/// `HalfCheetah-v5`, `Ant-v5` and `Swimmer-v5`, which differ only in the numbers.
///
/// **Observations**: the generalised positions but for the horizontal ones, then the generalised
/// velocities.
/// **Reward**: forward weight × forward speed − control cost × sum of squared actions + healthy
/// reward, where the speed is the distance covered in the step over its time, and the actions count
/// as they were given, before they are clipped.
/// **End**: when the robot is no longer healthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Locomotion {
    /// Reward per m/s forwards.
    pub forward_reward: f64,
    /// Cost of the sum of the squared actions.
    pub control_cost: f64,
    /// What a robot must keep to; `None` where episodes only end by a time limit.
    pub health: Option<Health>,
    /// Observed velocities are clipped to ± this.
    pub velocity_clip: f64,
    /// Half-width of the uniform noise on every position at the start.
    pub position_noise: f64,
    /// Noise on every velocity at the start.
    pub velocity_noise: Noise,
}

impl Default for Locomotion {
    /// A reward of 1 for each m/s forwards, and nothing else.
    fn default() -> Self {
        Locomotion {
            forward_reward: 1.0,
            control_cost: 0.0,
            health: None,
            velocity_clip: f64::INFINITY,
            position_noise: 0.0,
            velocity_noise: Noise::Uniform(0.0),
        }
    }
}

/// What a healthy robot's state is within; bounds are exclusive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Reward of a healthy step.
    pub reward: f64,
    /// Range of the height in m.
    pub height: [f64; 2],
    /// Range of the pitch in rad.
    pub pitch: [f64; 2],
    /// Bound on the absolute value of all positions and velocities but the horizontal position and
    /// height.
    pub state: f64,
}

/// Noise of mean zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Noise {
    /// Uniform in ± this.
    Uniform(f64),
    /// Normal with this standard deviation.
    Normal(f64),
}

impl Noise {
    pub(super) fn draw(self, rng: &mut Stream) -> f64 {
        match self {
            Noise::Uniform(bound) => bound * rng.random_range(-1.0..=1.0),
            Noise::Normal(deviation) => deviation * rng.sample::<f64, _>(StandardNormal),
        }
    }
}

impl Locomotion {
    /// How many positions are not observed: those that moving along does not change the task by.
    fn hidden(robot: &Robot) -> usize {
        match robot.links[0].joint {
            Joint::Free | Joint::Flat { .. } => 2,
            _ => 1,
        }
    }
}

impl Health {
    fn holds(&self, positions: &[f64], velocities: &[f64]) -> bool {
        let within = |x: f64, [low, high]: [f64; 2]| low < x && x < high;
        within(positions[1], self.height)
            && within(positions[2], self.pitch)
            && positions[2..].iter().chain(velocities).all(|x| x.abs() < self.state)
    }
}

impl Task for Locomotion {
    fn width(&self, robot: &Robot) -> usize {
        robot.positions() - Self::hidden(robot) + robot.velocities()
    }

    fn start(&mut self, _: &Robot, rng: &mut Stream, positions: &mut [f64], velocities: &mut [f64]) {
        let noise = Noise::Uniform(self.position_noise);
        positions.iter_mut().for_each(|q| *q += noise.draw(rng));
        velocities.iter_mut().for_each(|v| *v += self.velocity_noise.draw(rng));
    }

    fn observe(&self, robot: &Robot, world: &World, observation: &mut [f32]) {
        let positions = &world.positions()[Self::hidden(robot)..];
        let velocities = world.velocities().iter().map(|v| v.clamp(-self.velocity_clip, self.velocity_clip));
        for (o, x) in observation.iter_mut().zip(positions.iter().copied().chain(velocities)) {
            *o = x as f32;
        }
    }

    fn outcome(&mut self, robot: &Robot, world: &World, action: &[f32]) -> Outcome {
        let speed = (world.positions()[0] - world.previous_positions()[0]) / robot.control_step();
        let effort: f64 = action.iter().map(|a| f64::from(*a).powi(2)).sum();
        let mut outcome = Outcome::running(self.forward_reward * speed - self.control_cost * effort);
        if let Some(health) = &self.health {
            if health.holds(world.positions(), world.velocities()) {
                outcome.reward += health.reward;
            } else {
                outcome.terminated = true;
            }
        }
        outcome
    }
}
