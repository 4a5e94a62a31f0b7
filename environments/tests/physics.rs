//! Robots on rapier: mechanics against closed forms, friction, limits, endurance, bad input.

use std::f64::consts::PI;

use assay_environments::{
    Action, Actions, Batch, BatchedEnvironment, BatchedStep, Environment, PhysicalParameters, catalogue,
    physics::{
        Axle, Impedance, Integration, Joint, Link, Locomotion, Part, Robot, RobotEnvironment, Shape, Surface,
        World, robots,
    },
    random::Seed,
};

/// The robots whose joints keep them in an upright plane, with their floors.
fn upright_robots() -> Vec<Robot> {
    vec![robots::hopper::robot(), robots::half_cheetah::robot(), robots::walker2d::robot()]
}

fn all_robots() -> Vec<Robot> {
    let mut all = upright_robots();
    all.extend([
        robots::inverted_pendulum::robot(),
        robots::inverted_double_pendulum::robot(),
        robots::reacher::robot(),
        robots::swimmer::robot(),
        robots::ant::robot(),
        robots::point::robot(Default::default()),
        robots::ant::robot_in_maze(Default::default()),
    ]);
    all
}

/// A robot of these links in free space.
fn free(links: Vec<Link>) -> Robot {
    let mut robot = Robot {
        name: "test".into(),
        links,
        motors: Vec::new(),
        floor: None,
        blocks: Vec::new(),
        gravity: 9.81,
        fluid: None,
        limits: Impedance::default(),
        integration: Integration::Leapfrog,
        time_step: 0.002,
        steps: 1,
        ranges: Vec::new(),
        speed_limit: None,
        start: Vec::new(),
    };
    robot.start = vec![0.0; robot.positions()];
    robot
}

