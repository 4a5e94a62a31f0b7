//! Classic control with other physical parameters than the published ones.

use assay_environments::{
    Action, Batch, BatchedEnvironment, BatchedStep, Environment, PhysicalParameter,
    classic::{Acrobot, CartPole, MountainCar, MountainCarContinuous, Pendulum},
    conformance,
    domain_randomisation::DomainRandomisation,
    random::Seed,
    wrappers::{EpisodeStatistics, TimeLimit},
};
use rand::Rng;

fn parameters<E: Environment>(environment: &mut E) -> Vec<PhysicalParameter> {
    environment.physics().unwrap().physical_parameters()
}

fn set<E: Environment>(environment: &mut E, name: &str, value: f64) {
    environment.physics().unwrap().set_physical_parameter(name, value).unwrap();
}

/// The observations of 60 steps after a reset, with random actions.
fn trajectory<E: Environment>(mut environment: E) -> Vec<u32> {
    let (mut rng, mut actor) = (Seed::new(1).stream("environment"), Seed::new(1).stream("actor"));
    let mut observation = vec![0.0; environment.observation_space().width()];
    let discrete = environment.action_space().features();
    environment.reset(&mut rng, &mut observation).unwrap();
    let mut bits = Vec::new();
    for _ in 0..60 {
        let throttle = [actor.random_range(-1.0..1.0)];
        let action = match environment.action_space() {
            assay_environments::Space::Discrete { .. } => Action::Discrete(actor.random_range(0..discrete)),
            _ => Action::Continuous(&throttle),
        };
        environment.step(action, &mut rng, &mut observation).unwrap();
        bits.extend(observation.iter().map(|x| x.to_bits()));
    }
    bits
}

fn check<E: Environment>(environment: E) {
    let published = trajectory(environment.clone());
    let mut same = environment.clone();
    for PhysicalParameter { name, nominal, value, range, .. } in parameters(&mut same) {
        assert_eq!(value, nominal, "{name}");
        assert!(range[0] <= nominal && nominal <= range[1], "{name}");
        set(&mut same, &name, nominal);
        for value in range {
            let mut other = environment.clone();
            set(&mut other, &name, value);
            assert_ne!(trajectory(other.clone()), published, "{name} = {value}");
            conformance::check(&other).unwrap();
            // Back to the published value, from the next reset on.
            trajectory(other.clone());
            set(&mut other, &name, nominal);
            assert_eq!(trajectory(other), published, "{name}");
        }
    }
    // The golden trajectories of these very dynamics are in `golden.rs`.
    assert_eq!(trajectory(same), published);
}

#[test]
fn published_parameters_leave_every_bit_as_it_is_and_others_change_the_dynamics() {
    check(CartPole::new());
    check(Pendulum::new());
    check(MountainCar::new());
    check(MountainCarContinuous::new());
    check(Acrobot::new());
}

#[test]
fn a_value_takes_effect_at_the_next_reset() {
    let mut pendulum = Pendulum::new();
    let mut rng = Seed::new(0).stream("environment");
    let mut observation = [0.0; 3];
    pendulum.reset(&mut rng, &mut observation).unwrap();
    let mut changed = pendulum.clone();
    set(&mut changed, "mass", 2.0);
    let mut other = [0.0; 3];
    for _ in 0..20 {
        pendulum.step(Action::Continuous(&[1.0]), &mut rng, &mut observation).unwrap();
        changed.step(Action::Continuous(&[1.0]), &mut rng, &mut other).unwrap();
        assert_eq!(observation, other);
    }
    let state = pendulum.state();
    for pendulum in [&mut pendulum, &mut changed] {
        pendulum.reset(&mut rng, &mut observation).unwrap();
        pendulum.set_state(state);
        pendulum.step(Action::Continuous(&[1.0]), &mut rng, &mut observation).unwrap();
    }
    assert_ne!(pendulum.state(), changed.state());
}

#[test]
fn wrappers_and_batches_pass_the_ability_on_and_snapshots_hold_the_values() {
    let task = EpisodeStatistics::new(TimeLimit::new(Pendulum::new(), 5).unwrap());
    let mut batch = Batch::new(task, 2, Seed::new(3)).unwrap();
    batch.physics(1).unwrap().set_physical_parameter("length", 0.5).unwrap();
    let value = |batch: &mut dyn BatchedEnvironment, copy| {
        let all = batch.physics(copy).unwrap().physical_parameters();
        all.into_iter().find(|parameter| parameter.name == "length").unwrap().value
    };
    assert_eq!((value(&mut batch, 0), value(&mut batch, 1)), (1.0, 0.5));
    assert!(batch.physics(2).is_none());
    let snapshot = batch.snapshot().unwrap();
    batch.physics(1).unwrap().set_physical_parameter("length", 0.7).unwrap();
    batch.restore(&snapshot).unwrap();
    assert_eq!(value(&mut batch, 1), 0.5);
}

