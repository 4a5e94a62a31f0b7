//! What every on-policy learner must do.

use assay_environments::{
    Actions, Batch as Copies, BatchedEnvironment, BatchedStep, Environment, Space,
    classic::{CartPole, Pendulum},
    probe::{ActionForm, Probe, Question},
    random::{Seed, Stream},
    wrappers::TimeLimit,
};
use proptest::prelude::*;
use rand::Rng;
use rand_distr::StandardNormal;

use super::{ActorCritic, Batch};
use crate::{
    Checkpoint, Error, Learner, Mode,
    catalogue::{self, DeviceKind},
    mdpo::on_policy as mdpo,
    networks::Initialisation,
    optimisers::Schedule,
    policies::{NetworkConfig, Policy, StateDependentNoise},
    ppo, reinforce,
    tensor::{Cpu, Device, Recording, Scalar, backward},
    testing::{flat_gradient, flat_parameters},
    trpo,
};

/// A learner whose networks a test can look into.
trait OnPolicy: Learner {
    fn agent(&self) -> &ActorCritic<Cpu>;
}

impl OnPolicy for reinforce::Reinforce<Cpu> {
    fn agent(&self) -> &ActorCritic<Cpu> {
        self.agent()
    }
}

impl OnPolicy for ppo::Ppo<Cpu> {
    fn agent(&self) -> &ActorCritic<Cpu> {
        self.agent()
    }
}

impl OnPolicy for trpo::Trpo<Cpu> {
    fn agent(&self) -> &ActorCritic<Cpu> {
        self.agent()
    }
}

impl OnPolicy for mdpo::OnPolicyMdpo<Cpu> {
    fn agent(&self) -> &ActorCritic<Cpu> {
        self.agent()
    }
}

type Environments = Box<dyn BatchedEnvironment>;

pub(crate) fn copies<E: Environment>(environment: E, count: usize, seed: Seed) -> Environments {
    Box::new(Copies::new(environment, count, seed).unwrap())
}

fn cpu() -> Cpu {
    Cpu::open().unwrap()
}

// Probes.

/// The discount that the probes are learned with.
const DISCOUNT: f64 = 0.5;

/// Steps of 8 copies in an iteration, and iterations.
const PROBE: (usize, usize) = (8, 100);

/// Trains on every probe in both forms of actions and compares with what is known about it.
fn learns_the_probes(make: impl Fn(Environments, Seed) -> Box<dyn OnPolicy>) {
    learns_the_probes_in(&[ActionForm::Discrete, ActionForm::Continuous], make);
}

fn learns_the_probes_in(forms: &[ActionForm], make: impl Fn(Environments, Seed) -> Box<dyn OnPolicy>) {
    for seed in [1, 2].map(Seed::new) {
        for &form in forms {
            for question in Question::ALL {
                let probe = Probe::new(question, form);
                let mut learner = make(copies(probe.clone(), 8, seed), seed);
                for _ in 0..PROBE.1 {
                    learner.advance().unwrap();
                }
                let observations: &[f32] = match question {
                    Question::ConstantReward | Question::RewardByAction => &[0.0],
                    Question::DelayedReward => &[0.0, 1.0],
                    _ => &[-1.0, 1.0],
                };
                let mut values = vec![f32::NAN; observations.len()];
                learner.agent().value.infer(observations, &mut values);
                let mut actions = Actions::zeros(&probe.action_space(), observations.len());
                let mut rng = seed.stream("test");
                learner.act(observations, Mode::Greedy, &mut rng, &mut actions).unwrap();
                let context = format!("{question:?}, {form:?}, {seed:?}: {values:?}, {actions:?}");

                // The value is that of the policy as it is, which is still a little random.
                let by_action =
                    matches!(question, Question::RewardByAction | Question::RewardByActionAndObservation);
                let tolerance = if by_action { 0.25 } else { 0.05 };
                for (i, (&observation, &value)) in observations.iter().zip(&values).enumerate() {
                    let best = probe.value(observation, DISCOUNT);
                    assert!((f64::from(value) - best).abs() < tolerance, "{context}");
                    let greedy = probe.action_value(observation, actions.row(i), DISCOUNT).unwrap();
                    assert!(greedy > best - 0.05, "{context}");
                }
            }
        }
    }
}