/// A capsule that lies on the floor along its way, and slides.
fn sled(friction: f64) -> Robot {
    let shape = Shape::capsule([-0.2, 0.0, 0.0], [0.2, 0.0, 0.0], 0.05);
    let part = Part::new(shape, 1000.0, Some(Surface::everything(friction)));
    let mut robot = free(vec![Link::new("sled", None, [0.0; 3], Joint::Upright, [part])]);
    robot.floor = Some(Surface::everything(friction));
    robot.start[1] = 0.05;
    robot
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
fn contact_forces_carry_the_weight_and_oppose_the_motion() {
    let robot = sled(0.4);
    let mut world = World::new(&robot, &robot.start, &[2.0, 0.0, 0.0]).unwrap();
    for _ in 0..200 {
        world.step(&robot, &[]).unwrap();
    }
    let weight = robot.mass() * robot.gravity;
    let [force, torque] = world.contact_force(0, 0, world.centre_of_mass());
    assert!((force[2] / weight - 1.0).abs() < 0.05, "{force:?} N, weight {weight} N");
    assert!((force[0] / weight + 0.4).abs() < 0.03, "{force:?} N, weight {weight} N");
    // The friction acts 5 cm below the middle and tips the sled forwards; the floor holds against it.
    assert!(torque[1].abs() < 0.02 * weight, "{torque:?} N m");

    let robot = robots::ant::robot();
    let mut world = World::new(&robot, &robot.start, &vec![0.0; robot.velocities()]).unwrap();
    for _ in 0..100 {
        world.step(&robot, &[0.0; 8]).unwrap();
    }
    let parts =
        robot.links.iter().enumerate().flat_map(|(i, link)| (0..link.parts.len()).map(move |k| (i, k)));
    let carried: f64 = parts.map(|(link, part)| world.contact_force(link, part, [0.0; 3])[0][2]).sum();
    let weight = robot.mass() * robot.gravity;
    assert!((carried / weight - 1.0).abs() < 0.05, "{carried} N, weight {weight} N");
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

/// A rod that hangs from a hinge: 0.6 m between the middles of its round ends.
const ROD: (f64, f64) = (0.6, 0.05);

fn rod(name: &str, parent: Option<usize>, offset: [f64; 3]) -> Link {
    let shape = Shape::capsule([0.0; 3], [0.0, 0.0, -ROD.0], ROD.1);
    Link::new(name, parent, offset, Joint::Hinge(Axle::default()), [Part::new(shape, 1000.0, None)])
}

/// Mass of the rod and its moment of inertia about its middle.
fn rod_inertia() -> (f64, f64) {
    let (length, r) = ROD;
    let tube = 1000.0 * PI * r * r * length;
    let end = 1000.0 * 2.0 / 3.0 * PI * r.powi(3);
    let ends = 2.0 * end * (0.4 * r * r + length * length / 4.0 + 3.0 * length * r / 8.0);
    (tube + 2.0 * end, tube * (length * length / 12.0 + r * r / 4.0) + ends)
}

#[test]
fn a_pendulum_keeps_its_energy_and_its_period() {
    let robot = free(vec![rod("rod", None, [0.0; 3])]);
    let (mass, inertia) = rod_inertia();
    let middle = ROD.0 / 2.0;
    let amplitude: f64 = 1.0;
    // The period of a large swing is that of a small one over the arithmetic-geometric mean.
    let (mut a, mut b) = (1.0, (amplitude / 2.0).cos());
    for _ in 0..10 {
        (a, b) = ((a + b) / 2.0, f64::sqrt(a * b));
    }
    let stiffness = mass * robot.gravity * middle;
    let period = 2.0 * PI * ((inertia + mass * middle * middle) / stiffness).sqrt() / a;

    let mut world = World::new(&robot, &[amplitude], &[0.0]).unwrap();
    let start = world.energy();
    let (mut crossings, mut energies, mut swell) = (Vec::new(), Vec::new(), 0.0_f64);
    let mut before = (world.positions()[0], start);
    for step in 1..5000 {
        world.step(&robot, &[]).unwrap();
        let now = (world.positions()[0], world.energy());
        if before.0 > 0.0 && now.0 <= 0.0 {
            let share = before.0 / (before.0 - now.0);
            crossings.push((f64::from(step - 1) + share) * robot.time_step);
            energies.push(before.1 + share * (now.1 - before.1));
        }
        before = now;
        swell = swell.max((now.1 - start).abs());
    }
    let swings = (crossings.len() - 1) as f64;
    let measured = (crossings[crossings.len() - 1] - crossings[0]) / swings;
    assert!((measured / period - 1.0).abs() < 4e-5, "{measured} s, not {period}");
    // In 10 s, of the energy of the swing.
    let swing = stiffness * (1.0 - amplitude.cos());
    let drift = energies.iter().map(|energy| (energy - start).abs()).fold(0.0, f64::max);
    assert!(drift / swing < 1e-4, "the energy drifts by {} of the swing's", drift / swing);
    // Within a swing it swells and shrinks, but comes back.
    assert!(swell / swing < 5e-4, "the energy swells by {} of the swing's", swell / swing);
}

#[test]
fn a_double_pendulum_follows_its_equations_of_motion() {
    let robot = free(vec![rod("upper", None, [0.0; 3]), rod("lower", Some(0), [0.0, 0.0, -ROD.0])]);
    let ((mass, inertia), middle) = (rod_inertia(), ROD.0 / 2.0);
    // Angles from the vertical and their velocities.
    let acceleration = |[a, b, u, v]: [f64; 4]| {
        let (sin, cos) = (a - b).sin_cos();
        let coupling = mass * ROD.0 * middle;
        let upper = inertia + mass * middle * middle + mass * ROD.0 * ROD.0;
        let lower = inertia + mass * middle * middle;
        let first = -coupling * sin * v * v - (mass * middle + mass * ROD.0) * robot.gravity * a.sin();
        let second = coupling * sin * u * u - mass * middle * robot.gravity * b.sin();
        let off = coupling * cos;
        let determinant = upper * lower - off * off;
        [u, v, (lower * first - off * second) / determinant, (upper * second - off * first) / determinant]
    };
    let mut state = [1.0, 1.5, 0.0, 0.0];
    let mut world = World::new(&robot, &[1.0, 0.5], &[0.0, 0.0]).unwrap();
    let mut worst = 0.0_f64;
    for _ in 0..1000 {
        // Twenty Runge-Kutta steps for one of the simulation.
        for _ in 0..20 {
            let h = robot.time_step / 20.0;
            let along = |k: [f64; 4], h: f64| [0, 1, 2, 3].map(|i| state[i] + h * k[i]);
            let k1 = acceleration(state);
            let k2 = acceleration(along(k1, h / 2.0));
            let k3 = acceleration(along(k2, h / 2.0));
            let k4 = acceleration(along(k3, h));
            state = [0, 1, 2, 3].map(|i| state[i] + h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]));
        }
        world.step(&robot, &[]).unwrap();
        let [upper, between] = [world.positions()[0], world.positions()[1]];
        worst = worst.max((upper - state[0]).abs()).max((upper + between - state[1]).abs());
    }
    assert!(worst < 0.013, "the angles differ by {worst} rad within 2 s");
}

