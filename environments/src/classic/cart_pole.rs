//! CartPole-v1: balance a pole on a cart.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::physics::{Physics, Quantity};
use crate::{
    Action, Environment, Error, Outcome, PhysicalParameter, PhysicalParameters, Space,
    picture::{Colour, Picture, Style},
    random::Stream,
};

/// Time between two states in s.
const TIME_STEP: f64 = 0.02;
/// The cart's position, in m to either side, beyond which the episode ends.
const POSITION_LIMIT: f64 = 2.4;
/// The pole's angle, in rad to either side, beyond which the episode ends: 12 degrees.
const ANGLE_LIMIT: f64 = 12.0 * 2.0 * std::f64::consts::PI / 360.0;

/// The physical parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Values {
    /// Acceleration of gravity in m/s².
    gravity: f64,
    /// In kg.
    pole_mass: f64,
    /// From the joint to the centre of mass, in m.
    pole_half_length: f64,
    /// In kg.
    cart_mass: f64,
    /// Size of the push in N.
    force: f64,
}

impl Default for Values {
    fn default() -> Self {
        Values { gravity: 9.8, pole_mass: 0.1, pole_half_length: 0.5, cart_mass: 1.0, force: 10.0 }
    }
}

/// What can be changed.
const QUANTITIES: &[Quantity<Values>] = &[
    Quantity { name: "pole_mass", unit: "kg", range: [0.01, 1.0], field: |p| &mut p.pole_mass },
    Quantity { name: "pole_half_length", unit: "m", range: [0.1, 2.0], field: |p| &mut p.pole_half_length },
    Quantity { name: "cart_mass", unit: "kg", range: [0.1, 5.0], field: |p| &mut p.cart_mass },
    Quantity { name: "gravity", unit: "m/s²", range: [1.0, 20.0], field: |p| &mut p.gravity },
    Quantity { name: "force", unit: "N", range: [1.0, 20.0], field: |p| &mut p.force },
];

/// Balance a pole, hinged to a cart that moves along a frictionless track, by pushing the cart.
///
/// The cart-pole of Barto, Sutton and Anderson (1983), "Neuronlike adaptive elements that can
/// solve difficult learning control problems", as in Gymnasium's `CartPole-v1` (with the equations
/// of motion of Florian, 2007), integrated with explicit Euler steps of 0.02 s.
///
/// | observation | bounds | unit |
/// |---|---|---|
/// | position of the cart | ± 4.8 | m |
/// | velocity of the cart | unbounded | m/s |
/// | angle of the pole from upright | ± 0.418 (24°) | rad |
/// | angular velocity of the pole | unbounded | rad/s |
///
/// **Actions**: 0 pushes the cart to the left, 1 to the right, with 10 N.
/// **Reward**: 1 for every step, the last one included.
/// **Start**: all four uniform in ± 0.05.
/// **End**: terminated when the cart is more than 2.4 m from the centre or the pole more than 12°
/// from upright. Gymnasium's time limit is 500 steps.
/// **Physical parameters**: `pole_mass` 0.1 kg, `pole_half_length` 0.5 m, `cart_mass` 1 kg, `gravity`
/// 9.8 m/s², `force` 10 N.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CartPole {
    state: [f64; 4],
    physics: Physics<Values>,
}

impl CartPole {
    /// A cart at rest in the centre with the pole upright, until the first `reset`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Position (m), velocity (m/s), angle (rad) and angular velocity (rad/s).
    pub fn state(&self) -> [f64; 4] {
        self.state
    }

    /// Puts cart and pole into a state, in the order and units of [`state`](Self::state).
    pub fn set_state(&mut self, state: [f64; 4]) {
        self.state = state;
    }

    fn observe(&self, observation: &mut [f32]) {
        for (o, x) in observation.iter_mut().zip(self.state) {
            *o = x as f32;
        }
    }
}

impl Environment for CartPole {
    fn observation_space(&self) -> Space {
        let high =
            vec![2.0 * POSITION_LIMIT as f32, f32::INFINITY, (2.0 * ANGLE_LIMIT) as f32, f32::INFINITY];
        Space::Box { low: high.iter().map(|h| -h).collect(), high }
    }

    fn action_space(&self) -> Space {
        Space::discrete(2)
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.physics.reset();
        self.state = std::array::from_fn(|_| rng.random_range(-0.05..0.05));
        self.observe(observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        _rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let Values { gravity, pole_mass, pole_half_length, cart_mass, force } = self.physics.now;
        let force = if action.discrete(2)? == 1 { force } else { -force };
        let total_mass = pole_mass + cart_mass;
        let pole_mass_length = pole_mass * pole_half_length;
        let [x, v, theta, omega] = self.state;
        let (sin, cos) = theta.sin_cos();

        let temp = (force + pole_mass_length * (omega * omega) * sin) / total_mass;
        let angular_acceleration = (gravity * sin - cos * temp)
            / (pole_half_length * (4.0 / 3.0 - pole_mass * (cos * cos) / total_mass));
        let acceleration = temp - pole_mass_length * angular_acceleration * cos / total_mass;

        self.state = [
            x + TIME_STEP * v,
            v + TIME_STEP * acceleration,
            theta + TIME_STEP * omega,
            omega + TIME_STEP * angular_acceleration,
        ];
        self.observe(observation);
        let [x, _, theta, _] = self.state;
        let terminated = x.abs() > POSITION_LIMIT || theta.abs() > ANGLE_LIMIT;
        Ok(Outcome { reward: 1.0, terminated, truncated: false })
    }

    fn draw(&self) -> Option<Picture> {
        let [x, _, theta, _] = self.state;
        let joint = [x, 0.25];
        let length = 2.0 * self.physics.now.pole_half_length;
        let tip = [x + length * theta.sin(), 0.25 + length * theta.cos()];
        let mut picture = Picture::new([-2.8, -0.3], [2.8, 1.5]);
        picture.line([[-2.8, 0.0], [2.8, 0.0]], Style::line(Colour::GREY, 0.015));
        for end in [-POSITION_LIMIT, POSITION_LIMIT] {
            picture.line([[end, -0.1], [end, 0.1]], Style::line(Colour::GREY, 0.03));
        }
        picture.rectangle([x - 0.25, 0.0], [x + 0.25, 0.3], Style::fill(Colour::DARK_GREY));
        picture.rod(joint, tip, 0.08, Style::fill(Colour::ORANGE));
        picture.circle(joint, 0.06, Style::fill(Colour::BLUE));
        Some(picture)
    }

    fn physics(&mut self) -> Option<&mut dyn PhysicalParameters> {
        Some(self)
    }
}

impl PhysicalParameters for CartPole {
    fn physical_parameters(&self) -> Vec<PhysicalParameter> {
        self.physics.parameters(QUANTITIES)
    }

    fn set_physical_parameter(&mut self, name: &str, value: f64) -> Result<(), Error> {
        self.physics.set(QUANTITIES, name, value)
    }
}