#[test]
fn reinforce_learns_the_probes() {
    learns_the_probes(|environment, seed| {
        let config = reinforce::Config {
            steps: PROBE.0,
            discount: DISCOUNT,
            learning_rate: Schedule::Linear { from: 1e-2, to: 0.0 },
            total_steps: (PROBE.0 * 8 * PROBE.1) as u64,
            value_learning_rate: 3e-3,
            // Beyond the bounds the continuous probe's reward is flat: a plain gradient that starts
            // wide may never come back.
            network: NetworkConfig { initial_log_std: -1.0, ..NetworkConfig::default() },
            ..reinforce::Config::default()
        };
        Box::new(reinforce::Reinforce::new(config, environment, seed, cpu()).unwrap())
    });
}

#[test]
fn ppo_learns_the_probes() {
    learns_the_probes(|environment, seed| {
        let config = ppo::Config {
            steps: PROBE.0,
            discount: DISCOUNT,
            learning_rate: Schedule::Constant(3e-3),
            ..ppo::Config::default()
        };
        Box::new(ppo::Ppo::new(config, environment, seed, cpu()).unwrap())
    });
}

/// Noise that is wide enough to explore the probes, of which some show nothing but zero: a network
/// without biases that differ from zero would have no features there.
fn state_dependent_noise() -> NetworkConfig {
    let noise = StateDependentNoise {
        initial_log_std: -2.0,
        redraw_every: Some(2),
        learn_features: false,
        mean_bound: None,
    };
    NetworkConfig {
        state_dependent_noise: Some(noise),
        initialisation: Some(Initialisation::FanIn),
        ..NetworkConfig::default()
    }
}

#[test]
fn ppo_learns_the_probes_with_state_dependent_noise() {
    learns_the_probes_in(&[ActionForm::Continuous], |environment, seed| {
        let config = ppo::Config {
            steps: PROBE.0,
            discount: DISCOUNT,
            learning_rate: Schedule::Constant(3e-3),
            network: state_dependent_noise(),
            ..ppo::Config::default()
        };
        Box::new(ppo::Ppo::new(config, environment, seed, cpu()).unwrap())
    });
}

#[test]
fn trpo_learns_the_probes_with_state_dependent_noise() {
    learns_the_probes_in(&[ActionForm::Continuous], |environment, seed| {
        let config = trpo::Config {
            steps: PROBE.0,
            discount: DISCOUNT,
            target_kl: 0.03,
            value_learning_rate: 3e-3,
            network: state_dependent_noise(),
            ..trpo::Config::default()
        };
        Box::new(trpo::Trpo::new(config, environment, seed, cpu()).unwrap())
    });
}

#[test]
fn trpo_learns_the_probes() {
    learns_the_probes(|environment, seed| {
        let config = trpo::Config {
            steps: PROBE.0,
            discount: DISCOUNT,
            target_kl: 0.03,
            value_learning_rate: 3e-3,
            ..trpo::Config::default()
        };
        Box::new(trpo::Trpo::new(config, environment, seed, cpu()).unwrap())
    });
}

#[test]
fn mdpo_learns_the_probes() {
    learns_the_probes(|environment, seed| {
        let config = mdpo::Config {
            steps: PROBE.0,
            discount: DISCOUNT,
            total_steps: (PROBE.0 * 8 * PROBE.1) as u64,
            learning_rate: 3e-3,
            value_learning_rate: 3e-3,
            value_epochs: 10,
            normalise_observations: false,
            normalise_rewards: false,
            ..mdpo::Config::default()
        };
        Box::new(mdpo::OnPolicyMdpo::new(config, environment, seed, cpu()).unwrap())
    });
}

// CartPole.

/// Mean return of the greedy policy over 20 episodes.
fn greedy_return(learner: &dyn OnPolicy) -> f64 {
    let mut environment = learner.agent().collector.environment().replicate(20, Seed::new(99));
    let mut step = BatchedStep::new(&*environment);
    let mut actions = Actions::zeros(environment.action_space(), 20);
    let mut returns = [None; 20];
    let mut rng = Seed::new(99).stream("policy");
    environment.reset(&mut step.observations).unwrap();
    let mut lengths = [0.0; 20];
    while returns.iter().any(Option::is_none) {
        learner.act(&step.observations, Mode::Greedy, &mut rng, &mut actions).unwrap();
        environment.step(&actions, &mut step).unwrap();
        for copy in 0..20 {
            lengths[copy] += f64::from(step.rewards[copy]);
            if step.terminated[copy] || step.truncated[copy] {
                returns[copy].get_or_insert(lengths[copy]);
                lengths[copy] = 0.0;
            }
        }
    }
    returns.iter().flatten().sum::<f64>() / 20.0
}

