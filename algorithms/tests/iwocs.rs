//! Deep IWOCS: its phases, the validity indicator, save and resume, and what the search finds.

use assay_algorithms::{
    Checkpoint, Learner, Mode, PreviousStep,
    catalogue::{self, DeviceKind},
    iwocs::{
        deep::{Config, Iwocs},
        meta::Stop,
        robust_policy::{Before, Buffers},
        search::Search,
    },
    sac,
    tensor::{Cpu, Device},
};
use assay_environments::{
    Actions, Batch, BatchedEnvironment, BatchedStep, classic::Pendulum, domain_randomisation::ParameterBox,
    random::Seed, wrappers::TimeLimit,
};

fn pendulum(copies: usize, seed: u64) -> Box<dyn BatchedEnvironment> {
    let task = TimeLimit::new(Pendulum::new(), 50).unwrap();
    Box::new(Batch::new(task, copies, Seed::new(seed)).unwrap())
}

fn uncertainty() -> ParameterBox {
    [("mass".to_owned(), [0.5, 1.5]), ("length".to_owned(), [0.5, 1.5])].into()
}

fn small() -> Config {
    Config {
        uncertainty: uncertainty(),
        default_steps: 250,
        model_steps: 250,
        max_iterations: 2,
        search: Search::Grid { points: 3 },
        search_episodes: 2,
        search_step_limit: 50,
        thresholds: vec![0.1, 1.0],
        sac: sac::Config {
            steps: 50,
            learning_starts: 100,
            batch_size: 16,
            hidden: vec![8],
            ..sac::Config::default()
        },
        ..Config::default()
    }
}

fn learner(config: Config, seed: u64) -> Iwocs<Cpu> {
    Iwocs::new(config, pendulum(1, seed), Seed::new(seed), Cpu::open().unwrap()).unwrap()
}

