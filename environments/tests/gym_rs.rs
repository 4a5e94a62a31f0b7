//! The environments of gym-rs on our contract, and where they differ from ours.

use std::process::Command;

use assay_environments::{
    Action, Batch, BatchedEnvironment, BatchedStep, Environment, Error, Space,
    classic::{CartPole, MountainCar},
    conformance::{self, Rule},
    gym_rs::{GymRs, Make, watch},
    random::Seed,
    wrappers::TimeLimit,
};
use gym_rs::{
    core::Env,
    envs::classical_control::{
        cartpole::{CartPoleEnv, CartPoleObservation},
        mountain_car::MountainCarEnv,
    },
    utils::renderer::RenderMode,
};
use rand::Rng;

#[test]
fn mountain_car_is_ours_bit_for_bit() {
    let mut theirs = GymRs::<MountainCarEnv>::new();
    let mut ours = MountainCar::new();
    assert_eq!(theirs.observation_space(), ours.observation_space());
    assert_eq!(theirs.action_space(), ours.action_space());
    let seed = Seed::new(0);
    let (mut rng, mut choices) = (seed.stream("environment"), seed.stream("actions"));
    let (mut a, mut b) = ([0.0; 2], [0.0; 2]);
    let state = |theirs: &GymRs<MountainCarEnv>| {
        theirs.inspect(|e| [e.state.position.into_inner(), e.state.velocity.into_inner()])
    };
    let mut goals = 0;
    for _ in 0..20 {
        theirs.reset(&mut rng, &mut a).unwrap();
        ours.set_state(state(&theirs));
        for _ in 0..500 {
            // With the motion, mostly: only that reaches the goal.
            let with_motion = if ours.state()[1] < 0.0 { 0 } else { 2 };
            let action = if choices.random::<f64>() < 0.8 { with_motion } else { choices.random_range(0..3) };
            let found = theirs.step(Action::Discrete(action), &mut rng, &mut a).unwrap();
            let expected = ours.step(Action::Discrete(action), &mut rng, &mut b).unwrap();
            assert_eq!((found, a), (expected, b));
            assert_eq!(state(&theirs), ours.state());
            if found.terminated {
                goals += 1;
                break;
            }
        }
    }
    assert!(goals > 0);
}

/// One step of the cart-pole with a given product of the pole's mass and half length.
fn cart_pole_step([x, v, theta, omega]: [f64; 4], force: f64, pole_mass_length: f64) -> [f64; 4] {
    let (sin, cos) = theta.sin_cos();
    let temp = (force + pole_mass_length * omega.powi(2) * sin) / 1.1;
    let alpha = (9.8 * sin - cos * temp) / (0.5 * (4.0 / 3.0 - 0.1 * cos.powi(2) / 1.1));
    let acceleration = temp - pole_mass_length * alpha * cos / 1.1;
    [x + 0.02 * v, v + 0.02 * acceleration, theta + 0.02 * omega, omega + 0.02 * alpha]
}

fn largest_difference(a: [f64; 4], b: [f64; 4]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn cart_pole_takes_the_sum_of_mass_and_length_for_their_product() {
    let state = [0.1, 0.5, 0.05, -0.5];
    let mut theirs = CartPoleEnv::make(RenderMode::None);
    let [x, v, theta, omega] = state.map(Into::into);
    theirs.state = CartPoleObservation::new(x, v, theta, omega);
    let next: Vec<f64> = theirs.step(1).observation.into();
    let next: [f64; 4] = next.try_into().unwrap();

    let mut ours = CartPole::new();
    ours.set_state(state);
    let mut rng = Seed::new(0).stream("environment");
    ours.step(Action::Discrete(1), &mut rng, &mut [0.0; 4]).unwrap();

    assert!(largest_difference(ours.state(), cart_pole_step(state, 10.0, 0.1 * 0.5)) < 1e-15);
    assert!(largest_difference(next, cart_pole_step(state, 10.0, 0.1 + 0.5)) < 1e-15);
    assert!(largest_difference(next, ours.state()) > 0.1);
}

#[test]
fn cart_pole_starts_ten_times_too_far_out_and_mostly_after_the_end() {
    let mut theirs = GymRs::<CartPoleEnv>::new();
    let mut rng = Seed::new(0).stream("environment");
    let mut observation = [0.0_f32; 4];
    let (mut over, mut outside, mut largest) = (0, 0, 0.0_f32);
    for _ in 0..1000 {
        theirs.reset(&mut rng, &mut observation).unwrap();
        over += usize::from(observation[2].abs() > 12.0_f32.to_radians());
        outside += usize::from(!theirs.observation_space().contains(&observation));
        largest = observation.iter().fold(largest, |largest, x| largest.max(x.abs()));
    }
    assert!(over > 500, "{over} of 1000");
    assert!(outside > 100, "{outside} of 1000");
    assert!(largest > 0.49 && largest <= 0.5, "{largest}");

    let error = conformance::check(&theirs).unwrap_err();
    let rules: Vec<Rule> = error.violations.iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, [Rule::Observations]);
}