/// Trains until the greedy policy keeps the pole up (Gymnasium's threshold is 475).
fn solves_cart_pole(budget: u64, make: impl Fn(Environments, Seed) -> Box<dyn OnPolicy>) {
    for seed in [1, 2, 3].map(Seed::new) {
        let cart_pole = TimeLimit::new(CartPole::default(), 500).unwrap();
        let mut learner = make(copies(cart_pole, 8, seed), seed);
        let mut reached = 0.0;
        while reached < 475.0 {
            assert!(learner.steps() < budget, "{seed:?} reaches only {reached}");
            for _ in 0..5 {
                learner.advance().unwrap();
            }
            reached = greedy_return(&*learner);
        }
    }
}

#[test]
fn ppo_solves_cart_pole() {
    solves_cart_pole(60_000, |environment, seed| {
        let config = ppo::Config {
            steps: 128,
            minibatch_size: 128,
            discount: 0.98,
            lambda: 0.9,
            learning_rate: Schedule::Constant(1e-3),
            ..ppo::Config::default()
        };
        Box::new(ppo::Ppo::new(config, environment, seed, cpu()).unwrap())
    });
}

#[test]
fn trpo_solves_cart_pole() {
    solves_cart_pole(60_000, |environment, seed| {
        let config = trpo::Config {
            steps: 128,
            discount: 0.98,
            lambda: 0.9,
            target_kl: 0.02,
            ..trpo::Config::default()
        };
        Box::new(trpo::Trpo::new(config, environment, seed, cpu()).unwrap())
    });
}

#[test]
fn mdpo_solves_cart_pole() {
    solves_cart_pole(60_000, |environment, seed| {
        let config = mdpo::Config {
            steps: 64,
            total_steps: 60_000,
            learning_rate: 1e-3,
            value_learning_rate: 1e-3,
            ..mdpo::Config::default()
        };
        Box::new(mdpo::OnPolicyMdpo::new(config, environment, seed, cpu()).unwrap())
    });
}

// State.

const ALGORITHMS: [&str; 4] = ["reinforce", "ppo", "trpo", "mdpo-on-policy"];

/// A small learner with everything on that has a state.
fn small(algorithm: &str, environment: Environments, seed: Seed) -> Box<dyn Learner> {
    let continuous = matches!(environment.action_space(), Space::Box { .. });
    let noise = "state_dependent_noise = { initial_log_std = -1.0, redraw_every = 5 }";
    let parameters = format!(
        "steps = 24\nnormalise_observations = true\nnormalise_rewards = true\n\
         network = {{ hidden = [8], {} }}",
        if continuous { noise } else { "" }
    );
    catalogue::make(algorithm, &parameters.parse().unwrap(), environment, seed, DeviceKind::Cpu).unwrap()
}

fn state(learner: &dyn Learner) -> Vec<u8> {
    let mut checkpoint = Checkpoint::new();
    learner.save(&mut checkpoint).unwrap();
    checkpoint.to_bytes("test").unwrap()
}