fn metric(metrics: &[(&'static str, f64)], name: &str) -> f64 {
    metrics.iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn the_default_policy_comes_first_then_one_model_after_the_other_and_then_nothing_more() {
    let mut learner = learner(small(), 1);
    let mut models = Vec::new();
    while learner.steps() < 1200 {
        let report = learner.advance().unwrap();
        models.push((learner.steps(), metric(&report.metrics, "models") as usize));
    }
    let at = |steps: u64| models.iter().find(|(at, _)| *at == steps).unwrap().1;
    assert_eq!([at(250), at(450), at(500), at(700), at(750)], [0, 0, 1, 1, 2]);
    let list = learner.list();
    // The environment as it is comes first.
    assert_eq!(list.models()[0], [1.0, 1.0]);
    let grid = [0.5, 1.0, 1.5];
    assert!(list.found().iter().all(|worst| worst.model.iter().all(|value| grid.contains(value))));
    match list.stop().unwrap() {
        Stop::Exhausted => assert_eq!(list.models().len(), 3),
        Stop::Stalled { known } => assert_eq!(list.models()[known], list.found().last().unwrap().model),
        Stop::Converged => panic!("a tolerance of zero was met"),
    }
    assert!(small().thresholds.contains(&learner.threshold()));
}

/// The mean return, and the mean discounted return, of the first `steps` steps on every copy of an
/// environment with this length and mass.
fn play(
    learner: &dyn Learner,
    mut environment: Box<dyn BatchedEnvironment>,
    model: &[f64],
    steps: i32,
) -> (f64, f64) {
    let copies = environment.copies();
    for copy in 0..copies {
        let physics = environment.physics(copy).unwrap();
        physics.set_physical_parameter("length", model[0]).unwrap();
        physics.set_physical_parameter("mass", model[1]).unwrap();
    }
    let mut step = BatchedStep::new(&*environment);
    let mut actions = Actions::zeros(environment.action_space(), copies);
    let mut previous = PreviousStep::none(&*environment);
    let mut rng = Seed::new(9).stream("policy");
    environment.reset(&mut step.observations).unwrap();
    let (mut total, mut discounted) = (0.0, 0.0);
    for t in 0..steps {
        learner.act_after(&previous, &step.observations, Mode::Greedy, &mut rng, &mut actions).unwrap();
        previous.begin(&step.observations, &actions);
        environment.step(&actions, &mut step).unwrap();
        previous.end(&step);
        let mean = step.rewards.iter().map(|r| f64::from(*r)).sum::<f64>() / copies as f64;
        total += mean;
        discounted += 0.99_f64.powi(t) * mean;
    }
    (total, discounted)
}

#[test]
fn what_was_found_is_the_worst_of_the_grid_for_the_policy_at_the_chosen_threshold() {
    let config = Config { max_iterations: 0, ..small() };
    let mut learner = learner(config, 2);
    while learner.list().stop().is_none() {
        learner.advance().unwrap();
    }
    let worst = learner.list().found()[0].clone();
    // Played once more, from outside, with the actions of the learner's contract.
    let value = |model: &[f64]| {
        let environment = pendulum(1, 2).replicate(2, Seed::new(2).child("search"));
        play(&learner, environment, model, 50)
    };
    let (least, discounted) = value(&worst.model);
    assert!((discounted - worst.value).abs() < 1e-3 * worst.value.abs(), "{discounted} {worst:?}");
    for length in [0.5, 1.0, 1.5] {
        for mass in [0.5, 1.0, 1.5] {
            assert!(value(&[length, mass]).0 >= least - 1e-3 * least.abs());
        }
    }
}

#[test]
fn models_that_mispredict_are_left_out_and_without_any_the_default_policy_acts() {
    let mut learner = learner(small(), 3);
    while learner.policy().members.len() < 2 {
        learner.advance().unwrap();
    }
    let observations = [0.3, 0.9, -0.5, -0.2, 0.1, 0.7];
    let state_actions = [0.4, 0.8, -0.6, 0.1, -0.2, 0.1, 0.7, 0.9];
    let act = |threshold: f64, known: Option<[bool; 2]>| {
        let mut policy = learner.policy();
        policy.threshold = threshold;
        let mut rng = Seed::new(0).stream("act");
        let (mut buffers, mut actions) = (Buffers::default(), [0.0; 2]);
        let before = known.as_ref().map(|known| Before { state_actions: &state_actions, known });
        policy.act(&observations, before, Mode::Greedy, &mut rng, &mut buffers, &mut actions);
        (buffers.chosen, actions, buffers.least)
    };
    // A threshold that nothing passes: the default policy, but not at the start of an episode.
    let (chosen, actions, least) = act(1e-9, Some([true, true]));
    assert_eq!(chosen, [None, None]);
    assert!(least.iter().all(|value| value.is_infinite()));
    let mut default = [0.0; 2];
    let policy = learner.policy();
    policy.default.act(
        &observations,
        Mode::Greedy,
        &mut Seed::new(0).stream("act"),
        &mut Vec::new(),
        &mut default,
    );
    assert_eq!(actions, default);
    let (chosen, ..) = act(1e-9, Some([false, true]));
    assert!(chosen[0].is_some() && chosen[1].is_none());
    // One that everything passes is the same as no indicator.
    assert_eq!(act(f64::INFINITY, Some([true, true])), act(1e-9, None));
    // The action is that of the model with the least value.
    let (chosen, actions, least) = act(1e-9, None);
    for row in 0..2 {
        let (mut all, mut values) = ([0.0; 2], [0.0; 2]);
        let mut own = Vec::new();
        for member in policy.members {
            let mut rng = Seed::new(0).stream("act");
            member.act(&observations, Mode::Greedy, &mut rng, &mut Default::default(), &mut all, &mut values);
            own.push((values[row], all[row]));
        }
        let (index, best) = own
            .iter()
            .enumerate()
            .min_by(|a, b| a.1.0.total_cmp(&b.1.0))
            .map(|(i, best)| (i, *best))
            .unwrap();
        assert_eq!((chosen[row], least[row], actions[row]), (Some(index), best.0, best.1));
    }
}

fn saved(learner: &dyn Learner) -> Vec<u8> {
    let mut checkpoint = Checkpoint::new();
    learner.save(&mut checkpoint).unwrap();
    checkpoint.to_bytes("iwocs").unwrap()
}

#[test]
fn saved_loaded_and_continued_is_the_uninterrupted_run_bit_for_bit_in_every_phase() {
    for stop_at in [150, 250, 400, 500, 750, 1100] {
        let mut one = learner(small(), 4);
        while one.steps() < stop_at {
            one.advance().unwrap();
        }
        let bytes = saved(&one);
        let mut two = learner(small(), 4);
        two.load(&Checkpoint::from_bytes(&bytes, "iwocs").unwrap()).unwrap();
        assert_eq!(saved(&two), bytes, "{stop_at}");
        while one.steps() < stop_at + 400 {
            let (a, b) = (one.advance().unwrap(), two.advance().unwrap());
            let bits = |metrics: Vec<(&str, f64)>| metrics.iter().map(|m| m.1.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(a.metrics), bits(b.metrics), "{stop_at}");
        }
        assert_eq!(saved(&one), saved(&two), "{stop_at}");
    }
}

#[test]
fn settings_and_environments_that_do_not_fit_are_named() {
    let message = |parameters: &str| {
        let environment = pendulum(1, 0);
        let parameters = parameters.parse().unwrap();
        let learner = catalogue::make("iwocs", &parameters, environment, Seed::new(0), DeviceKind::Cpu);
        learner.err().unwrap().to_string()
    };
    assert!(message("uncertainty.mas = [0.5, 1.0]").contains("did you mean `mass`?"));
    assert!(message("uncertainty.mass = [0.5, 9.0]").contains("`mass` is 9"));
    assert!(message("thresholds = []").contains("`thresholds` is []"));
    assert!(message("thresholds = [-1.0]").contains("`thresholds` is [-1.0]"));
    assert!(message("search.grid.points = 1").contains("`search.points` is 1"));
    assert!(
        message("search.cma-es = { generations = 0, population = 9, deviation = 0.5 }")
            .contains("generations")
    );
    assert!(message("model_steps = 0").contains("`model_steps` is 0"));
    assert!(message("sac.discount = 2.0").contains("`discount` is 2"));
    assert!(message("sac.hiden = [3]").contains("`hiden` (did you mean `hidden`?)"));
    let environment =
        assay_environments::catalogue::make("GridWorld", &toml::Table::new(), 1, Seed::new(0)).unwrap();
    let parameters = "uncertainty.mass = [0.5, 1.0]".parse().unwrap();
    for algorithm in ["iwocs", "domain-randomisation"] {
        let environment = environment.replicate(1, Seed::new(0));
        let error = catalogue::make(algorithm, &parameters, environment, Seed::new(0), DeviceKind::Cpu);
        let message = error.err().unwrap().to_string();
        assert!(message.contains("needs an environment with physical parameters"), "{message}");
    }
}

#[test]
fn domain_randomisation_is_sac_where_there_is_nothing_to_randomise() {
    // A box of one point: the same transitions, hence the same learner.
    let sac = "steps = 200\nlearning_starts = 100\nbatch_size = 16\nhidden = [8]";
    let randomised = format!("uncertainty.mass = [1.0, 1.0]\n[sac]\n{sac}");
    let make = |name: &str, parameters: &str| {
        let parameters = parameters.parse().unwrap();
        catalogue::make(name, &parameters, pendulum(1, 5), Seed::new(5), DeviceKind::Cpu).unwrap()
    };
    let (mut plain, mut randomised) = (make("sac", sac), make("domain-randomisation", &randomised));
    for _ in 0..3 {
        assert_eq!(plain.advance().unwrap(), randomised.advance().unwrap());
    }
}