#[test]
fn an_unknown_parameter_or_one_out_of_its_range_is_named() {
    let mut cart = CartPole::new();
    let mut message = |name: &str, value: f64| {
        cart.physics().unwrap().set_physical_parameter(name, value).unwrap_err().to_string()
    };
    assert!(message("pole_mas", 1.0).contains("did you mean `pole_mass`?"));
    assert!(message("pole_mass", -1.0).contains("`pole_mass` is -1; allowed: 0.01 to 1 kg"));
    assert!(message("force", f64::NAN).contains("`force` is NaN"));
}

fn randomised(copies: usize) -> DomainRandomisation {
    let task = TimeLimit::new(Pendulum::new(), 5).unwrap();
    let batch = Box::new(Batch::new(task, copies, Seed::new(3)).unwrap());
    let ranges = [("mass".to_owned(), [0.5, 1.5]), ("length".to_owned(), [0.8, 0.9])];
    DomainRandomisation::new(batch, ranges.into(), Seed::new(3)).unwrap()
}

/// The values that the running episode of every copy has.
fn step(environment: &mut DomainRandomisation) -> (Vec<f32>, Vec<f32>) {
    let mut step = BatchedStep::new(environment);
    let actions = assay_environments::Actions::zeros(environment.action_space(), environment.copies());
    environment.step(&actions, &mut step).unwrap();
    (step.observations, step.rewards)
}

#[test]
fn randomised_domains_differ_from_episode_to_episode_and_stay_in_their_ranges() {
    let mut environment = randomised(3);
    let mut observations = [0.0; 9];
    environment.reset(&mut observations).unwrap();
    let mut seen = Vec::new();
    for _ in 0..200 {
        for copy in 0..3 {
            let values = environment.current(copy).to_vec();
            assert!((0.5..=1.5).contains(&values[1]) && (0.8..=0.9).contains(&values[0]), "{values:?}");
            if !seen.contains(&values) {
                seen.push(values);
            }
        }
        step(&mut environment);
    }
    // 40 episodes of five steps, three copies each.
    assert_eq!(seen.len(), 3 * 40);
    let heavy = seen.iter().filter(|values| values[1] > 1.0).count();
    assert!((40..=83).contains(&heavy), "{heavy}");
}

#[test]
fn the_episode_has_the_values_that_are_told() {
    let mut environment = randomised(1);
    environment.reset(&mut [0.0; 3]).unwrap();
    for _ in 0..7 {
        step(&mut environment);
    }
    let values = environment.current(0).to_vec();
    let mut pendulum = Pendulum::new();
    set(&mut pendulum, "length", values[0]);
    set(&mut pendulum, "mass", values[1]);
    let mut rng = Seed::new(0).stream("environment");
    let mut observation = [0.0; 3];
    pendulum.reset(&mut rng, &mut observation).unwrap();
    // From what is observed now, one step with the same parameters leads to what is observed next.
    let before = environment.observations().to_vec();
    pendulum.set_state([f64::from(before[1]).atan2(f64::from(before[0])), f64::from(before[2])]);
    pendulum.step(Action::Continuous(&[0.0]), &mut rng, &mut observation).unwrap();
    let (after, _) = step(&mut environment);
    assert!(after.iter().zip(observation).all(|(a, b)| (a - b).abs() < 1e-5), "{after:?} {observation:?}");
}

#[test]
fn a_restored_randomisation_continues_where_it_was() {
    let mut environment = randomised(2);
    environment.reset(&mut [0.0; 6]).unwrap();
    for _ in 0..13 {
        step(&mut environment);
    }
    let snapshot = environment.snapshot().unwrap();
    let mut other = randomised(2);
    other.restore(&snapshot).unwrap();
    for _ in 0..20 {
        assert_eq!(step(&mut environment), step(&mut other));
        assert_eq!(environment.current(1), other.current(1));
    }
    assert!(environment.restore(&snapshot[1..]).is_err());
}

#[test]
fn ranges_that_do_not_fit_are_named() {
    let message = |name: &str, range: [f64; 2]| {
        let batch = Box::new(Batch::new(Pendulum::new(), 1, Seed::new(3)).unwrap());
        let ranges = [(name.to_owned(), range)].into();
        DomainRandomisation::new(batch, ranges, Seed::new(3)).err().unwrap().to_string()
    };
    assert!(message("weight", [0.5, 1.0]).contains("physical parameter `weight`"));
    assert!(message("mass", [0.5, 9.0]).contains("`mass` is 9"));
    assert!(message("mass", [1.5, 0.5]).contains("`mass` is 1.5 to 0.5"));
}
