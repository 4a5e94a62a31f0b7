//! Robots on rapier beside MuJoCo: motion, observations, rewards and returns.
//!
//! `robots/README.md` says what was recorded. Motion in free flight must agree closely. With
//! contacts, which the two simulators solve differently, it agrees for a while: how closely is held
//! here, so that it cannot get worse unnoticed.

#[path = "robots/motion.rs"]
mod motion;
mod robots;

use assay_environments::{
    Actions, BatchedStep, Environment, catalogue,
    physics::{Layout, Robot, RobotEnvironment, Task, World, robots as described},
    random::Seed,
};
use motion::{Agreement, difference};
use robots::{Array, Recording};

type Description = fn() -> Robot;

/// A robot's recording, and how far the motion may differ from it: in free flight, and under random
/// actions after 0.25 s (the median over the recordings), in m or rad.
const TOLERANCES: [(&str, Description, f64, f64); 8] = [
    ("inverted_pendulum", described::inverted_pendulum::robot, 0.1, 0.005),
    ("inverted_double_pendulum", described::inverted_double_pendulum::robot, 0.6, 0.02),
    ("reacher", described::reacher::robot, 0.04, 0.03),
    ("swimmer", described::swimmer::robot, 0.04, 0.006),
    ("hopper", described::hopper::robot, 0.02, 0.06),
    ("half_cheetah", described::half_cheetah::robot, 0.2, 0.07),
    ("walker2d", described::walker2d::robot, 0.03, 0.5),
    ("ant", described::ant::robot, 0.07, 0.5),
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
/// is compared up to where contact forces begin.
fn check_cases<T: Task>(name: &str, robot: &Robot, task: &T, observed: usize, margin: f64) {
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
        let expected = array("reward").values[case] - cost;
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
            for (found, expected) in rewards.iter().zip(expected.at(&[case])) {
                let expected = expected - cost;
                assert!(
                    (found - expected).abs() < margin.max(1e-4),
                    "{name}, case {case}: {found}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn observations_and_rewards_are_gymnasiums() {
    use described::*;
    check_cases("inverted_pendulum", &inverted_pendulum::robot(), &inverted_pendulum::task(), 4, 1e-6);
    // Gymnasium takes the tip's place from within the last step of the simulation.
    check_cases(
        "inverted_double_pendulum",
        &inverted_double_pendulum::robot(),
        &inverted_double_pendulum::task(),
        8,
        0.05,
    );
    check_cases("swimmer", &swimmer::robot(), &swimmer::task(), 8, 1e-5);
    check_cases("hopper", &hopper::robot(), &hopper::task(), 11, 1e-5);
    check_cases("half_cheetah", &half_cheetah::robot(), &half_cheetah::task(), 17, 1e-5);
    check_cases("walker2d", &walker2d::robot(), &walker2d::task(), 17, 1e-5);
    // And the Ant's place.
    check_cases("ant", &ant::robot(), &ant::task(), 27, 0.1);
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

/// Returns of the uniformly random policy.
fn random_returns(name: &str, episodes: usize) -> Vec<f64> {
    let copies = 8;
    let mut batch = catalogue::make(name, &toml::Table::new(), copies, Seed::new(1)).unwrap();
    let mut step = BatchedStep::new(batch.as_ref());
    batch.reset(&mut step.observations).unwrap();
    let mut actions = Actions::zeros(batch.action_space(), copies);
    let mut rng = Seed::new(1).stream("actions");
    let mut returns = Vec::new();
    while returns.len() < episodes {
        batch.action_space().sample(&mut rng, &mut actions);
        batch.step(&actions, &mut step).unwrap();
        returns.extend(step.episodes.iter().map(|episode| episode.total_reward));
    }
    returns
}

#[test]
fn random_policies_earn_what_they_earn_in_mujoco() {
    let recording = Recording::load("returns");
    for (recorded, name, episodes) in [
        ("inverted_pendulum", "RapierInvertedPendulum", 400),
        ("inverted_double_pendulum", "RapierInvertedDoublePendulum", 400),
        ("reacher", "RapierReacher", 100),
        ("swimmer", "RapierSwimmer", 24),
        ("hopper", "RapierHopper", 400),
        ("half_cheetah", "RapierHalfCheetah", 24),
        ("walker2d", "RapierWalker2d", 400),
        ("ant", "RapierAnt", 80),
    ] {
        let facts = recording.header[recorded].as_table().unwrap();
        let [theirs, deviation] = ["mean", "standard_deviation"].map(|fact| facts[fact].as_float().unwrap());
        let returns = random_returns(name, episodes);
        let mean = returns.iter().sum::<f64>() / returns.len() as f64;
        let error = deviation * (1.0 / returns.len() as f64 + 1.0 / 400.0).sqrt();
        assert!(
            (mean - theirs).abs() < 4.0 * error,
            "{name}: {mean}, MuJoCo {theirs}, standard error {error}"
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