#[test]
fn published_masses_come_out_of_the_descriptions() {
    let mass = |robot: &Robot, link: &str| robot.links[robot.link(link).unwrap()].mass();
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-4, "{a}, not {b}");
    // As MuJoCo 3.17.0 computes them from the published files.
    close(mass(&robots::hopper::robot(), "torso"), 3.6652);
    close(mass(&robots::hopper::robot(), "thigh"), 4.0579);
    close(mass(&robots::hopper::robot(), "leg"), 2.7814);
    close(mass(&robots::hopper::robot(), "foot"), 5.3156);
    for (link, expected) in [
        ("torso", 6.2502),
        ("bthigh", 1.5435),
        ("bshin", 1.5874),
        ("bfoot", 1.0954),
        ("fthigh", 1.4381),
        ("fshin", 1.2008),
        ("ffoot", 0.8845),
    ] {
        close(mass(&robots::half_cheetah::robot(), link), expected);
    }
    close(mass(&robots::walker2d::robot(), "foot_left"), 3.1667);
    close(mass(&robots::swimmer::robot(), "mid"), 35.6047);
    close(mass(&robots::inverted_pendulum::robot(), "cart"), 10.472);
    close(mass(&robots::inverted_pendulum::robot(), "pole"), 5.0186);
    close(mass(&robots::inverted_double_pendulum::robot(), "pole2"), 4.1987);
    close(mass(&robots::reacher::robot(), "body1"), 0.0356 + 0.0042);
    let ant = robots::ant::robot();
    close(ant.links[0].parts[0].mass(), 0.3272);
    close(mass(&ant, "aux_1"), 0.0392);
    close(mass(&ant, "ankle_4"), 0.0676);
}

#[test]
fn robots_stay_finite_and_within_their_limits_under_random_actions() {
    for robot in all_robots() {
        let mut rng = Seed::new(3).stream("actions");
        let space = assay_environments::Space::symmetric(robot.motors.len(), 1.0);
        let mut actions = Actions::zeros(&space, 1);
        let mut world = World::new(&robot, &robot.start, &vec![0.0; robot.velocities()]).unwrap();
        let mut worst = 0.0_f64;
        for step in 0..2000 {
            space.sample(&mut rng, &mut actions);
            let Action::Continuous(action) = actions.row(0) else { unreachable!() };
            world.step(&robot, action).unwrap();
            let mut position = 0;
            for link in &robot.links {
                if let Joint::Hinge(Axle { range: Some([low, high]), .. }) = link.joint
                    && step > 20
                {
                    let q = world.positions()[position];
                    worst = worst.max(low - q).max(q - high);
                }
                position += link.joint.positions();
            }
        }
        // Limits give way as MuJoCo's do, where the Walker is 0.31 rad beyond one in the recordings.
        assert!(worst < 0.5, "{}: {worst} rad beyond a limit", robot.name);
    }
}

