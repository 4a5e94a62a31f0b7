//! Holding poles upright on a cart.

use serde::{Deserialize, Serialize};

use super::{
    World,
    environment::Task,
    locomotion::Noise,
    robot::{Robot, Shape, Vector3},
};
use crate::{Outcome, random::Stream};

/// Keep one pole within 0.2 rad of upright: the task of Gymnasium's `InvertedPendulum-v5`.
///
/// **Observations**: the cart's position, the pole's angle, their velocities.
/// **Reward**: 1 for every step in which the pole stays up.
/// **Start**: positions and velocities uniform in ± 0.01.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Balance;

impl Task for Balance {
    fn width(&self, robot: &Robot) -> usize {
        robot.positions() + robot.velocities()
    }

    fn start(&mut self, _: &Robot, rng: &mut Stream, positions: &mut [f64], velocities: &mut [f64]) {
        Noise::Uniform(0.01).add(rng, positions);
        Noise::Uniform(0.01).add(rng, velocities);
    }

    fn observe(&self, _: &Robot, world: &World, observation: &mut [f32]) {
        for (o, x) in observation.iter_mut().zip(world.positions().iter().chain(world.velocities())) {
            *o = *x as f32;
        }
    }

    fn outcome(&mut self, _: &Robot, world: &World, _: &[f32], _: &mut [f64]) -> Outcome {
        let terminated = world.positions()[1].abs() > 0.2;
        Outcome { reward: if terminated { 0.0 } else { 1.0 }, terminated, truncated: false }
    }
}

/// Keep the tip of two poles, one on top of the other, above 1 m: the task of Gymnasium's
/// `InvertedDoublePendulum-v5`.
///
/// **Observations**: the cart's position; sines, then cosines of the two angles; the three
/// velocities, clipped to ± 10; the force of the track's end on the cart, clipped to ± 10 N.
/// **Reward**: 10 while the tip is above 1 m, minus 0.01 x² + (z − 2)² of the tip and 10⁻³ ω₁² +
/// 5·10⁻³ ω₂² of the angular velocities.
/// **Start**: positions uniform in ± 0.1, velocities normal with standard deviation 0.1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DoubleBalance;

impl Task for DoubleBalance {
    fn width(&self, _: &Robot) -> usize {
        9
    }

    fn start(&mut self, _: &Robot, rng: &mut Stream, positions: &mut [f64], velocities: &mut [f64]) {
        Noise::Uniform(0.1).add(rng, positions);
        Noise::Normal(0.1).add(rng, velocities);
    }

    fn observe(&self, _: &Robot, world: &World, observation: &mut [f32]) {
        let [x, first, second] = [0, 1, 2].map(|i| world.positions()[i]);
        let [cart, lower, upper] = [0, 1, 2].map(|i| world.velocities()[i].clamp(-10.0, 10.0));
        let end = world.limit_force(0).clamp(-10.0, 10.0);
        let (sines, cosines) = ([first.sin(), second.sin()], [first.cos(), second.cos()]);
        let all = [x, sines[0], sines[1], cosines[0], cosines[1], cart, lower, upper, end];
        observation.copy_from_slice(&all.map(|x| x as f32));
    }

    fn outcome(&mut self, robot: &Robot, world: &World, _: &[f32], _: &mut [f64]) -> Outcome {
        let [x, z] = tip(robot, world);
        let [_, lower, upper] = [0, 1, 2].map(|i| world.velocities()[i]);
        let terminated = z <= 1.0;
        let alive = if terminated { 0.0 } else { 10.0 };
        let distance = 0.01 * x * x + (z - 2.0).powi(2);
        let haste = 1e-3 * lower * lower + 5e-3 * upper * upper;
        Outcome { reward: alive - distance - haste, terminated, truncated: false }
    }
}

/// Where the upper end of the last pole's line is (x and z), from the state itself.
fn tip(robot: &Robot, world: &World) -> [f64; 2] {
    let Shape::Capsule { to, .. } = robot.links[2].parts[0].shape else { return [0.0; 2] };
    let [x, lower, upper] = [0, 1, 2].map(|i| world.positions()[i]);
    let turned = |[x, _, z]: Vector3, angle: f64| {
        [x * angle.cos() + z * angle.sin(), z * angle.cos() - x * angle.sin()]
    };
    let (first, second) = (turned(robot.links[2].offset, lower), turned(to, lower + upper));
    [x + first[0] + second[0], first[1] + second[1]]
}
