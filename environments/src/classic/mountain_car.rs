//! MountainCar-v0: rock a weak car out of a valley.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{Action, Environment, Error, Outcome, Space, parameters::require, random::Stream};

/// Velocity that the motor adds in one step.
const FORCE: f64 = 0.001;
/// Velocity that the slope adds in one step, at most.
const GRAVITY: f64 = 0.0025;
/// The positions of the wall on the left and of the right end.
const POSITIONS: (f64, f64) = (-1.2, 0.6);
/// The largest velocity, in position per step.
const MAX_SPEED: f64 = 0.07;
/// The position of the flag.
const GOAL: f64 = 0.5;

/// Drive a car out of a valley with a motor too weak to climb the slope from rest.
///
/// The mountain car of Moore (1990), "Efficient memory-based learning for robot control", as in
/// Gymnasium's `MountainCar-v0`. The height at position x is sin 3x; time counts in steps.
///
/// | observation | bounds | unit |
/// |---|---|---|
/// | position of the car | −1.2 to 0.6 | m |
/// | velocity of the car | ± 0.07 | m/step |
///
/// **Actions**: 0 accelerates to the left, 1 not at all, 2 to the right.
/// **Reward**: −1 for every step.
/// **Start**: position uniform in −0.6 to −0.4, at rest.
/// **End**: terminated at position 0.5 or beyond with at least the goal's velocity (0 unless chosen
/// otherwise). The wall on the left stops the car. Gymnasium's time limit is 200 steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MountainCar {
    state: [f64; 2],
    goal_velocity: f64,
}

impl Default for MountainCar {
    fn default() -> Self {
        MountainCar { state: [-0.5, 0.0], goal_velocity: 0.0 }
    }
}

impl MountainCar {
    /// A car at rest near the bottom, until the first `reset`.
    pub fn new() -> Self {
        Self::default()
    }

    /// A goal that counts only when it is reached with at least this velocity (m/step); errors
    /// unless it is one that the car can have.
    pub fn with_goal_velocity(goal_velocity: f64) -> Result<Self, Error> {
        let possible = goal_velocity.abs() <= MAX_SPEED;
        require("goal_velocity", goal_velocity, possible, "-0.07 to 0.07")?;
        Ok(MountainCar { goal_velocity, ..Self::default() })
    }

    /// Position (m) and velocity (m/step).
    pub fn state(&self) -> [f64; 2] {
        self.state
    }

    /// Puts the car into a state, in the order and units of [`state`](Self::state).
    pub fn set_state(&mut self, state: [f64; 2]) {
        self.state = state;
    }

    fn observe(&self, observation: &mut [f32]) {
        observation.copy_from_slice(&self.state.map(|x| x as f32));
    }
}

impl Environment for MountainCar {
    fn observation_space(&self) -> Space {
        let (left, right) = POSITIONS;
        Space::Box { low: vec![left as f32, -MAX_SPEED as f32], high: vec![right as f32, MAX_SPEED as f32] }
    }

    fn action_space(&self) -> Space {
        Space::discrete(3)
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.state = [rng.random_range(-0.6..-0.4), 0.0];
        self.observe(observation);
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        _rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let direction = action.discrete(3)? as f64 - 1.0;
        let [position, velocity] = self.state;
        let (left, right) = POSITIONS;

        let velocity = velocity + (direction * FORCE + (3.0 * position).cos() * -GRAVITY);
        let velocity = velocity.clamp(-MAX_SPEED, MAX_SPEED);
        let position = (position + velocity).clamp(left, right);
        let stopped = position == left && velocity < 0.0;
        self.state = [position, if stopped { 0.0 } else { velocity }];

        self.observe(observation);
        let terminated = position >= GOAL && self.state[1] >= self.goal_velocity;
        Ok(Outcome { reward: -1.0, terminated, truncated: false })
    }
}