#[test]
fn batches_of_robots_are_the_same_at_any_number_of_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let walker = RobotEnvironment::new(robots::walker2d::robot(), robots::walker2d::task()).unwrap();
            let mut batch = Batch::new(walker, 5, Seed::new(2)).unwrap().parallel();
            let mut step = BatchedStep::new(&batch);
            batch.reset(&mut step.observations).unwrap();
            let mut actions = Actions::zeros(batch.action_space(), 5);
            let mut rng = Seed::new(2).stream("actions");
            let mut seen = Vec::new();
            for _ in 0..200 {
                batch.action_space().sample(&mut rng, &mut actions);
                batch.step(&actions, &mut step).unwrap();
                seen.extend(step.observations.iter().map(|x| x.to_bits()));
            }
            seen
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(5));
}

#[test]
fn a_batch_of_robots_continues_from_a_snapshot_bit_for_bit() {
    for name in ["RapierHalfCheetah", "RapierAnt", "RapierSwimmer"] {
        let make = || catalogue::make(name, &toml::Table::new(), 2, Seed::new(0)).unwrap();
        let (mut first, mut second) = (make(), make());
        let mut step = BatchedStep::new(first.as_ref());
        first.reset(&mut step.observations).unwrap();
        let mut actions = Actions::zeros(first.action_space(), 2);
        let mut rng = Seed::new(0).stream("actions");
        for _ in 0..50 {
            first.action_space().sample(&mut rng, &mut actions);
            first.step(&actions, &mut step).unwrap();
        }
        second.restore(&first.snapshot().unwrap()).unwrap();
        let mut other = step.clone();
        for _ in 0..50 {
            first.action_space().sample(&mut rng, &mut actions);
            first.step(&actions, &mut step).unwrap();
            second.step(&actions, &mut other).unwrap();
            assert_eq!(step.observations, other.observations, "{name}");
        }
        let walker = catalogue::make("RapierWalker2d", &toml::Table::new(), 2, Seed::new(0)).unwrap();
        let message = second.restore(&walker.snapshot().unwrap()).unwrap_err().to_string();
        assert!(message.contains("it is of another environment"), "{message}");
    }
}

#[test]
fn a_steeper_slope_of_gravity_or_a_heavier_torso_changes_the_motion_from_the_next_reset_on() {
    let mut hopper = RobotEnvironment::new(robots::hopper::robot(), robots::hopper::task()).unwrap();
    let mut rng = Seed::new(0).stream("environment");
    let mut observation = [0.0; 11];
    hopper.reset(&mut rng, &mut observation).unwrap();
    let published = hopper.robot().mass();
    hopper.set_physical_parameter("torso_mass", 3.0).unwrap();
    assert_eq!(hopper.robot().mass(), published);
    hopper.reset(&mut rng, &mut observation).unwrap();
    let torso = hopper.robot().links[0].mass();
    assert!((torso - 3.0).abs() < 1e-9, "{torso}");
    hopper.set_physical_parameter("gravity", 12.0).unwrap();
    hopper.set_physical_parameter("leg_length", 1.2).unwrap();
    hopper.reset(&mut rng, &mut observation).unwrap();
    assert!((hopper.robot().gravity - 12.0).abs() < 1e-12);
    // The foot hangs lower and everything starts as high above the floor as before.
    assert!((hopper.robot().links[3].offset[2] + 0.35 + 0.2 * 0.5).abs() < 1e-9);
    assert!((hopper.robot().links[0].offset[2] - 0.2 * 0.5).abs() < 1e-9);
}

