//! Robots on rapier beside MuJoCo: motion, observations, rewards and returns.
//!
//! `robots/README.md` says what was recorded. Motion in free flight must agree closely. With
//! contacts, which the two simulators solve differently, it agrees for a while: how closely is held
//! here, so that it cannot get worse unnoticed.

#[path = "robots/motion.rs"]
mod motion;
#[path = "robots/returns.rs"]
mod returns;
mod robots;

use assay_environments::{
    Environment,
    physics::{Layout, Robot, RobotEnvironment, Task, World, robots as described},
};
use motion::{Agreement, difference};
use returns::RandomReturns;
use robots::{Array, Recording};

type Description = fn() -> Robot;

/// A robot's recording, and how far the motion may differ from it: in free flight, and under random
/// actions after 0.25 s (the median over the recordings), in m or rad.
const TOLERANCES: [(&str, Description, f64, f64); 8] = [
    ("inverted_pendulum", described::inverted_pendulum::robot, 3e-3, 3e-4),
    ("inverted_double_pendulum", described::inverted_double_pendulum::robot, 0.6, 2e-3),
    ("reacher", described::reacher::robot, 3e-4, 2e-4),
    ("swimmer", described::swimmer::robot, 0.035, 2.5e-3),
    ("hopper", described::hopper::robot, 7e-3, 0.05),
    ("half_cheetah", described::half_cheetah::robot, 0.18, 0.06),
    ("walker2d", described::walker2d::robot, 0.02, 0.5),
    ("ant", described::ant::robot, 5e-4, 0.09),
];

#[test]
fn robots_move_as_in_mujoco() {
    for (name, robot, free, random) in TOLERANCES {
        let agreement = Agreement::measure(name, &robot());
        assert!(agreement.free < free, "{name} in free flight: {}", agreement.free);
        let Agreement { random: [early, late], reference: [_, own], .. } = agreement;
        assert!(early < random, "{name} under random actions: {early}");
        // Whatever the contacts do, a second does not lead anywhere else entirely.
        assert!(late < own + 2.0, "{name} under random actions: {late} at the end");
    }
}

/// What a task makes of the recorded single steps, and what Gymnasium made of them. The observation
/// is compared up to where contact forces begin. `habit` is how much more Gymnasium rewards a case
/// because it takes the place of a body from within the last step of the simulation.
fn check_cases<T: Task>(
    name: &str,
    robot: &Robot,
    task: &T,
    observed: usize,
    habit: impl Fn(&Recording, usize) -> f64,
) {
    let margin = 1e-4;
    let recording = Recording::load(name);
    let array = |column: &str| recording.array(&format!("cases.{column}"));
    let environment = RobotEnvironment::new(robot.clone(), task.clone()).unwrap();
    let mut observation = vec![0.0; environment.observation_space().width()];
    let (nq, nv) = (robot.positions(), robot.velocities());
    let contact = recording.header["terms"]
        .as_array()
        .unwrap()
        .iter()
        .position(|term| term.as_str() == Some("reward_contact"));
    for case in 0..array("reward").values.len() {
        let (q, v) = (&array("qpos").at(&[case])[..nq], &array("qvel").at(&[case])[..nv]);
        let before = &array("qpos_before").at(&[case])[..nq];
        let world = World::new(robot, q, v).unwrap().coming_from(before).unwrap();
        let mut task = task.clone();
        task.observe(robot, &world, &mut observation);
        for (i, expected) in array("observation").at(&[case])[..observed].iter().enumerate() {
            let found = f64::from(observation[i]);
            assert!(
                (found - expected).abs() < 1e-4,
                "{name}, case {case}: observation {i}: {found}, not {expected}"
            );
        }
        let action: Vec<f32> = array("action").at(&[case]).iter().map(|a| *a as f32).collect();
        let mut rewards = vec![0.0; task.objectives().len()];
        let outcome = task.outcome(robot, &world, &action, &mut rewards);
        let cost = contact.map_or(0.0, |i| array("terms").at(&[case])[i]);
        let habit = habit(&recording, case);
        let expected = array("reward").values[case] - cost - habit;
        assert!(
            (outcome.reward - expected).abs() < margin,
            "{name}, case {case}: {}, not {expected}",
            outcome.reward
        );
        assert_eq!(
            f64::from(u8::from(outcome.terminated)),
            array("terminated").values[case],
            "{name}, case {case}"
        );
        if !rewards.is_empty() {
            let expected: &Array = array("vector_reward_0");
            for (i, (found, expected)) in rewards.iter().zip(expected.at(&[case])).enumerate() {
                let expected = expected - cost - if i == 0 { habit } else { 0.0 };
                // Sideways speed has the habit too.
                let margin = if name == "ant" && i == 1 { 0.1 } else { margin };
                assert!((found - expected).abs() < margin, "{name}, case {case}: {found}, not {expected}");
            }
        }
    }
}