#[test]
fn saved_loaded_and_continued_is_bit_for_bit_the_uninterrupted_run() {
    let seed = Seed::new(5);
    let environments: [fn(Seed) -> Environments; 2] =
        [|seed| copies(CartPole::default(), 3, seed), |seed| copies(Pendulum::default(), 3, seed)];
    for algorithm in ALGORITHMS {
        for environment in environments {
            let mut uninterrupted = small(algorithm, environment(seed), seed);
            // The other learner has another past and another seed: nothing of it may show.
            let mut resumed = small(algorithm, environment(Seed::new(6)), Seed::new(6));
            resumed.advance().unwrap();
            for _ in 0..3 {
                uninterrupted.advance().unwrap();
            }
            let saved = state(&*uninterrupted);
            resumed.load(&Checkpoint::from_bytes(&saved, "test").unwrap()).unwrap();
            assert_eq!(state(&*resumed), saved, "{algorithm}");
            for _ in 0..3 {
                let (a, b) = (uninterrupted.advance().unwrap(), resumed.advance().unwrap());
                assert_eq!(format!("{a:?}"), format!("{b:?}"), "{algorithm}");
            }
            assert_eq!(state(&*uninterrupted), state(&*resumed), "{algorithm}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for algorithm in ALGORITHMS {
        let run = |seed: u64| {
            let seed = Seed::new(seed);
            let mut learner = small(algorithm, copies(CartPole::default(), 2, seed), seed);
            learner.advance().unwrap();
            learner.advance().unwrap();
            state(&*learner)
        };
        assert_eq!(run(1), run(1), "{algorithm}");
        assert_ne!(run(1), run(2), "{algorithm}");
    }
}

#[test]
fn a_checkpoint_or_an_action_buffer_of_another_environment_is_an_error() {
    let seed = Seed::new(7);
    for algorithm in ALGORITHMS {
        let on_cart_pole = small(algorithm, copies(CartPole::default(), 2, seed), seed);
        let mut on_pendulum = small(algorithm, copies(Pendulum::default(), 2, seed), seed);
        let before = state(&*on_pendulum);
        let foreign = Checkpoint::from_bytes(&state(&*on_cart_pole), "test").unwrap();
        assert!(on_pendulum.load(&foreign).is_err(), "{algorithm}");
        assert_eq!(state(&*on_pendulum), before, "{algorithm}");

        let mut rng = seed.stream("test");
        let mut discrete = Actions::zeros(&Space::discrete(2), 1);
        let error = on_pendulum.act(&[0.0; 3], Mode::Sample, &mut rng, &mut discrete).unwrap_err();
        assert!(error.to_string().contains("discrete"), "{error}");
        let mut two = Actions::zeros(&Space::symmetric(1, 2.0), 2);
        let error = on_pendulum.act(&[0.0; 3], Mode::Sample, &mut rng, &mut two).unwrap_err();
        assert!(error.to_string().contains("2"), "{error}");
    }
}

#[test]
fn a_diverged_policy_is_a_number_that_is_not_finite_and_no_mistake_of_the_environment() {
    for (continuous, quantity) in [(true, "action"), (false, "log-probability of an action")] {
        for value in [f32::NAN, f32::INFINITY] {
            let (mut agent, ..) = moved_agent(continuous, 9);
            let steps = agent.collector.steps();
            let diverged = vec![value; flat_parameters(&agent.policy).len()];
            agent.policy.set_flat_parameters(&diverged);
            let space = agent.collector.environment().action_space().clone();
            let observations = vec![0.5; agent.rollout.observation_features()];
            let mut actions = Actions::zeros(&space, 1);
            let mut rng = Seed::new(9).stream("test");
            for error in [
                agent.act(&observations, Mode::Greedy, &mut rng, &mut actions).unwrap_err(),
                agent.collect().unwrap_err(),
            ] {
                let Error::NonFinite { what, value, steps: at } = error else { panic!("{error}") };
                assert!([quantity, "log-probability of an action"].contains(&what), "{what}");
                assert!(!value.is_finite());
                assert_eq!(at, steps);
            }
        }
    }
}

#[test]
fn a_learner_that_diverges_says_what_is_not_finite_and_when() {
    let seed = Seed::new(9);
    for (algorithm, rate) in [
        ("reinforce", "value_learning_rate"),
        ("ppo", "learning_rate"),
        ("trpo", "value_learning_rate"),
        ("mdpo-on-policy", "value_learning_rate"),
    ] {
        for environment in [copies(Pendulum::default(), 2, seed), copies(CartPole::default(), 2, seed)] {
            let parameters = format!("steps = 24\nnetwork = {{ hidden = [8] }}\n{rate} = 1e30");
            let parameters = parameters.parse().unwrap();
            let mut learner =
                catalogue::make(algorithm, &parameters, environment, seed, DeviceKind::Cpu).unwrap();
            let mut steps = 0;
            let error = (0..20).find_map(|_| {
                steps = learner.steps();
                learner.advance().err()
            });
            let Some(Error::NonFinite { steps: at, .. }) = error else { panic!("{algorithm}: {error:?}") };
            assert!((steps..=steps + 48).contains(&at) && at > 0, "{algorithm}: {at} of {steps}");
        }
    }
}

#[test]
fn acting_changes_nothing_that_is_learned() {
    let seed = Seed::new(8);
    for algorithm in ALGORITHMS {
        let mut learner = small(algorithm, copies(Pendulum::default(), 2, seed), seed);
        learner.advance().unwrap();
        let before = state(&*learner);
        let mut actions = Actions::zeros(&Space::symmetric(1, 2.0), 4);
        for mode in [Mode::Sample, Mode::Greedy] {
            learner.act(&[0.5; 12], mode, &mut seed.stream("test"), &mut actions).unwrap();
        }
        assert_eq!(state(&*learner), before, "{algorithm}");
    }
}

#[test]
fn every_iteration_reports_the_same_metrics_and_the_episodes_that_ended() {
    let seed = Seed::new(9);
    for algorithm in ALGORITHMS {
        let mut learner = small(algorithm, copies(CartPole::default(), 4, seed), seed);
        let names = |metrics: &[(&'static str, f64)]| metrics.iter().map(|m| m.0).collect::<Vec<_>>();
        let first = learner.advance().unwrap();
        let second = learner.advance().unwrap();
        assert_eq!(names(&first.metrics), names(&second.metrics), "{algorithm}");
        assert!(first.metrics.iter().all(|(_, value)| value.is_finite()), "{algorithm}: {first:?}");
        for shared in ["value_loss", "entropy", "mean_kl", "max_ratio", "explained_variance"] {
            assert!(names(&first.metrics).contains(&shared), "{algorithm}: {shared}");
        }
        assert_eq!(learner.steps(), 2 * 24 * 4, "{algorithm}");
        // 96 steps of a nearly uniform policy hold several episodes of about 20 steps.
        assert!(!first.episodes.is_empty(), "{algorithm}");
        assert!(first.episodes.iter().all(|e| e.total_reward == e.length as f64), "{algorithm}");
    }
}

// Configurations.

/// A field, values that are valid and values that are not.
type Field = (&'static str, &'static [&'static str], &'static [&'static str]);

const COMMON: [Field; 9] = [
    ("steps", &["1", "2", "17"], &["0"]),
    ("discount", &["0.0", "0.9", "1.0"], &["-0.1", "1.1", "nan"]),
    ("adam_epsilon", &["1e-8", "1e-3"], &["0.0", "-1e-5", "inf"]),
    ("normalise_observations", &["true", "false"], &[]),
    ("normalise_rewards", &["true", "false"], &[]),
    ("network", &["{ hidden = [] }", "{ hidden = [3, 2], activation = \"relu\" }"], &["{ hidden = [0] }"]),
    ("network", &["{ state_dependent_std = true }"], &["{ initial_log_std = 5.0 }"]),
    (
        "network",
        &["{ initialisation = \"fan-in\" }", "{ initialisation = { kaiming = { gain = 1.0 } } }"],
        &["{ initialisation = { kaiming = { gain = -1.0 } } }"],
    ),
    (
        "network",
        &[
            "{ state_dependent_noise = { initial_log_std = -2.0 } }",
            "{ state_dependent_noise = { initial_log_std = 0, redraw_every = 1, learn_features = true } }",
        ],
        &[
            "{ state_dependent_noise = { initial_log_std = nan } }",
            "{ state_dependent_noise = { initial_log_std = -2.0, redraw_every = 0 } }",
            "{ state_dependent_noise = { initial_log_std = -2.0 }, state_dependent_std = true }",
        ],
    ),
];

const REINFORCE: [Field; 8] = [
    ("learning_rate", &["0.0", "0.01", "{ from = 0.1, to = 0.0 }"], &["-1.0", "{ from = 0.1, to = -1.0 }"]),
    ("entropy_weight", &["0.0", "0.1"], &["-0.1", "nan"]),
    ("normalise_advantages", &["true", "false"], &[]),
    ("max_gradient_norm", &["0.5"], &["0.0"]),
    ("total_steps", &["1", "1000"], &["0"]),
    ("value_epochs", &["1", "3"], &["0"]),
    ("value_minibatch_size", &["1", "1000"], &["0"]),
    ("value_learning_rate", &["0.0", "0.1"], &["-0.1"]),
];

const PPO: [Field; 13] = [
    ("epochs", &["1", "3"], &["0"]),
    ("minibatch_size", &["1", "5", "1000"], &["0"]),
    ("lambda", &["0.0", "0.5", "1.0"], &["-0.5", "1.5"]),
    (
        "clip_range",
        &["0.1", "{ from = 0.2, to = 0.0 }"],
        &["0.0", "{ from = 0.0, to = 0.2 }", "{ from = 0.2, to = -0.1 }"],
    ),
    ("value_clip_range", &["0.2"], &["0.0", "-1.0"]),
    ("value_weight", &["0.0", "1.0"], &["-1.0"]),
    ("entropy_weight", &["0.0", "0.1"], &["-0.1"]),
    ("learning_rate", &["0.0", "0.01"], &["-0.01"]),
    ("total_steps", &["1"], &["0"]),
    ("max_gradient_norm", &["1.0"], &["-1.0"]),
    ("advantage_normalisation", &["\"minibatch\"", "\"batch\"", "\"off\""], &[]),
    ("target_kl", &["0.001", "1.0"], &["0.0"]),
    ("normalise_rewards", &["true"], &[]),
];

const TRPO: [Field; 10] = [
    ("lambda", &["0.0", "1.0"], &["2.0"]),
    ("target_kl", &["1e-4", "0.1"], &["0.0", "-0.1"]),
    ("conjugate_gradient_steps", &["1", "20"], &["0"]),
    ("damping", &["0.0", "0.5"], &["-0.1"]),
    ("line_search_steps", &["1", "3"], &["0"]),
    ("line_search_factor", &["0.1", "0.9"], &["0.0", "1.0"]),
    ("normalise_advantages", &["true", "false"], &[]),
    ("value_epochs", &["1", "2"], &["0"]),
    ("value_minibatch_size", &["1", "64"], &["0"]),
    ("value_learning_rate", &["0.0", "0.1"], &["-0.1"]),
];

const MDPO: [Field; 10] = [
    ("inner_steps", &["1", "4"], &["0"]),
    ("lambda", &["0.0", "1.0"], &["2.0"]),
    ("total_steps", &["1", "1000"], &["0"]),
    ("learning_rate", &["0.0", "0.01"], &["-0.01"]),
    ("max_gradient_norm", &["1.0"], &["0.0"]),
    ("value_clip_range", &["0.2"], &["0.0"]),
    ("value_epochs", &["1", "2"], &["0"]),
    (
        "divergence",
        &["\"reverse-kl\"", "\"forward-kl\"", "{ tsallis = { q = 1.5 } }"],
        &["{ tsallis = { q = 3.0 } }"],
    ),
    // The divergence's weight is 1/t: it must be positive, or nothing would hold the policy.
    (
        "step_size",
        &["{ constant = { value = 2.0 } }"],
        &["{ constant = { value = -1.0 } }", "{ constant = { value = inf } }"],
    ),
    (
        "step_size",
        &["{ linear = { initial = 1.0, floor = 0.1 } }"],
        &["{ linear = { initial = 1.0, floor = 0.0 } }"],
    ),
];

fn fields(algorithm: &str) -> Vec<Field> {
    let own: &[Field] = match algorithm {
        "reinforce" => &REINFORCE,
        "ppo" => &PPO,
        "trpo" => &TRPO,
        _ => &MDPO,
    };
    [&COMMON, own].concat()
}

fn table(field: &str, value: &str) -> toml::Table {
    format!("{field} = {value}").parse().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_valid_configuration_runs(seed in any::<u64>()) {
        let mut rng = Seed::new(seed).stream("configuration");
        for algorithm in ALGORITHMS {
            let mut given = table("steps", "6");
            for (field, valid, _) in fields(algorithm) {
                if rng.random_bool(0.5) {
                    given.extend(table(field, valid[rng.random_range(0..valid.len())]));
                }
            }
            let seed = Seed::new(seed);
            // Noise of that kind is for continuous actions.
            let network = given.get("network").and_then(|network| network.as_table());
            let noisy = network.is_some_and(|network| network.contains_key("state_dependent_noise"));
            let environment = if !noisy && rng.random_bool(0.5) {
                copies(CartPole::default(), rng.random_range(1..4), seed)
            } else {
                copies(Pendulum::default(), rng.random_range(1..4), seed)
            };
            let made = catalogue::make(algorithm, &given, environment, seed, DeviceKind::Cpu);
            let mut learner = made.unwrap_or_else(|e| panic!("{algorithm}, {given}: {e}"));
            for _ in 0..2 {
                let report = learner.advance();
                prop_assert!(report.is_ok(), "{algorithm}, {given}: {:?}", report);
            }
        }
    }
}

#[test]
fn a_value_out_of_range_is_an_error_that_names_its_field() {
    for algorithm in ALGORITHMS {
        let entry = catalogue::find(algorithm).unwrap();
        for (field, _, invalid) in fields(algorithm) {
            for value in invalid {
                let error = entry.resolve(&table(field, value)).unwrap_err();
                assert!(matches!(error, Error::Parameter(_)), "{algorithm}: {error}");
                let message = error.to_string();
                assert!(message.contains(&format!("`{field}")), "{algorithm}, {value}: {message}");
            }
        }
    }
}

// For the tests of each learner's own loss.

/// An agent with a batch of experience, whose policy has moved a little since it was collected.
pub(crate) fn moved_agent(continuous: bool, seed: u64) -> (ActorCritic<Cpu>, Batch<Cpu>, Stream) {
    let seed = Seed::new(seed);
    let environment =
        if continuous { copies(Pendulum::default(), 4, seed) } else { copies(CartPole::default(), 4, seed) };
    let network = NetworkConfig { hidden: vec![6], ..NetworkConfig::default() };
    let settings = super::Settings {
        steps: 8,
        discount: 0.9,
        lambda: 0.8,
        normalise_observations: true,
        normalise_rewards: true,
        network: &network,
    };
    let mut agent = ActorCritic::new(settings, environment, seed, cpu()).unwrap();
    agent.collect().unwrap();
    let batch = agent.batch().unwrap();
    let mut rng = seed.stream("test");
    let moved: Vec<f32> = flat_parameters(&agent.policy)
        .iter()
        .map(|x| x + 0.1 * rng.sample::<f32, _>(StandardNormal))
        .collect();
    agent.policy.set_flat_parameters(&moved);
    (agent, batch, rng)
}

/// Compares the gradient of a loss with respect to the agent's policy with central differences in
/// several random directions, each over one part in a thousand of the parameters' scale.
pub(crate) fn assert_policy_gradient(
    agent: &mut ActorCritic<Cpu>,
    rng: &mut Stream,
    loss: impl Fn(&ActorCritic<Cpu>) -> Scalar<Cpu, Recording<Cpu>>,
) {
    let start = flat_parameters(&agent.policy);
    let mut evaluate = |parameters: &[f32]| {
        agent.policy.set_flat_parameters(parameters);
        let (value, mut gradients) = backward(loss(agent), "loss").unwrap();
        (f64::from(value), flat_gradient(&agent.policy, &mut gradients))
    };
    let (_, gradient) = evaluate(&start);
    for _ in 0..8 {
        let direction: Vec<f32> = start.iter().map(|_| rng.sample(StandardNormal)).collect();
        let size = 5e-4;
        let mut shifted = |sign: f32| {
            let parameters: Vec<f32> =
                start.iter().zip(&direction).map(|(x, d)| x + sign * size * d).collect();
            evaluate(&parameters).0
        };
        let difference = (shifted(1.0) - shifted(-1.0)) / (2.0 * f64::from(size));
        let product: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(g * d)).sum();
        assert!((difference - product).abs() < 1e-2 * (1.0 + product.abs()), "{difference} {product}");
    }
    evaluate(&start);
}

/// The gradient of mean[log π_θ(a|s) Â] at the current parameters.
pub(crate) fn vanilla_gradient(policy: &Policy<Cpu>, batch: &Batch<Cpu>) -> Vec<f32> {
    use crate::tensor::Operations;
    let log_probs = policy.record(batch.observations.clone()).unwrap().log_prob(&batch.actions);
    let objective = (log_probs * batch.advantages.clone()).mean_all();
    let (_, mut gradients) = backward(objective, "objective").unwrap();
    flat_gradient(policy, &mut gradients)
}
