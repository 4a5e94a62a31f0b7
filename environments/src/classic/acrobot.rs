//! Acrobot-v1: swing up two links by the joint between them.

use std::f64::consts::PI;

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::physics::{Physics, Quantity};
use crate::{
    Action, Environment, Error, Outcome, PhysicalParameter, PhysicalParameters, Space,
    picture::{Colour, Picture, Style},
    random::Stream,
};

/// Length of each link in m.
const LENGTH: f64 = 1.0;
/// Distance from a link's upper end to its centre of mass in m.
const CENTRE: f64 = 0.5;
/// Moment of inertia of each link in kg m².
const INERTIA: f64 = 1.0;
/// Time between two states in s: one Runge-Kutta step.
const TIME_STEP: f64 = 0.2;
/// Largest angular velocities of the first and the second joint in rad/s.
const MAX_SPEEDS: [f64; 2] = [4.0 * PI, 9.0 * PI];

/// The physical parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Values {
    /// In kg.
    link_1_mass: f64,
    /// In kg.
    link_2_mass: f64,
    /// Acceleration of gravity in m/s².
    gravity: f64,
    /// Size of the torque in N m.
    torque: f64,
}

impl Default for Values {
    fn default() -> Self {
        Values { link_1_mass: 1.0, link_2_mass: 1.0, gravity: 9.8, torque: 1.0 }
    }
}

/// What can be changed.
const QUANTITIES: &[Quantity<Values>] = &[
    Quantity { name: "link_1_mass", unit: "kg", range: [0.1, 5.0], field: |p| &mut p.link_1_mass },
    Quantity { name: "link_2_mass", unit: "kg", range: [0.1, 5.0], field: |p| &mut p.link_2_mass },
    Quantity { name: "gravity", unit: "m/s²", range: [1.0, 20.0], field: |p| &mut p.gravity },
    Quantity { name: "torque", unit: "N m", range: [0.1, 5.0], field: |p| &mut p.torque },
];

/// Swing the free end of a hanging chain of two links above a line, by a motor in the middle.
///
/// The acrobot of Sutton (1996), "Generalization in reinforcement learning: successful examples
/// using sparse coarse coding", with the equations of motion of Sutton and Barto's book, as in
/// Gymnasium's `Acrobot-v1`. One step is one fourth-order Runge-Kutta step of 0.2 s.
///
/// | observation | bounds | unit |
/// |---|---|---|
/// | cos θ₁, sin θ₁ | ± 1 | |
/// | cos θ₂, sin θ₂ | ± 1 | |
/// | angular velocity of joint 1 | ± 4π | rad/s |
/// | angular velocity of joint 2 | ± 9π | rad/s |
///
/// where θ₁ = 0 hangs down and θ₂ is relative to the first link.
///
/// **Actions**: 0, 1, 2 apply a torque of −1, 0, 1 N m to the joint between the links.
/// **Reward**: −1 for every step, 0 for the one that reaches the goal.
/// **Start**: all four uniform in ± 0.1.
/// **End**: terminated when the free end is more than 1 m above the fixed one. Gymnasium's time
/// limit is 500 steps.
/// **Physical parameters**: `link_1_mass` and `link_2_mass` 1 kg, `gravity` 9.8 m/s², `torque` 1 N m.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Acrobot {
    state: [f64; 4],
    physics: Physics<Values>,
}

impl Acrobot {
    /// Both links hanging at rest, until the first `reset`.
    pub fn new() -> Self {
        Self::default()
    }

    /// θ₁, θ₂ (rad) and their velocities (rad/s).
    pub fn state(&self) -> [f64; 4] {
        self.state
    }

    /// Puts the links into a state, in the order and units of [`state`](Self::state).
    pub fn set_state(&mut self, state: [f64; 4]) {
        self.state = state;
    }

    fn observe(&self, observation: &mut [f32]) {
        let [theta1, theta2, omega1, omega2] = self.state;
        let features = [theta1.cos(), theta1.sin(), theta2.cos(), theta2.sin(), omega1, omega2];
        observation.copy_from_slice(&features.map(|x| x as f32));
    }
}

impl Environment for Acrobot {
    fn observation_space(&self) -> Space {
        let [omega1, omega2] = MAX_SPEEDS.map(|x| x as f32);
        let high = vec![1.0, 1.0, 1.0, 1.0, omega1, omega2];
        Space::Box { low: high.iter().map(|h| -h).collect(), high }
    }

