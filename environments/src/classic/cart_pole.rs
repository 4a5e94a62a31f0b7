//! CartPole-v1: balance a pole on a cart.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    Action, Environment, Error, Outcome, Space,
    picture::{Colour, Picture, Style},
    random::Stream,
};

/// Acceleration of gravity in m/s².
const GRAVITY: f64 = 9.8;
/// Mass of the pole in kg.
const POLE_MASS: f64 = 0.1;
/// Mass of cart and pole in kg.
const TOTAL_MASS: f64 = POLE_MASS + 1.0;
/// Half the length of the pole in m: the distance from the joint to its centre of mass.
const HALF_LENGTH: f64 = 0.5;
/// Mass of the pole times the distance of its centre of mass, in kg m.
const POLE_MASS_LENGTH: f64 = POLE_MASS * HALF_LENGTH;
/// Size of the force on the cart in N.
const FORCE: f64 = 10.0;
/// Time between two states in s.
const TIME_STEP: f64 = 0.02;
/// The cart's position, in m to either side, beyond which the episode ends.
const POSITION_LIMIT: f64 = 2.4;
/// The pole's angle, in rad to either side, beyond which the episode ends: 12 degrees.
const ANGLE_LIMIT: f64 = 12.0 * 2.0 * std::f64::consts::PI / 360.0;

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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CartPole {
    state: [f64; 4],
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
        let force = if action.discrete(2)? == 1 { FORCE } else { -FORCE };
        let [x, v, theta, omega] = self.state;
        let (sin, cos) = theta.sin_cos();

        let temp = (force + POLE_MASS_LENGTH * (omega * omega) * sin) / TOTAL_MASS;
        let angular_acceleration =
            (GRAVITY * sin - cos * temp) / (HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * (cos * cos) / TOTAL_MASS));
        let acceleration = temp - POLE_MASS_LENGTH * angular_acceleration * cos / TOTAL_MASS;

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
        let tip = [x + 2.0 * HALF_LENGTH * theta.sin(), 0.25 + 2.0 * HALF_LENGTH * theta.cos()];
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
}
