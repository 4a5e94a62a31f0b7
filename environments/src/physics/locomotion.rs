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
/// **Observations**: the generalised positions but for the horizontal ones, the generalised
/// velocities, then the contact forces if there is a cost on them.
/// **Reward**: forward weight × forward speed − control cost × sum of squared actions + healthy
/// reward − contact cost, where the speed is the distance covered in the step over its time, and the
/// actions count as they were given, before they are clipped.
/// **End**: when the robot is no longer healthy.
/// **Objectives**: those of MO-Gymnasium; healthy reward and contact cost count towards each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Locomotion {
    /// Reward per m/s forwards.
    pub forward_reward: f64,
    /// Cost of the sum of the squared actions.
    pub control_cost: f64,
    /// Contact forces that are observed and cost; `None` without them.
    pub contacts: Option<Contacts>,
    /// What a robot must keep to; `None` where episodes only end by a time limit.
    pub health: Option<Health>,
    /// What the vector reward is made of.
    pub objectives: Objectives,
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
            contacts: None,
            health: None,
            objectives: Objectives::Speed,
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
    /// Range of the pitch in rad, of robots in an upright plane.
    pub pitch: [f64; 2],
    /// Bound on the absolute value of all positions and velocities but the horizontal position and
    /// height.
    pub state: f64,
}

/// Contact forces that are observed and cost.
///
/// Each part has three components of torque (about the robot's centre of mass, N m), then three of
/// force (N), clipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contacts {
    /// Cost of the sum of all components' squares.
    pub cost: f64,
    /// Components are clipped to ± this.
    pub clip: f64,
    /// Which forces: link and part.
    pub parts: Vec<[usize; 2]>,
}

/// The objectives of a vector reward: beside forward speed and, last, the negative sum of the
/// squared actions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Objectives {
    /// Nothing else.
    Speed,
    /// Ten times the height above the start.
    Height,
    /// Speed sideways.
    Sideways,
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

    /// Adds a draw to each of `values`.
    pub(super) fn add(self, rng: &mut Stream, values: &mut [f64]) {
        values.iter_mut().for_each(|value| *value += self.draw(rng));
    }
}

/// How many positions are not observed: those that the task does not depend on.
fn hidden(robot: &Robot) -> usize {
    match robot.links[0].joint {
        Joint::Free | Joint::Flat { .. } => 2,
        _ => 1,
    }
}

/// The height among a robot's positions.
fn height(robot: &Robot) -> usize {
    if robot.links[0].joint == Joint::Free { 2 } else { 1 }
}

impl Health {
    fn holds(&self, robot: &Robot, positions: &[f64], velocities: &[f64]) -> bool {
        let within = |x: f64, [low, high]: [f64; 2]| low < x && x < high;
        let height = height(robot);
        within(positions[height], self.height)
            && (robot.links[0].joint != Joint::Upright || within(positions[2], self.pitch))
            && positions[height + 1..].iter().chain(velocities).all(|x| x.abs() < self.state)
    }
}

impl Contacts {
    fn of_part(&self, world: &World, [link, part]: [usize; 2]) -> [f64; 6] {
        let [force, torque] = world.contact_force(link, part, world.centre_of_mass());
        let all = [torque[0], torque[1], torque[2], force[0], force[1], force[2]];
        all.map(|component| component.clamp(-self.clip, self.clip))
    }

    fn cost(&self, world: &World) -> f64 {
        let squares = |part: &[usize; 2]| self.of_part(world, *part).iter().map(|x| x * x).sum::<f64>();
        self.cost * self.parts.iter().map(squares).sum::<f64>()
    }
}

impl Task for Locomotion {
    fn width(&self, robot: &Robot) -> usize {
        let contacts = self.contacts.as_ref().map_or(0, |contacts| 6 * contacts.parts.len());
        robot.positions() - hidden(robot) + robot.velocities() + contacts
    }

    fn objectives(&self) -> &[&'static str] {
        match self.objectives {
            Objectives::Speed => &["forward speed", "thrift"],
            Objectives::Height => &["forward speed", "height", "thrift"],
            Objectives::Sideways => &["forward speed", "sideways speed", "thrift"],
        }
    }

    fn start(&mut self, _: &Robot, rng: &mut Stream, positions: &mut [f64], velocities: &mut [f64]) {
        Noise::Uniform(self.position_noise).add(rng, positions);
        self.velocity_noise.add(rng, velocities);
    }

    fn observe(&self, robot: &Robot, world: &World, observation: &mut [f32]) {
        let positions = world.positions()[hidden(robot)..].iter().copied();
        let velocities = world.velocities().iter().map(|v| v.clamp(-self.velocity_clip, self.velocity_clip));
        let (state, forces) = observation.split_at_mut(positions.len() + velocities.len());
        for (o, x) in state.iter_mut().zip(positions.chain(velocities)) {
            *o = x as f32;
        }
        if let Some(contacts) = &self.contacts {
            for (o, part) in forces.chunks_exact_mut(6).zip(&contacts.parts) {
                o.copy_from_slice(&contacts.of_part(world, *part).map(|x| x as f32));
            }
        }
    }

    fn outcome(&mut self, robot: &Robot, world: &World, action: &[f32], rewards: &mut [f64]) -> Outcome {
        let (positions, previous) = (world.positions(), world.previous_positions());
        let speed = |axis: usize| (positions[axis] - previous[axis]) / robot.control_step();
        let effort: f64 = action.iter().map(|a| f64::from(*a).powi(2)).sum();
        let healthy =
            self.health.as_ref().is_none_or(|health| health.holds(robot, positions, world.velocities()));
        let survival = self.health.as_ref().filter(|_| healthy).map_or(0.0, |health| health.reward);
        let shared = survival - self.contacts.as_ref().map_or(0.0, |contacts| contacts.cost(world));

        rewards[0] = speed(0);
        match self.objectives {
            Objectives::Speed => {}
            Objectives::Height => {
                rewards[1] = 10.0 * (positions[height(robot)] - robot.start[height(robot)]);
            }
            Objectives::Sideways => rewards[1] = speed(1),
        }
        rewards[rewards.len() - 1] = -effort;
        rewards.iter_mut().for_each(|reward| *reward += shared);

        let reward = self.forward_reward * speed(0) - self.control_cost * effort + shared;
        Outcome { reward, terminated: !healthy, truncated: false }
    }
}
