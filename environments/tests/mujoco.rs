//! MuJoCo from here against MuJoCo from Python, whose recordings are in `robots`.

mod robots;

use assay_environments::{
    Error,
    mujoco::{Robot, Simulation},
    random::Seed,
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
