//! Touching a target with the tip of an arm.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{
    World,
    environment::Task,
    locomotion::Noise,
    robot::{Robot, Vector3},
};
use crate::{
    Outcome,
    picture::{Colour, Picture, Style},
    random::Stream,
};

/// Bring the tip of an arm to a target and hold it there: the task of Gymnasium's `Reacher-v5`.
///
/// **Observations**: cosines, then sines of the two angles; the target's x and y; the two angular
/// velocities; the tip's x and y relative to the target.
/// **Reward**: −distance − sum of squared actions, which count as given.
/// **Start**: angles uniform in ± 0.1, velocities in ± 0.005, the target uniform in a disc of 0.2 m.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reach {
    /// The tip in the frame of the last link.
    pub tip: Vector3,
    /// The target's x and y in m.
    pub target: [f64; 2],
}

impl Reach {
    /// From the target to the tip.
    fn gap(&self, robot: &Robot, world: &World) -> [f64; 2] {
        let [x, y, _] = world.point(robot.links.len() - 1, self.tip);
        [x - self.target[0], y - self.target[1]]
    }
}

impl Task for Reach {
    fn width(&self, _: &Robot) -> usize {
        10
    }

    fn start(&mut self, _: &Robot, rng: &mut Stream, positions: &mut [f64], velocities: &mut [f64]) {
        Noise::Uniform(0.1).add(rng, positions);
        Noise::Uniform(0.005).add(rng, velocities);
        loop {
            self.target = [0, 1].map(|_| rng.random_range(-0.2..=0.2));
            if self.target[0].hypot(self.target[1]) < 0.2 {
                break;
            }
        }
    }

    fn observe(&self, robot: &Robot, world: &World, observation: &mut [f32]) {
        let [first, second] = [0, 1].map(|i| world.positions()[i]);
        let [gap_x, gap_y] = self.gap(robot, world);
        let [target_x, target_y] = self.target;
        let [spin, second_spin] = [0, 1].map(|i| world.velocities()[i]);
        let (cosines, sines) = ([first.cos(), second.cos()], [first.sin(), second.sin()]);
        let all =
            [cosines[0], cosines[1], sines[0], sines[1], target_x, target_y, spin, second_spin, gap_x, gap_y];
        observation.copy_from_slice(&all.map(|x| x as f32));
    }

    fn outcome(&mut self, robot: &Robot, world: &World, action: &[f32], _: &mut [f64]) -> Outcome {
        let [x, y] = self.gap(robot, world);
        let effort: f64 = action.iter().map(|a| f64::from(*a).powi(2)).sum();
        Outcome::running(-x.hypot(y) - effort)
    }

    fn draw(&self, picture: &mut Picture) {
        picture.circle(self.target, 0.012, Style::fill(Colour::VERMILION));
    }
}
