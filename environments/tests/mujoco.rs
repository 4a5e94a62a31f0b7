//! MuJoCo from here against MuJoCo from Python, whose recordings are in `robots`.

mod robots;

use assay_environments::{
    Action, Environment, Error, conformance,
    mujoco::{Robot, RobotEnvironment, Simulation},
    random::Seed,
    wrappers::TimeLimit,
};
use rand::Rng;
use robots::Recording;

fn recording(robot: Robot) -> Recording {
    Recording::load(match robot {
        Robot::InvertedPendulum => "inverted_pendulum",
        Robot::InvertedDoublePendulum => "inverted_double_pendulum",
        Robot::Reacher => "reacher",
        Robot::Swimmer => "swimmer",
        Robot::Hopper => "hopper",
        Robot::HalfCheetah => "half_cheetah",
        Robot::Walker2d => "walker2d",
        Robot::Ant => "ant",
    })
}

fn singles(values: &[f64]) -> Vec<f32> {
    values.iter().map(|x| *x as f32).collect()
}

#[test]
fn every_recorded_trace_is_repeated_to_the_last_bit() {
    for robot in Robot::ALL {
        let recording = recording(robot);
        assert_eq!(recording.header["environment"].as_str(), Some(robot.name()));
        let mut simulation = Simulation::new(robot).unwrap();
        for kind in ["free", "random"] {
            let [qpos, qvel, actions] =
                ["qpos", "qvel", "action"].map(|name| recording.array(&format!("{kind}.{name}")));
            for trace in 0..actions.shape[0] {
                simulation.set_state(qpos.at(&[trace, 0]), qvel.at(&[trace, 0])).unwrap();
                for step in 0..actions.shape[1] {
                    simulation.step(&singles(actions.at(&[trace, step]))).unwrap();
                    let at = format!("step {step} of {kind} trace {trace} of {}", robot.name());
                    assert_eq!(simulation.positions(), qpos.at(&[trace, step + 1]), "{at}");
                    assert_eq!(simulation.velocities(), qvel.at(&[trace, step + 1]), "{at}");
                }
            }
        }
    }
}

/// Gymnasium's C library and vector instructions may round sine and cosine differently.
fn close(ours: f32, theirs: f64) -> bool {
    (f64::from(ours) - theirs).abs() <= f64::from(f32::EPSILON) * theirs.abs().max(1.0)
}

#[test]
fn observations_rewards_and_ends_are_gymnasiums() {
    for robot in Robot::ALL {
        let recording = recording(robot);
        let array = |name: &str| recording.array(&format!("cases.{name}"));
        let mut environment = RobotEnvironment::new(robot).unwrap();
        let mut observation = vec![0.0; environment.observation_space().width()];
        assert_eq!(observation.len(), array("observation").shape[1], "{}", robot.name());
        let mut rng = Seed::new(0).stream("environment");
        for case in 0..array("reward").shape[0] {
            let at = format!("case {case} of {}", robot.name());
            let [before, velocities] = ["qpos_before", "qvel_before"].map(|name| array(name).at(&[case]));
            environment.set_state(before, velocities).unwrap();
            let action = singles(array("action").at(&[case]));
            let outcome = environment.step(Action::Continuous(&action), &mut rng, &mut observation).unwrap();
            assert_eq!(environment.simulation().positions(), array("qpos").at(&[case]), "{at}");
            for (i, (ours, theirs)) in observation.iter().zip(array("observation").at(&[case])).enumerate() {
                assert!(close(*ours, *theirs), "observation[{i}] is {ours}, not {theirs}, in {at}");
            }
            // Gymnasium squares actions in single precision.
            let reward = array("reward").values[case];
            assert!((outcome.reward - reward).abs() < 1e-6, "{} is not {reward} in {at}", outcome.reward);
            assert_eq!(outcome.terminated, array("terminated").values[case] == 1.0, "{at}");
        }
    }
}