    fn action_space(&self) -> Space {
        Space::discrete(3)
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.physics.reset();
        // Gymnasium rounds the first state of an episode, and only that, to single precision.
        self.state = std::array::from_fn(|_| f64::from(rng.random_range(-0.1..0.1) as f32));
        self.observe(observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        _rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let physics = &self.physics.now;
        let torque = (action.discrete(3)? as f64 - 1.0) * physics.torque;
        let [theta1, theta2, omega1, omega2] = runge_kutta(self.state, torque, physics);
        self.state = [
            wrap(theta1),
            wrap(theta2),
            omega1.clamp(-MAX_SPEEDS[0], MAX_SPEEDS[0]),
            omega2.clamp(-MAX_SPEEDS[1], MAX_SPEEDS[1]),
        ];
        self.observe(observation);
        let [theta1, theta2, ..] = self.state;
        let terminated = -theta1.cos() - (theta2 + theta1).cos() > 1.0;
        Ok(Outcome { reward: if terminated { 0.0 } else { -1.0 }, terminated, truncated: false })
    }

    fn draw(&self) -> Option<Picture> {
        let [theta1, theta2, ..] = self.state;
        let elbow = [LENGTH * theta1.sin(), -LENGTH * theta1.cos()];
        let angle = theta1 + theta2;
        let tip = [elbow[0] + LENGTH * angle.sin(), elbow[1] - LENGTH * angle.cos()];
        let mut picture = Picture::new([-2.2, -2.2], [2.2, 2.2]);
        picture.line([[-2.2, 1.0], [2.2, 1.0]], Style::line(Colour::GREY, 0.02));
        for (from, to) in [([0.0, 0.0], elbow), (elbow, tip)] {
            picture.rod(from, to, 0.2, Style::fill(Colour::SKY));
            picture.circle(to, 0.1, Style::fill(Colour::SKY));
            picture.circle(from, 0.1, Style::fill(Colour::ORANGE));
        }
        Some(picture)
    }

    fn physics(&mut self) -> Option<&mut dyn PhysicalParameters> {
        Some(self)
    }
}

impl PhysicalParameters for Acrobot {
    fn physical_parameters(&self) -> Vec<PhysicalParameter> {
        self.physics.parameters(QUANTITIES)
    }

    fn set_physical_parameter(&mut self, name: &str, value: f64) -> Result<(), Error> {
        self.physics.set(QUANTITIES, name, value)
    }
}

/// The state after one step of fourth-order Runge-Kutta.
fn runge_kutta(state: [f64; 4], torque: f64, physics: &Values) -> [f64; 4] {
    let along = |slope: [f64; 4], time: f64| std::array::from_fn(|i| state[i] + time * slope[i]);
    let k1 = derivative(state, torque, physics);
    let k2 = derivative(along(k1, TIME_STEP / 2.0), torque, physics);
    let k3 = derivative(along(k2, TIME_STEP / 2.0), torque, physics);
    let k4 = derivative(along(k3, TIME_STEP), torque, physics);
    along(std::array::from_fn(|i| k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]), TIME_STEP / 6.0)
}

/// The equations of motion: d(θ₁, θ₂, ω₁, ω₂)/dt. The symbols are those of Sutton and Barto's book.
fn derivative(
    [theta1, theta2, omega1, omega2]: [f64; 4],
    torque: f64,
    &Values { link_1_mass: mass1, link_2_mass: mass2, gravity, .. }: &Values,
) -> [f64; 4] {
    let (sin2, cos2) = theta2.sin_cos();
    let coupling = mass2 * LENGTH * CENTRE;
    let d1 = mass1 * CENTRE.powi(2)
        + mass2 * (LENGTH.powi(2) + CENTRE.powi(2) + 2.0 * LENGTH * CENTRE * cos2)
        + INERTIA
        + INERTIA;
    let d2 = mass2 * (CENTRE.powi(2) + LENGTH * CENTRE * cos2) + INERTIA;
    let phi2 = mass2 * CENTRE * gravity * (theta1 + theta2 - PI / 2.0).cos();
    let phi1 = -coupling * omega2.powi(2) * sin2 - 2.0 * coupling * omega2 * omega1 * sin2
        + (mass1 * CENTRE + mass2 * LENGTH) * gravity * (theta1 - PI / 2.0).cos()
        + phi2;
    let alpha2 = (torque + d2 / d1 * phi1 - coupling * omega1.powi(2) * sin2 - phi2)
        / (mass2 * CENTRE.powi(2) + INERTIA - d2.powi(2) / d1);
    let alpha1 = -(d2 * alpha2 + phi1) / d1;
    [omega1, omega2, alpha1, alpha2]
}

/// An angle brought into [−π, π] by whole turns.
fn wrap(angle: f64) -> f64 {
    if angle.abs() <= PI { angle } else { angle - 2.0 * PI * (angle / (2.0 * PI)).round() }
}
