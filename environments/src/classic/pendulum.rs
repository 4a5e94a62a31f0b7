//! Pendulum-v1: swing a pendulum up and keep it there.

use std::f64::consts::PI;

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    Action, Environment, Error, Outcome, Space,
    parameters::require,
    picture::{Colour, Picture, Style},
    random::Stream,
};

/// Mass of the pendulum in kg.
const MASS: f64 = 1.0;
/// Length of the pendulum in m.
const LENGTH: f64 = 1.0;
/// Time between two states in s.
const TIME_STEP: f64 = 0.05;
/// Largest torque in N m.
const MAX_TORQUE: f32 = 2.0;
/// Largest angular velocity in rad/s.
const MAX_SPEED: f64 = 8.0;

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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pendulum {
    state: [f64; 2],
    gravity: f64,
}

impl Default for Pendulum {
    fn default() -> Self {
        Pendulum { state: [0.0; 2], gravity: 10.0 }
    }
}

impl Pendulum {
    /// A pendulum under Gymnasium's gravity of 10 m/s², upright until the first `reset`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another acceleration of gravity in m/s²; errors unless it is finite.
    pub fn with_gravity(gravity: f64) -> Result<Self, Error> {
        require("gravity", gravity, gravity.is_finite(), "a finite number of m/s²")?;
        Ok(Pendulum { gravity, ..Self::default() })
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

        let wrapped = (theta + PI).rem_euclid(2.0 * PI) - PI;
        let cost = wrapped * wrapped + 0.1 * (omega * omega) + f64::from(0.001 * (torque * torque));

        let from_torque = f64::from((3.0 / (MASS * LENGTH * LENGTH)) as f32 * torque);
        let acceleration = 3.0 * self.gravity / (2.0 * LENGTH) * theta.sin() + from_torque;
        let omega = (omega + acceleration * TIME_STEP).clamp(-MAX_SPEED, MAX_SPEED);
        self.state = [theta + omega * TIME_STEP, omega];
        self.observe(observation);
        Ok(Outcome::running(-cost))
    }

    fn draw(&self) -> Option<Picture> {
        let [theta, _] = self.state;
        // Positive angles turn counter-clockwise.
        let tip = [-LENGTH * theta.sin(), LENGTH * theta.cos()];
        let mut picture = Picture::new([-1.3, -1.3], [1.3, 1.3]);
        picture.rod([0.0, 0.0], tip, 0.16, Style::fill(Colour::VERMILION));
        for end in [[0.0, 0.0], tip] {
            picture.circle(end, 0.08, Style::fill(Colour::VERMILION));
        }
        picture.circle([0.0, 0.0], 0.05, Style::fill(Colour::DARK_GREY));
        Some(picture)
    }
}