#[test]
fn returns_of_random_actions_are_gymnasiums() {
    const EPISODES: usize = 100;
    let recording = Recording::load("returns");
    // The others' episodes are long.
    for robot in [Robot::InvertedPendulum, Robot::InvertedDoublePendulum, Robot::Hopper, Robot::Walker2d] {
        let name = robot.name().trim_end_matches("-v5");
        let facts = match name {
            "InvertedPendulum" => &recording.header["inverted_pendulum"],
            "InvertedDoublePendulum" => &recording.header["inverted_double_pendulum"],
            other => &recording.header[&other.to_lowercase()],
        };
        let [mean, deviation] = ["mean", "standard_deviation"].map(|fact| facts[fact].as_float().unwrap());
        let mut environment = TimeLimit::new(RobotEnvironment::new(robot).unwrap(), 1000).unwrap();
        let mut observation = vec![0.0; environment.observation_space().width()];
        let high = match environment.action_space() {
            assay_environments::Space::Box { high, .. } => high,
            other => panic!("{other} is no box"),
        };
        let (mut rng, mut choices) = (Seed::new(0).stream("environment"), Seed::new(0).stream("actions"));
        let mut total = 0.0;
        for _ in 0..EPISODES {
            environment.reset(&mut rng, &mut observation).unwrap();
            loop {
                let action: Vec<f32> = high.iter().map(|high| choices.random_range(-*high..*high)).collect();
                let outcome =
                    environment.step(Action::Continuous(&action), &mut rng, &mut observation).unwrap();
                total += outcome.reward;
                if outcome.done() {
                    break;
                }
            }
        }
        let ours = total / EPISODES as f64;
        // Four standard errors of the difference.
        let allowed = 4.0 * deviation * (1.0 / EPISODES as f64 + 1.0 / 400.0).sqrt();
        assert!((ours - mean).abs() < allowed, "{name}: {ours}, not {mean}");
    }
}

#[test]
fn every_robot_keeps_the_contract() {
    for robot in Robot::ALL {
        let environment = RobotEnvironment::new(robot).unwrap();
        conformance::check(&TimeLimit::new(environment, 100).unwrap()).unwrap();
    }
}

fn random_steps(simulation: &mut Simulation, seed: u64, steps: usize) -> Vec<f64> {
    let mut rng = Seed::new(seed).stream("actions");
    let motors = simulation.action_bounds().len();
    for _ in 0..steps {
        let action: Vec<f32> = (0..motors).map(|_| rng.random_range(-1.0..1.0)).collect();
        simulation.step(&action).unwrap();
    }
    let forces = simulation.contact_forces().as_flattened();
    [simulation.positions(), simulation.velocities(), forces].concat()
}

#[test]
fn clones_and_snapshots_continue_to_the_last_bit() {
    for robot in Robot::ALL {
        let mut simulation = Simulation::new(robot).unwrap();
        random_steps(&mut simulation, 0, 20);
        let mut clone = simulation.clone();
        let bytes = postcard::to_allocvec(&simulation).unwrap();
        let mut restored: Simulation = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(restored.bodies().len(), simulation.bodies().len());
        let expected = random_steps(&mut simulation, 1, 20);
        assert_eq!(random_steps(&mut clone, 1, 20), expected, "{}", robot.name());
        assert_eq!(random_steps(&mut restored, 1, 20), expected, "{}", robot.name());
    }
}

#[test]
fn a_snapshot_of_another_version_is_refused() {
    let bytes = postcard::to_allocvec(&Simulation::new(Robot::Hopper).unwrap()).unwrap();
    let version = bytes.windows(6).position(|w| w == b"3.17.0").unwrap();
    let mut other = bytes.clone();
    other[version + 3] = b'6';
    assert!(postcard::from_bytes::<Simulation>(&bytes).is_ok());
    assert!(postcard::from_bytes::<Simulation>(&other).is_err());
}

#[test]
fn wrong_lengths_and_broken_states_are_errors() {
    let mut simulation = Simulation::new(Robot::Hopper).unwrap();
    let error = simulation.step(&[0.0; 2]).unwrap_err();
    assert_eq!(error, Error::Length { what: "the action", given: 2, expected: 3 });
    let error = simulation.set_state(&[0.0; 5], &[0.0; 6]).unwrap_err();
    assert_eq!(error, Error::Length { what: "the positions", given: 5, expected: 6 });
    let error = simulation.set_state(&[0.0; 6], &[0.0; 7]).unwrap_err();
    assert_eq!(error, Error::Length { what: "the velocities", given: 7, expected: 6 });
}
