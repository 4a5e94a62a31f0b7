//! Robots on rapier: mechanics against closed forms, friction, limits, returns, bad input.

use assay_environments::{
    Action, Actions, BatchedStep, Environment, catalogue,
    physics::{Joint, Link, Locomotion, Part, Robot, RobotEnvironment, Shape, Surface, World, robots},
    random::Seed,
};

/// The robots whose joints keep them in an upright plane, with their floors.
fn upright_robots() -> Vec<Robot> {
    vec![robots::hopper::robot()]
}

fn surface(friction: f64) -> Option<Surface> {
    Some(Surface { friction, touches: 1, touched_by: 1 })
}

/// A capsule that lies on the floor along its way, and slides.
fn sled(friction: f64) -> Robot {
    let shape = Shape::Capsule { from: [-0.2, 0.0, 0.0], to: [0.2, 0.0, 0.0], radius: 0.05 };
    Robot {
        name: "sled".into(),
        links: vec![Link {
            name: "sled".into(),
            parent: None,
            offset: [0.0; 3],
            joint: Joint::Upright,
            parts: vec![Part { shape, density: 1000.0, surface: surface(friction) }],
        }],
        motors: Vec::new(),
        floor: surface(friction),
        gravity: 9.81,
        fluid: None,
        time_step: 0.002,
        steps: 1,
        start: vec![0.0, 0.05, 0.0],
    }
}

#[test]
fn a_sliding_body_stops_where_friction_says() {
    for friction in [0.2, 0.4, 0.8] {
        let robot = sled(friction);
        let mut world = World::new(&robot, &robot.start, &[2.0, 0.0, 0.0]).unwrap();
        for _ in 0..1500 {
            world.step(&robot, &[]).unwrap();
        }
        let expected = 2.0 * 2.0 / (2.0 * friction * robot.gravity);
        let distance = world.positions()[0];
        assert!(world.velocities()[0].abs() < 1e-3, "still moving at friction {friction}");
        assert!((distance / expected - 1.0).abs() < 0.03, "{distance} m, not {expected}");
    }
}

#[test]
fn every_upright_robot_feels_the_friction_of_the_floor() {
    let pushed = |robot: &Robot| {
        let mut velocities = vec![0.0; robot.velocities()];
        velocities[0] = 2.0;
        let mut world = World::new(robot, &robot.start, &velocities).unwrap();
        let still = vec![0.0; robot.motors.len()];
        world.step(robot, &still).unwrap();
        let before = world.momentum()[0];
        for _ in 0..(1.0 / robot.control_step()) as usize {
            world.step(robot, &still).unwrap();
        }
        world.momentum()[0] / before
    };
    for mut robot in upright_robots() {
        let rough = pushed(&robot);
        for part in robot.links.iter_mut().flat_map(|link| &mut link.parts) {
            part.surface.as_mut().unwrap().friction = 0.0;
        }
        robot.floor.as_mut().unwrap().friction = 0.0;
        let smooth = pushed(&robot);
        assert!((smooth - 1.0).abs() < 0.01, "{}: {smooth} of the momentum without friction", robot.name);
        assert!(rough < 0.8, "{}: {rough} of the momentum with friction", robot.name);
    }
}

/// Mean and standard error of the returns of the uniformly random policy.
fn random_returns(name: &str, episodes: usize) -> (f64, f64) {
    let mut batch = catalogue::make(name, &toml::Table::new(), 8, Seed::new(1)).unwrap();
    let mut step = BatchedStep::new(batch.as_ref());
    batch.reset(&mut step.observations).unwrap();
    let mut actions = Actions::zeros(batch.action_space(), 8);
    let mut rng = Seed::new(1).stream("actions");
    let mut returns = Vec::new();
    while returns.len() < episodes {
        batch.action_space().sample(&mut rng, &mut actions);
        batch.step(&actions, &mut step).unwrap();
        returns.extend(step.episodes.iter().map(|episode| episode.total_reward));
    }
    let count = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / count;
    let variance = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

#[test]
fn random_policies_earn_what_they_earn_in_mujoco() {
    let (mean, error) = random_returns("RapierHopper", 400);
    // Recorded in `robots/returns.recording`.
    let mujoco = 17.6;
    assert!((mean - mujoco).abs() < 2.0 + 3.0 * error, "{mean} ± {error}, not {mujoco}");
}

#[test]
fn an_action_of_the_wrong_length_or_not_finite_is_an_error() {
    let mut hopper = RobotEnvironment::new(robots::hopper::robot(), robots::hopper::task()).unwrap();
    let mut rng = Seed::new(0).stream("environment");
    let mut observation = [0.0; 11];
    hopper.reset(&mut rng, &mut observation).unwrap();
    for action in [&[0.0, 0.0][..], &[0.0, f32::NAN, 0.0], &[0.0, f32::INFINITY, 0.0]] {
        let message =
            hopper.step(Action::Continuous(action), &mut rng, &mut observation).unwrap_err().to_string();
        assert!(message.contains("the action is Continuous"), "{message}");
    }
}

#[test]
fn a_simulation_that_breaks_down_names_the_link_and_the_step() {
    let mut hopper = RobotEnvironment::new(robots::hopper::robot(), Locomotion::default()).unwrap();
    let mut velocities = [0.0; 6];
    velocities[3] = 1e30;
    hopper.set_state(&hopper.robot().start.clone(), &velocities).unwrap();
    let mut observation = [0.0; 11];
    let mut rng = Seed::new(0).stream("environment");
    let error = hopper.step(Action::Continuous(&[0.0; 3]), &mut rng, &mut observation).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("RapierHopper became unstable: link `"), "{message}");
    assert!(message.contains("step 2 of the simulation"), "{message}");
}
