//! MountainCarContinuous-v0: the mountain car with a throttle.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{
    mountain_car::draw_valley,
    physics::{Physics, Quantity},
};
use crate::{
    Action, Environment, Error, Outcome, PhysicalParameter, PhysicalParameters, Space, parameters::require,
    picture::Picture, random::Stream,
};

/// The positions of the wall on the left and of the right end.
const POSITIONS: (f32, f32) = (-1.2, 0.6);
/// The largest velocity, in position per step.
const MAX_SPEED: f32 = 0.07;
/// The position of the flag.
const GOAL: f32 = 0.45;

/// The physical parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Values {
    /// Velocity that the motor adds in one step at full throttle.
    power: f64,
    /// Velocity that the slope adds in one step, at most.
    gravity: f64,
}

impl Default for Values {
    fn default() -> Self {
        Values { power: 0.0015, gravity: 0.0025 }
    }
}

/// What can be changed.
const QUANTITIES: &[Quantity<Values>] = &[
    Quantity { name: "power", unit: "m/step²", range: [0.0005, 0.005], field: |p| &mut p.power },
    Quantity { name: "gravity", unit: "m/step²", range: [0.0005, 0.01], field: |p| &mut p.gravity },
];

/// Drive a car out of a valley with a motor too weak to climb the slope from rest, with as little
/// effort as possible.
///
/// The mountain car of Moore (1990), "Efficient memory-based learning for robot control", with
/// continuous actions, as in Gymnasium's `MountainCarContinuous-v0`. Gymnasium keeps this state in
/// single precision, and so does this environment, from the start of an episode on; in Gymnasium
/// the very first step still starts from a double-precision position.
///
/// | observation | bounds | unit |
/// |---|---|---|
/// | position of the car | −1.2 to 0.6 | m |
/// | velocity of the car | ± 0.07 | m/step |
///
/// **Actions**: the throttle, from −1 (left) to 1 (right), clipped to that.
/// **Reward**: −0.1 action² (of the action before clipping), and 100 more on reaching the goal.
/// **Start**: position uniform in −0.6 to −0.4, at rest.
/// **End**: terminated at position 0.45 or beyond with at least the goal's velocity (0 unless
/// chosen otherwise). The wall on the left stops the car. Gymnasium's time limit is 999 steps.
/// **Physical parameters**: `power` 0.0015 m/step², `gravity` 0.0025 m/step².
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MountainCarContinuous {
    state: [f32; 2],
    goal_velocity: f32,
    physics: Physics<Values>,
}

impl Default for MountainCarContinuous {
    fn default() -> Self {
        MountainCarContinuous { state: [-0.5, 0.0], goal_velocity: 0.0, physics: Physics::default() }
    }
}

impl MountainCarContinuous {
    /// A car at rest near the bottom, until the first `reset`.
    pub fn new() -> Self {
        Self::default()
    }

    /// A goal that counts only when it is reached with at least this velocity (m/step); errors
    /// unless it is one that the car can have.
    pub fn with_goal_velocity(goal_velocity: f32) -> Result<Self, Error> {
        let possible = goal_velocity.abs() <= MAX_SPEED;
        require("goal_velocity", goal_velocity, possible, "-0.07 to 0.07")?;
        Ok(MountainCarContinuous { goal_velocity, ..Self::default() })
    }

    /// Position (m) and velocity (m/step).
    pub fn state(&self) -> [f32; 2] {
        self.state
    }

    /// Puts the car into a state, in the order and units of [`state`](Self::state).
    pub fn set_state(&mut self, state: [f32; 2]) {
        self.state = state;
    }
}

impl Environment for MountainCarContinuous {
    fn observation_space(&self) -> Space {
        let (left, right) = POSITIONS;
        Space::Box { low: vec![left, -MAX_SPEED], high: vec![right, MAX_SPEED] }
    }

    fn action_space(&self) -> Space {
        Space::symmetric(1, 1.0)
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.physics.reset();
        self.state = [rng.random_range(-0.6..-0.4), 0.0];
        observation.copy_from_slice(&self.state);
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        _rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let [throttle] = *action.continuous::<1>()?;
        let [position, velocity] = self.state;
        let Values { power, gravity } = self.physics.now;
        let (left, right) = POSITIONS;

        // Where Gymnasium clips the throttle it becomes a double, and so does the sum.
        let slope = gravity * f64::from(3.0 * position).cos();
        let acceleration = if throttle.abs() > 1.0 {
            (f64::from(throttle.signum()) * power - slope) as f32
        } else {
            throttle * power as f32 - slope as f32
        };
        let velocity = (velocity + acceleration).clamp(-MAX_SPEED, MAX_SPEED);
        let position = (position + velocity).clamp(left, right);
        let stopped = position == left && velocity < 0.0;
        self.state = [position, if stopped { 0.0 } else { velocity }];

        observation.copy_from_slice(&self.state);
        let terminated = position >= GOAL && self.state[1] >= self.goal_velocity;
        let effort = f64::from(throttle).powi(2) * 0.1;
        let reward = if terminated { 100.0 } else { 0.0 } - effort;
        Ok(Outcome { reward, terminated, truncated: false })
    }

    fn draw(&self) -> Option<Picture> {
        Some(draw_valley(f64::from(self.state[0]), f64::from(GOAL)))
    }

    fn physics(&mut self) -> Option<&mut dyn PhysicalParameters> {
        Some(self)
    }
}

impl PhysicalParameters for MountainCarContinuous {
    fn physical_parameters(&self) -> Vec<PhysicalParameter> {
        self.physics.parameters(QUANTITIES)
    }

    fn set_physical_parameter(&mut self, name: &str, value: f64) -> Result<(), Error> {
        self.physics.set(QUANTITIES, name, value)
    }
}