#[test]
fn a_parameter_that_is_unknown_or_out_of_its_range_is_named() {
    let error = |text: &str| {
        let parameters = text.parse().unwrap();
        catalogue::make("RapierHopper", &parameters, 1, Seed::new(0)).err().unwrap().to_string()
    };
    let message = error("physical = { torso_mas = 1.0 }");
    assert!(
        message.contains("unknown physical parameter `torso_mas` (did you mean `torso_mass`?)"),
        "{message}"
    );
    let message = error("physical = { torso_mass = 4.0 }");
    assert_eq!(message, "`torso_mass` is 4; allowed: 0.1 to 3 kg");
    let message = error("hidden = { friction = [0.5, 3.5] }");
    assert_eq!(message, "`friction` is 3.5; allowed: 0.1 to 3");
    let message = error("hidden = { friction = [0.5, nan] }");
    assert!(message.contains("`friction` is NaN"), "{message}");
    let message = error("hidden = { friction = [1.5, 0.5] }");
    assert!(message.contains("`friction` is 1.5 to 0.5; allowed: a range from low to high"), "{message}");
}

#[test]
fn hidden_parameters_are_drawn_anew_at_every_reset_and_not_observed() {
    let parameters = "hidden = { torso_mass = [1.0, 3.0] }".parse().unwrap();
    let mut batch = catalogue::make("RapierHopper", &parameters, 2, Seed::new(0)).unwrap();
    assert_eq!(batch.observation_space().width(), 11);
    let mut observations = vec![0.0; 22];
    let mut masses = Vec::new();
    for _ in 0..3 {
        batch.reset(&mut observations).unwrap();
        for copy in 0..2 {
            let parameters = batch.physics(copy).unwrap().physical_parameters();
            masses.push(parameters.iter().find(|p| p.name == "torso_mass").unwrap().value);
        }
    }
    assert!(masses.iter().all(|mass| (1.0..=3.0).contains(mass)), "{masses:?}");
    masses.sort_by(f64::total_cmp);
    masses.dedup();
    assert_eq!(masses.len(), 6);
}

#[test]
fn every_robot_can_be_altered_within_its_ranges() {
    for robot in all_robots() {
        let mut environment = RobotEnvironment::new(robot, Locomotion::default()).unwrap();
        let mut rng = Seed::new(0).stream("environment");
        let mut observation = vec![0.0; environment.observation_space().width()];
        let still = vec![0.0; environment.robot().motors.len()];
        for parameter in environment.physical_parameters() {
            let [low, high] = parameter.range;
            assert!(low < high && low >= 0.0, "{parameter:?}");
            for value in [low, high] {
                environment.set_physical_parameter(&parameter.name, value).unwrap();
                environment.reset(&mut rng, &mut observation).unwrap();
                environment.step(Action::Continuous(&still), &mut rng, &mut observation).unwrap();
            }
            environment.set_physical_parameter(&parameter.name, parameter.nominal).unwrap();
        }
    }
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

#[test]
fn rewards_of_several_objectives_come_with_their_names() {
    for (name, objectives) in [("RapierHopper", 3), ("RapierHalfCheetah", 2), ("RapierAnt", 3)] {
        let mut batch = catalogue::make(name, &toml::Table::new(), 2, Seed::new(0)).unwrap();
        let mut step = BatchedStep::new(batch.as_ref());
        batch.reset(&mut step.observations).unwrap();
        batch.step(&Actions::zeros(batch.action_space(), 2), &mut step).unwrap();
        let rewards = batch.vector_reward(1).unwrap();
        assert_eq!((rewards.objectives().len(), rewards.rewards().len()), (objectives, objectives), "{name}");
        assert_eq!(rewards.objectives()[objectives - 1], "thrift");
    }
    let batch = catalogue::make("RapierReacher", &toml::Table::new(), 1, Seed::new(0)).unwrap();
    assert!(batch.vector_reward(0).is_none());
}

#[test]
fn every_robot_draws_itself() {
    for entry in catalogue::entries().iter().filter(|entry| entry.name().starts_with("Rapier")) {
        let mut batch = entry.make(&toml::Table::new(), 1, Seed::new(0)).unwrap();
        let mut step = BatchedStep::new(batch.as_ref());
        batch.reset(&mut step.observations).unwrap();
        let picture = batch.draw(0).unwrap();
        assert!(picture.shapes.len() > 3, "{}", entry.name());
        assert!(picture.svg(200.0).unwrap().contains("<svg"), "{}", entry.name());
    }
}