/// The double pendulum's costs of the tip's place that was recorded, less those of where it was.
fn tip_habit(recording: &Recording, case: usize) -> f64 {
    let [_, lower, upper] = [0, 1, 2].map(|i| recording.array("cases.qpos").at(&[case])[i]);
    let x = recording.array("cases.qpos").at(&[case])[0];
    let true_tip =
        [x + 0.6 * (lower.sin() + (lower + upper).sin()), 0.6 * (lower.cos() + (lower + upper).cos())];
    let recorded = recording.array("cases.tip").at(&[case]);
    let cost = |[x, z]: [f64; 2]| 0.01 * x * x + (z - 2.0).powi(2);
    cost(true_tip) - cost([recorded[0], recorded[2]])
}

/// The Ant's forward speed by the recorded places, less that by the positions.
fn speed_habit(recording: &Recording, case: usize) -> f64 {
    let x = |column: &str| recording.array(&format!("cases.{column}")).at(&[case])[0];
    ((x("torso") - x("torso_before")) - (x("qpos") - x("qpos_before"))) / 0.05
}

#[test]
fn observations_and_rewards_are_gymnasiums() {
    use described::*;
    let none = |_: &Recording, _| 0.0;
    check_cases("inverted_pendulum", &inverted_pendulum::robot(), &inverted_pendulum::task(), 4, none);
    let double = inverted_double_pendulum::robot();
    check_cases("inverted_double_pendulum", &double, &inverted_double_pendulum::task(), 8, tip_habit);
    check_cases("swimmer", &swimmer::robot(), &swimmer::task(), 8, none);
    check_cases("hopper", &hopper::robot(), &hopper::task(), 11, none);
    check_cases("half_cheetah", &half_cheetah::robot(), &half_cheetah::task(), 17, none);
    check_cases("walker2d", &walker2d::robot(), &walker2d::task(), 17, none);
    check_cases("ant", &ant::robot(), &ant::task(), 27, speed_habit);
}

#[test]
fn the_reachers_observations_and_rewards_are_gymnasiums() {
    let recording = Recording::load("reacher");
    let robot = described::reacher::robot();
    let array = |column: &str| recording.array(&format!("cases.{column}"));
    for case in 0..array("reward").values.len() {
        let q = array("qpos").at(&[case]);
        let mut task = described::reacher::task();
        task.target = [q[2], q[3]];
        let world = World::new(&robot, &q[..2], &array("qvel").at(&[case])[..2]).unwrap();
        let mut observation = [0.0; 10];
        task.observe(&robot, &world, &mut observation);
        for (found, expected) in observation.iter().zip(array("observation").at(&[case])) {
            // The tip is where it was within the last step of the simulation.
            assert!((f64::from(*found) - expected).abs() < 0.02, "case {case}: {found}, not {expected}");
        }
        let action: Vec<f32> = array("action").at(&[case]).iter().map(|a| *a as f32).collect();
        let reward = task.outcome(&robot, &world, &action, &mut []).reward;
        let expected = array("reward").values[case];
        assert!((reward - expected).abs() < 0.02, "case {case}: {reward}, not {expected}");
    }
}

#[test]
fn random_policies_earn_what_they_earn_in_mujoco() {
    for (name, recorded, episodes) in returns::RECORDED {
        let RandomReturns { mean, recorded, error } = RandomReturns::measure(name, recorded, episodes);
        assert!(
            (mean - recorded).abs() < 4.0 * error,
            "{name}: {mean}, MuJoCo {recorded}, standard error {error}"
        );
    }
}

#[test]
fn mazes_have_the_published_cells_and_rewards() {
    for (name, cell) in [("point_maze", 1.0), ("ant_maze", 4.0)] {
        let recording = Recording::load(name);
        for (layout, kind) in [
            ("open", Layout::Open),
            ("umaze", Layout::U),
            ("medium", Layout::Medium),
            ("large", Layout::Large),
        ] {
            let rows: Vec<String> = recording.header[layout]["map"].clone().try_into().unwrap();
            assert_eq!(kind.rows(), rows, "{layout}");
            let maze = if cell == 1.0 { described::point::maze(kind) } else { described::ant::maze(kind) };
            let centres = recording.array(&format!("{layout}.centres"));
            for i in 0..centres.shape[0] {
                let [row, column, x, y] = [0, 1, 2, 3].map(|k| centres.at(&[i])[k]);
                assert_eq!(maze.centre(row as usize, column as usize), [x, y], "{layout}");
            }
        }
    }
}

#[test]
fn the_point_runs_through_the_mazes_as_in_mujoco() {
    let recording = Recording::load("point_maze");
    for (layout, kind) in
        [("open", Layout::Open), ("umaze", Layout::U), ("medium", Layout::Medium), ("large", Layout::Large)]
    {
        let robot = described::point::robot(kind);
        let [positions, velocities, actions] =
            ["qpos", "qvel", "action"].map(|column| recording.array(&format!("{layout}.{column}")));
        let mut world = World::new(&robot, positions.at(&[0]), velocities.at(&[0])).unwrap();
        let mut worst = 0.0_f64;
        for k in 0..actions.shape[0] {
            let action: Vec<f32> = actions.at(&[k]).iter().map(|a| *a as f32).collect();
            world.step(&robot, &action).unwrap();
            worst = worst.max(difference(&robot, world.positions(), positions.at(&[k + 1])));
        }
        // The walls are softer there and throw the point back a little.
        assert!(worst < 0.3, "{layout}: {worst} m");
    }
}