#[test]
fn nothing_is_truncated_unless_a_time_limit_does_it() {
    let mut rng = Seed::new(0).stream("environment");
    let mut observation = [0.0; 2];
    let mut theirs = GymRs::<MountainCarEnv>::new();
    theirs.reset(&mut rng, &mut observation).unwrap();
    for _ in 0..1000 {
        let outcome = theirs.step(Action::Discrete(1), &mut rng, &mut observation).unwrap();
        assert!(!outcome.done());
    }
    let mut limited = TimeLimit::new(theirs, 2).unwrap();
    limited.reset(&mut rng, &mut observation).unwrap();
    assert!(!limited.step(Action::Discrete(1), &mut rng, &mut observation).unwrap().truncated);
    assert!(limited.step(Action::Discrete(1), &mut rng, &mut observation).unwrap().truncated);
}

#[test]
fn the_adapter_keeps_the_contract() {
    conformance::check(&TimeLimit::new(GymRs::<MountainCarEnv>::new(), 100).unwrap()).unwrap();
}

#[test]
fn batches_step_on_any_thread_and_continue_from_snapshots() {
    let make = || {
        let limited = TimeLimit::new(GymRs::<CartPoleEnv>::new(), 30).unwrap();
        Batch::new(limited, 8, Seed::new(4)).unwrap()
    };
    let follow = |batch: &mut dyn BatchedEnvironment, steps: usize| {
        let mut rng = Seed::new(1).stream("actions");
        let mut actions = assay_environments::Actions::zeros(batch.action_space(), batch.copies());
        let mut step = BatchedStep::new(batch);
        let mut seen = Vec::new();
        for _ in 0..steps {
            Space::discrete(2).sample(&mut rng, &mut actions);
            batch.step(&actions, &mut step).unwrap();
            seen.push((step.observations.clone(), step.rewards.clone(), step.episodes.clone()));
        }
        seen
    };
    let mut observations = vec![0.0; 32];
    let (mut serial, mut parallel) = (make(), make().parallel());
    serial.reset(&mut observations).unwrap();
    parallel.reset(&mut observations).unwrap();
    assert_eq!(follow(&mut serial, 60), follow(&mut parallel, 60));

    let snapshot = serial.snapshot().unwrap();
    let expected = follow(&mut serial, 60);
    let mut restored = make();
    restored.restore(&snapshot).unwrap();
    let found = std::thread::scope(|scope| scope.spawn(|| follow(&mut restored, 60)).join().unwrap());
    assert_eq!(found, expected);
}

/// SDL chooses its drivers by environment variables, so the window is opened in a process of its
/// own: this test, called again.
#[test]
fn an_episode_is_shown_in_a_window_and_a_missing_display_is_an_error() {
    const CHILD: &str = "ASSAY_WATCH";
    if let Ok(expected) = std::env::var(CHILD) {
        let played =
            watch::<MountainCarEnv>(Seed::new(0), 5, |observation| if observation[1] < 0.0 { 0 } else { 2 });
        match expected.as_str() {
            "episode" => assert_eq!(played.unwrap().length, 5),
            _ => assert!(
                matches!(played, Err(Error::Unstable { ref environment, .. }) if environment == "gym-rs")
            ),
        }
        let wrong = watch::<MountainCarEnv>(Seed::new(0), 5, |_| 3);
        assert!(wrong.is_err());
        return;
    }
    for (driver, expected) in [("dummy", "episode"), ("none such", "error")] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["an_episode_is_shown_in_a_window_and_a_missing_display_is_an_error", "--exact"])
            .env(CHILD, expected)
            .env("SDL_VIDEODRIVER", driver)
            .env("SDL_RENDER_DRIVER", "software")
            .output()
            .unwrap();
        assert!(output.status.success(), "{driver}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
