//! Pendulum-v1: swing a pendulum up and keep it there.

use std::f64::consts::PI;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::physics::{Physics, Quantity};
use crate::{
    Action, Environment, Error, Outcome, PhysicalParameter, PhysicalParameters, Space,
    parameters::require,
    picture::{Colour, Picture, Style},
    random::Stream,
};

/// Time between two states in s.
const TIME_STEP: f64 = 0.05;
/// Largest torque in N m.
const MAX_TORQUE: f32 = 2.0;
/// Largest angular velocity in rad/s.
const MAX_SPEED: f64 = 8.0;

/// The physical parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Values {
    /// In kg.
    mass: f64,
    /// In m.
    length: f64,
    /// Acceleration of gravity in m/s².
    gravity: f64,
}

impl Default for Values {
    fn default() -> Self {
        Values { mass: 1.0, length: 1.0, gravity: 10.0 }
    }
}

/// What can be changed.
const QUANTITIES: &[Quantity<Values>] = &[
    Quantity { name: "mass", unit: "kg", range: [0.1, 5.0], field: |p| &mut p.mass },
    Quantity { name: "length", unit: "m", range: [0.1, 5.0], field: |p| &mut p.length },
    Quantity { name: "gravity", unit: "m/s²", range: [0.0, 20.0], field: |p| &mut p.gravity },
];

/// Swing an inverted pendulum up with a torque too weak to lift it directly, and hold it upright.
///
/// Gymnasium's `Pendulum-v1`: a rod of 1 kg and 1 m, integrated with semi-implicit Euler steps of
/// 0.05 s. Gymnasium keeps the torque in single precision, and so does this environment.
///
/// | observation | bounds | unit |
/// |---|---|---|
/// | cos θ | ± 1 | |
/// | sin θ | ± 1 | |
/// | angular velocity | ± 8 | rad/s |
///
/// where θ = 0 is upright.
///
/// **Actions**: the torque in N m, clipped to ± 2.
/// **Reward**: −(θ² + 0.1 θ̇² + 0.001 torque²) with θ in [−π, π), of the state before the step; from
/// −16.27 to 0.
/// **Start**: θ uniform in ± π, angular velocity uniform in ± 1.
/// **End**: never terminated. Gymnasium's time limit is 200 steps.
/// **Physical parameters**: `mass` 1 kg, `length` 1 m, `gravity` 10 m/s².
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pendulum {
    state: [f64; 2],
    physics: Physics<Values>,
}

impl Pendulum {
    /// A pendulum under Gymnasium's gravity of 10 m/s², upright until the first `reset`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another acceleration of gravity in m/s²; errors unless it is finite.
    pub fn with_gravity(gravity: f64) -> Result<Self, Error> {
        require("gravity", gravity, gravity.is_finite(), "a finite number of m/s²")?;
        Ok(Pendulum { physics: Physics::of(Values { gravity, ..Values::default() }), ..Self::default() })
    }

    /// Angle from upright (rad, not wrapped) and angular velocity (rad/s).
    pub fn state(&self) -> [f64; 2] {
        self.state
    }

    /// Puts the pendulum into a state, in the order and units of [`state`](Self::state).
    pub fn set_state(&mut self, state: [f64; 2]) {
        self.state = state;
    }

    fn observe(&self, observation: &mut [f32]) {
        let [theta, omega] = self.state;
        let (sin, cos) = theta.sin_cos();
        observation.copy_from_slice(&[cos as f32, sin as f32, omega as f32]);
    }
}

impl Environment for Pendulum {
    fn observation_space(&self) -> Space {
        let high = vec![1.0, 1.0, MAX_SPEED as f32];
        Space::Box { low: high.iter().map(|h| -h).collect(), high }
    }

    fn action_space(&self) -> Space {
        Space::symmetric(1, MAX_TORQUE)
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.physics.reset();
        self.state = [rng.random_range(-PI..PI), rng.random_range(-1.0..1.0)];
        self.observe(observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        _rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let [torque] = *action.continuous::<1>()?;
        let torque = torque.clamp(-MAX_TORQUE, MAX_TORQUE);
        let [theta, omega] = self.state;
        let Values { mass, length, gravity } = self.physics.now;

        let wrapped = (theta + PI).rem_euclid(2.0 * PI) - PI;
        let cost = wrapped * wrapped + 0.1 * (omega * omega) + f64::from(0.001 * (torque * torque));

        let from_torque = f64::from((3.0 / (mass * length * length)) as f32 * torque);
        let acceleration = 3.0 * gravity / (2.0 * length) * theta.sin() + from_torque;
        let omega = (omega + acceleration * TIME_STEP).clamp(-MAX_SPEED, MAX_SPEED);
        self.state = [theta + omega * TIME_STEP, omega];
        self.observe(observation);
        Ok(Outcome::running(-cost))
    }

    fn draw(&self) -> Option<Picture> {
        let [theta, _] = self.state;
        // Positive angles turn counter-clockwise.
        let length = self.physics.now.length;
        let tip = [-length * theta.sin(), length * theta.cos()];
        let edge = 1.3 * length.max(1.0);
        let mut picture = Picture::new([-edge, -edge], [edge, edge]);
        picture.rod([0.0, 0.0], tip, 0.16, Style::fill(Colour::VERMILION));
        for end in [[0.0, 0.0], tip] {
            picture.circle(end, 0.08, Style::fill(Colour::VERMILION));
        }
        picture.circle([0.0, 0.0], 0.05, Style::fill(Colour::DARK_GREY));
        Some(picture)
    }

    fn physics(&mut self) -> Option<&mut dyn PhysicalParameters> {
        Some(self)
    }
}

impl PhysicalParameters for Pendulum {
    fn physical_parameters(&self) -> Vec<PhysicalParameter> {
        self.physics.parameters(QUANTITIES)
    }

    fn set_physical_parameter(&mut self, name: &str, value: f64) -> Result<(), Error> {
        self.physics.set(QUANTITIES, name, value)
    }
}
