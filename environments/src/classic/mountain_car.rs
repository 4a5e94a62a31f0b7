//! MountainCar-v0: rock a weak car out of a valley.

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::physics::{Physics, Quantity};
use crate::{
    Action, Environment, Error, Outcome, PhysicalParameter, PhysicalParameters, Space,
    parameters::require,
    picture::{Colour, Picture, Style, placed},
    random::Stream,
};

/// The positions of the wall on the left and of the right end.
const POSITIONS: (f64, f64) = (-1.2, 0.6);
/// The largest velocity, in position per step.
const MAX_SPEED: f64 = 0.07;
/// The position of the flag.
const GOAL: f64 = 0.5;

/// The physical parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Values {
    /// Velocity that the motor adds in one step.
    force: f64,
    /// Velocity that the slope adds in one step, at most.
    gravity: f64,
}

impl Default for Values {
    fn default() -> Self {
        Values { force: 0.001, gravity: 0.0025 }
    }
}

/// What can be changed.
const QUANTITIES: &[Quantity<Values>] = &[
    Quantity { name: "force", unit: "m/step²", range: [0.0002, 0.005], field: |p| &mut p.force },
    Quantity { name: "gravity", unit: "m/step²", range: [0.0005, 0.01], field: |p| &mut p.gravity },
];

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
/// **Physical parameters**: `force` 0.001 m/step², `gravity` 0.0025 m/step².
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MountainCar {
    state: [f64; 2],
    goal_velocity: f64,
    physics: Physics<Values>,
}

impl Default for MountainCar {
    fn default() -> Self {
        MountainCar { state: [-0.5, 0.0], goal_velocity: 0.0, physics: Physics::default() }
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
        self.physics.reset();
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
        let Values { force, gravity } = self.physics.now;
        let (left, right) = POSITIONS;

        let velocity = velocity + (direction * force + (3.0 * position).cos() * -gravity);
        let velocity = velocity.clamp(-MAX_SPEED, MAX_SPEED);
        let position = (position + velocity).clamp(left, right);
        let stopped = position == left && velocity < 0.0;
        self.state = [position, if stopped { 0.0 } else { velocity }];

        self.observe(observation);
        let terminated = position >= GOAL && self.state[1] >= self.goal_velocity;
        Ok(Outcome { reward: -1.0, terminated, truncated: false })
    }

    fn draw(&self) -> Option<Picture> {
        Some(draw_valley(self.state[0], GOAL))
    }

    fn physics(&mut self) -> Option<&mut dyn PhysicalParameters> {
        Some(self)
    }
}

impl PhysicalParameters for MountainCar {
    fn physical_parameters(&self) -> Vec<PhysicalParameter> {
        self.physics.parameters(QUANTITIES)
    }

    fn set_physical_parameter(&mut self, name: &str, value: f64) -> Result<(), Error> {
        self.physics.set(QUANTITIES, name, value)
    }
}

/// The valley with the car at `position` and the flag at `goal`; heights are Gymnasium's.
pub(super) fn draw_valley(position: f64, goal: f64) -> Picture {
    let height = |x: f64| 0.45 * (3.0 * x).sin() + 0.55;
    let (left, right) = POSITIONS;
    let mut picture = Picture::new([left - 0.1, -0.05], [right + 0.1, 1.25]);
    let mut ground: Vec<_> =
        (0..=90).map(|i| left + (right - left) * f64::from(i) / 90.0).map(|x| [x, height(x)]).collect();
    ground.extend([[right, -0.05], [left, -0.05]]);
    picture.polygon(ground, Style::fill(Colour::LIGHT_GREY));

    let top = [goal, height(goal) + 0.22];
    picture.line([[goal, height(goal)], top], Style::line(Colour::DARK_GREY, 0.012));
    picture.polygon([top, [goal + 0.1, top[1] - 0.04], [goal, top[1] - 0.08]], Style::fill(Colour::GREEN));

    let slope = (1.35 * (3.0 * position).cos()).atan();
    let body = [[-0.07, 0.03], [0.07, 0.03], [0.07, 0.08], [-0.07, 0.08]];
    let foot = [position, height(position)];
    picture.polygon(placed(&body, foot, slope), Style::fill(Colour::BLUE));
    for wheel in placed(&[[-0.04, 0.025], [0.04, 0.025]], foot, slope) {
        picture.circle(wheel, 0.025, Style::fill(Colour::DARK_GREY));
    }
    picture
}
