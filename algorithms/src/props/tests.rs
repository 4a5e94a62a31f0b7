//! What PROPS, ROS and PPO with a buffer must do.

use assay_environments::{
    Batch, BatchedEnvironment, Environment, Space,
    classic::{CartPole, Pendulum},
    probe::{ActionForm, Probe, Question},
    random::Seed,
    tabular::GridWorld,
    wrappers::TimeLimit,
};
use proptest::prelude::*;
use rand::Rng;

use super::{behaviour::Objective, *};
use crate::{
    catalogue::{self, DeviceKind},
    networks::Initialisation,
    optimisers::Schedule,
    policies::NetworkConfig,
    ppo,
    rollout::Minibatch,
    tensor::{Cpu, backward},
    testing::{assert_gradient, flat_gradient, flat_parameters},
};

fn copies<E: Environment>(environment: E, count: usize, seed: u64) -> Box<dyn BatchedEnvironment> {
    Box::new(Batch::new(environment, count, Seed::new(seed)).unwrap())
}

fn cart_poles(seed: u64) -> Box<dyn BatchedEnvironment> {
    copies(TimeLimit::new(CartPole::default(), 20).unwrap(), 2, seed)
}

fn pendulums(seed: u64) -> Box<dyn BatchedEnvironment> {
    copies(TimeLimit::new(Pendulum::default(), 20).unwrap(), 2, seed)
}

fn grid_worlds(seed: u64) -> Box<dyn BatchedEnvironment> {
    copies(TimeLimit::new(GridWorld::default().build().unwrap(), 20).unwrap(), 2, seed)
}

type Environments = Box<dyn BatchedEnvironment>;

/// Makes a learner in these environments, from a seed.
type Make = fn(Environments, u64) -> Props<Cpu>;

const ENVIRONMENTS: [fn(u64) -> Environments; 3] = [cart_poles, pendulums, grid_worlds];

/// PPO on small batches, with everything on that has a state.
fn small_ppo() -> ppo::Config {
    ppo::Config {
        steps: 24,
        epochs: 2,
        minibatch_size: 16,
        learning_rate: Schedule::Constant(1e-2),
        normalise_observations: true,
        normalise_rewards: true,
        network: NetworkConfig { hidden: vec![8], ..NetworkConfig::default() },
        ..ppo::Config::default()
    }
}

fn small() -> Config {
    Config {
        ppo: small_ppo(),
        batches: 3,
        behaviour_steps: 8,
        epochs: 4,
        minibatches: 4,
        learning_rate: 1e-2,
        ..Config::default()
    }
}

fn small_ros() -> RosConfig {
    RosConfig { ppo: small_ppo(), behaviour_steps: 4, ..RosConfig::default() }
}

fn props(config: Config, environment: Box<dyn BatchedEnvironment>, seed: u64) -> Props<Cpu> {
    Props::new(config, environment, Seed::new(seed), Cpu::open().unwrap()).unwrap()
}

fn ros(config: RosConfig, environment: Box<dyn BatchedEnvironment>, seed: u64) -> Props<Cpu> {
    Props::with_ros(config, environment, Seed::new(seed), Cpu::open().unwrap()).unwrap()
}

fn state(learner: &dyn Learner) -> Vec<u8> {
    let mut checkpoint = Checkpoint::new();
    learner.save(&mut checkpoint).unwrap();
    checkpoint.to_bytes("test").unwrap()
}

fn metric(report: &Report, name: &str) -> f64 {
    report.metrics.iter().find(|(known, _)| *known == name).unwrap().1
}

// Against PPO.

#[test]
fn with_one_batch_that_is_collected_at_once_it_is_ppo_bit_for_bit() {
    for environment in ENVIRONMENTS {
        let config = Config { batches: 1, behaviour_steps: 24, ..small() };
        let mut props = props(config, environment(1), 1);
        let mut ppo = Ppo::new(small_ppo(), environment(1), Seed::new(1), Cpu::open().unwrap()).unwrap();
        for _ in 0..5 {
            let (ours, theirs) = (props.advance().unwrap(), ppo.advance().unwrap());
            assert_eq!(format!("{:?}", ours.metrics[..11].to_vec()), format!("{:?}", theirs.metrics));
            assert_eq!(ours.episodes, theirs.episodes);
            assert_eq!(metric(&ours, "behaviour_updates"), 0.0);
            assert_eq!(flat_parameters(&props.agent().policy), flat_parameters(&ppo.agent().policy));
            assert_eq!(props.agent().value.parameters().values(), ppo.agent().value.parameters().values());
        }
    }
}

#[test]
fn without_updates_or_with_a_step_size_of_zero_the_behaviour_policy_is_the_target() {
    // With both PPO learns from the same buffer; with one batch that is PPO's own, in however many parts
    // it is collected.
    for environment in ENVIRONMENTS {
        for batches in [1, 3] {
            let off = Config { batches, epochs: 0, ..small() };
            let still = Config { batches, learning_rate: 0.0, kl_limit: None, ..small() };
            let mut off = props(off, environment(2), 2);
            let mut still = props(still, environment(2), 2);
            let mut ppo = Ppo::new(small_ppo(), environment(2), Seed::new(2), Cpu::open().unwrap()).unwrap();
            for _ in 0..5 {
                let (a, b) = (off.advance().unwrap(), still.advance().unwrap());
                let theirs = ppo.advance().unwrap();
                assert_eq!(
                    format!("{:?}", a.metrics[..13].to_vec()),
                    format!("{:?}", b.metrics[..13].to_vec())
                );
                assert_eq!(metric(&a, "behaviour_updates"), 0.0);
                assert!(metric(&b, "behaviour_updates") > 0.0);
                assert_eq!(off.agent().rollout, still.agent().rollout);
                assert_eq!(flat_parameters(&off.agent().policy), flat_parameters(&still.agent().policy));
                if batches == 1 {
                    let metrics = format!("{:?}", a.metrics[..11].to_vec());
                    assert_eq!(metrics, format!("{:?}", theirs.metrics));
                }
            }
            let same = flat_parameters(&off.agent().policy) == flat_parameters(&ppo.agent().policy);
            assert_eq!(same, batches == 1);
        }
    }
}

// The buffer.

#[test]
fn the_buffer_is_one_stretch_of_the_newest_steps_on_the_scale_of_now() {
    for environment in ENVIRONMENTS {
        for normalise in [false, true] {
            let ppo = ppo::Config {
                normalise_observations: normalise,
                normalise_rewards: normalise,
                // The same behaviour in both, from the first step on.
                learning_rate: Schedule::Constant(0.0),
                ..small_ppo()
            };
            let mut learner =
                props(Config { ppo: ppo.clone(), learning_rate: 0.0, ..small() }, environment(3), 3);
            for _ in 0..5 {
                learner.advance().unwrap();
            }
            // All five batches at once; the first two have been forgotten.
            let long = ppo::Config { steps: 120, epochs: 1, ..ppo };
            let mut whole = Ppo::new(long, environment(3), Seed::new(3), Cpu::open().unwrap()).unwrap();
            if normalise {
                whole.agent.rollout = whole.agent.rollout.clone().with_raw();
            }
            whole.agent.collect().unwrap();
            whole.agent.collector.normalise_again(&mut whole.agent.rollout);
            let (found, expected) = (&learner.agent().rollout, &whole.agent.rollout);
            let (rows, features) = (3 * 24 * 2, expected.observation_features());
            let gone = expected.len() - rows;
            assert_eq!(found.len(), rows);
            assert_eq!(found.rewards, expected.rewards[gone..]);
            assert_eq!(found.observations, expected.observations[gone * features..]);
            assert_eq!(found.actions, expected.actions[gone * expected.action_features()..]);
            assert_eq!(found.terminated, expected.terminated[gone..]);
            assert_eq!(found.truncated, expected.truncated[gone..]);
            assert_eq!(found.last_observations, expected.last_observations);
            let cut: Vec<usize> =
                expected.cut_rows.iter().filter(|row| **row >= gone).map(|row| row - gone).collect();
            assert_eq!(found.cut_rows, cut);
            let kept = expected.cut_observations.len() - cut.len() * features;
            assert_eq!(found.cut_observations, expected.cut_observations[kept..]);
        }
    }
}

#[test]
fn samples_have_the_target_policys_probabilities_whoever_drew_them() {
    for environment in ENVIRONMENTS {
        let mut learner = props(Config { learning_rate: 0.1, kl_limit: None, ..small() }, environment(4), 4);
        for _ in 0..2 {
            learner.advance().unwrap();
        }
        learner.collect().unwrap();
        let rollout = &learner.agent().rollout;
        let mut expected = vec![0.0; rollout.len()];
        let mut score = crate::policies::Score::default();
        let policy = &learner.agent().policy;
        score.log_probs(policy, &rollout.observations, &rollout.actions, &mut expected);
        for (found, expected) in rollout.log_probs.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
        let behaviour = &learner.behaviour.policy;
        score.log_probs(behaviour, &rollout.observations, &rollout.actions, &mut expected);
        let other = rollout.log_probs.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() > 1e-2);
        assert!(other.count() > rollout.len() / 4);
    }
}

#[test]
fn what_will_be_forgotten_next_is_not_what_the_behaviour_policy_is_fitted_to() {
    let mut learner = props(small(), cart_poles(5), 5);
    for _ in 0..4 {
        learner.advance().unwrap();
    }
    let fitted = |learner: &mut Props<Cpu>| {
        learner.adapt().unwrap();
        flat_parameters(&learner.behaviour.policy)
    };
    let checkpoint = Checkpoint::from_bytes(&state(&learner), "test").unwrap();
    let before = fitted(&mut learner);
    // The oldest 8 of 72 steps of 2 copies.
    for (row, forgotten) in [(15, true), (16, false)] {
        learner.load(&checkpoint).unwrap();
        learner.ppo.agent.rollout.observations[4 * row] += 1.0;
        assert_eq!(fitted(&mut learner) == before, forgotten, "{row}");
    }
}

// The behaviour policy's objective.

/// A learner with data, and all of its buffer as a minibatch with weights of one.
fn with_data(config: Config, environment: fn(u64) -> Box<dyn BatchedEnvironment>) -> (Props<Cpu>, Minibatch) {
    let mut learner = props(config, environment(6), 6);
    learner.advance().unwrap();
    let rollout = &learner.agent().rollout;
    let mut minibatch = Minibatch::default();
    minibatch.gather(rollout, &(0..rollout.len()).collect::<Vec<_>>());
    minibatch.advantages.fill(-1.0);
    (learner, minibatch)
}

fn objective(learner: &Props<Cpu>, minibatch: &Minibatch, config: &Config) -> Objective<Cpu> {
    let agent = learner.agent();
    let behaviour = &learner.behaviour.policy;
    Objective::of(behaviour, &agent.policy, &agent.device, &agent.rollout, minibatch, config).unwrap()
}

#[test]
fn the_gradient_of_the_objective_agrees_with_finite_differences() {
    for environment in ENVIRONMENTS {
        for kl_order in [KlOrder::TargetFirst, KlOrder::BehaviourFirst] {
            // Ratios that nothing clips: the objective has kinks where they meet the range.
            let config = Config { kl_order, kl_weight: 0.7, clip_range: 100.0, ..small() };
            let (mut learner, minibatch) = with_data(config.clone(), environment);
            let mut rng = Seed::new(7).stream("test");
            let start: Vec<f32> = flat_parameters(&learner.agent().policy)
                .iter()
                .map(|x| x + rng.random_range(-0.1..0.1))
                .collect();
            learner.behaviour.policy.set_flat_parameters(&start);
            let total = objective(&learner, &minibatch, &config).total;
            let (_, mut gradients) = backward(total, "objective").unwrap();
            let gradient = flat_gradient(&learner.behaviour.policy, &mut gradients);
            assert_gradient("behaviour policy", &start, &gradient, |parameters| {
                learner.behaviour.policy.set_flat_parameters(parameters);
                objective(&learner, &minibatch, &config).total.to_host()[0]
            });
        }
    }
}

#[test]
fn at_the_target_policy_the_gradient_is_the_direction_of_ros_and_the_ratios_are_one() {
    for environment in ENVIRONMENTS {
        let config = Config { kl_weight: 0.7, ..small() };
        let (mut learner, minibatch) = with_data(config.clone(), environment);
        learner.behaviour.policy.set_flat_parameters(&flat_parameters(&learner.ppo.agent.policy));
        let at_target = objective(&learner, &minibatch, &config);
        assert!(at_target.estimated_kl < 1e-11);
        let (loss, mut gradients) = backward(at_target.total, "objective").unwrap();
        assert!((loss - 1.0).abs() < 1e-5, "{loss}");
        let gradient = flat_gradient(&learner.behaviour.policy, &mut gradients);
        let agent = learner.agent();
        let rows = 0..agent.rollout.len();
        let likelihood =
            behaviour::mean_log_prob(&learner.behaviour.policy, &agent.device, &agent.rollout, rows).unwrap();
        let (_, mut gradients) = backward(likelihood, "likelihood").unwrap();
        let direction = flat_gradient(&learner.behaviour.policy, &mut gradients);
        assert!(direction.iter().any(|x| x.abs() > 1e-3));
        // ROS takes a step of its size down that direction.
        let mut stepped = Behaviour::ros(&agent.policy, 0.5).unwrap();
        stepped.adapt(&agent.policy, &agent.device, &agent.rollout, 0..agent.rollout.len()).unwrap();
        let start = flat_parameters(&agent.policy);
        for ((found, start), slope) in flat_parameters(&stepped.policy).iter().zip(&start).zip(&direction) {
            assert!((found - (start - 0.5 * slope)).abs() < 1e-5, "{found} {start} {slope}");
        }
        for (found, expected) in gradient.iter().zip(&direction) {
            assert!((found - expected).abs() < 1e-5 + 1e-3 * expected.abs(), "{found} {expected}");
        }
    }
}

#[test]
fn data_that_are_exactly_on_policy_ask_for_no_change() {
    // One state, and as often as they are probable, the actions of a policy with probabilities of ½.
    let config = Config { kl_weight: 0.0, ..small() };
    let (mut learner, mut minibatch) = with_data(config.clone(), cart_poles);
    let zeros = vec![0.0; flat_parameters(&learner.agent().policy).len()];
    learner.ppo.agent.policy.set_flat_parameters(&zeros);
    learner.behaviour.policy.set_flat_parameters(&zeros);
    let pairs = minibatch.rows / 2;
    minibatch.actions = [1.0, 0.0, 0.0, 1.0].repeat(pairs);
    minibatch.observations = [0.1, -0.2, 0.3, 0.4].repeat(2 * pairs);
    minibatch.log_probs.fill(0.5_f32.ln());
    let gradient = |learner: &Props<Cpu>, minibatch: &Minibatch| {
        let (_, mut gradients) = backward(objective(learner, minibatch, &config).total, "objective").unwrap();
        flat_gradient(&learner.behaviour.policy, &mut gradients)
    };
    assert!(gradient(&learner, &minibatch).iter().all(|x| x.abs() < 1e-6));
    // One action too many is pushed down: the biases of the last layer are the last parameters.
    minibatch.actions[..4].copy_from_slice(&[1.0, 0.0, 1.0, 0.0]);
    let gradient = gradient(&learner, &minibatch);
    let [first, second] = gradient[gradient.len() - 2..] else { panic!("{gradient:?}") };
    assert!(first > 1e-4 && second < -1e-4, "{first} {second}");
}

#[test]
fn probabilities_are_pushed_down_until_their_ratio_is_below_the_range_and_no_further() {
    let config = Config { kl_weight: 0.0, clip_range: 0.3, ..small() };
    let (mut learner, mut minibatch) = with_data(config.clone(), pendulums);
    learner.behaviour.policy.set_flat_parameters(&flat_parameters(&learner.ppo.agent.policy));
    let log_probs = minibatch.log_probs.clone();
    for (ratio, flat) in [(0.5_f32, true), (0.69, true), (0.71, false), (1.0, false), (1.5, false)] {
        for (given, log_prob) in minibatch.log_probs.iter_mut().zip(&log_probs) {
            *given = log_prob - ratio.ln();
        }
        let objective = objective(&learner, &minibatch, &config);
        assert_eq!(objective.clip_fraction, f64::from(u8::from(flat)), "{ratio}");
        let (loss, mut gradients) = backward(objective.total, "objective").unwrap();
        assert!((loss - ratio.max(0.7)).abs() < 1e-4, "{ratio}: {loss}");
        let gradient = flat_gradient(&learner.behaviour.policy, &mut gradients);
        assert_eq!(gradient.iter().all(|x| *x == 0.0), flat, "{ratio}");
    }
}

#[test]
fn a_small_limit_of_the_divergence_stops_the_update_early() {
    for environment in ENVIRONMENTS {
        let run = |kl_limit| {
            let config = Config { learning_rate: 0.05, kl_weight: 0.0, kl_limit, ..small() };
            props(config, environment(8), 8).advance().unwrap()
        };
        // Three updates of 4 × 4 steps.
        assert_eq!(metric(&run(None), "behaviour_updates"), 48.0);
        let stopped = run(Some(1e-3));
        assert!((3.0..24.0).contains(&metric(&stopped, "behaviour_updates")), "{stopped:?}");
        assert!(metric(&stopped, "behaviour_kl") < metric(&run(None), "behaviour_kl"));
    }
}

#[test]
fn a_heavier_divergence_keeps_the_behaviour_policy_nearer_to_the_target() {
    for kl_order in [KlOrder::TargetFirst, KlOrder::BehaviourFirst] {
        let divergence = |kl_weight| {
            let config = Config { kl_weight, kl_order, kl_limit: None, learning_rate: 0.03, ..small() };
            metric(&props(config, pendulums(9), 9).advance().unwrap(), "behaviour_kl")
        };
        let (free, held) = (divergence(0.0), divergence(10.0));
        assert!(held < 0.3 * free, "{kl_order:?}: {held} {free}");
    }
}

#[test]
fn weights_by_advantage_change_what_the_behaviour_policy_is_fitted_to() {
    let run = |weigh_by_advantage| {
        let mut learner = props(Config { weigh_by_advantage, ..small() }, cart_poles(10), 10);
        learner.advance().unwrap();
        flat_parameters(&learner.behaviour.policy)
    };
    assert_ne!(run(true), run(false));
}

// Sampling error.

/// The mean sampling error of a buffer that holds everything, while it fills with what is collected for a
/// target policy that does not learn and has clearly different probabilities.
fn error_of_fixed_policy(environment: fn(u64) -> Box<dyn BatchedEnvironment>, learning_rate: f64) -> f64 {
    let initialisation = Initialisation::Orthogonal { hidden_gain: 1.4, output_gain: 1.0 };
    let network = NetworkConfig {
        hidden: vec![32, 32],
        initialisation: Some(initialisation),
        ..NetworkConfig::default()
    };
    let ppo = ppo::Config {
        steps: 128,
        epochs: 1,
        minibatch_size: 4096,
        learning_rate: Schedule::Constant(0.0),
        network,
        ..ppo::Config::default()
    };
    let config = Config {
        ppo,
        batches: 8,
        behaviour_steps: 32,
        epochs: 8,
        minibatches: 8,
        learning_rate,
        ..Config::default()
    };
    let errors = (0..4).flat_map(|seed| {
        let mut learner = props(config.clone(), environment(seed), seed);
        (0..8).map(|_| metric(&learner.advance().unwrap(), "sampling_error")).collect::<Vec<_>>()
    });
    errors.sum::<f64>() / 32.0
}

#[test]
fn for_a_fixed_policy_the_sampling_error_is_less_than_that_of_independent_samples() {
    for (environment, learning_rate) in [(grid_worlds as fn(u64) -> _, 1e-3), (pendulums, 3e-4)] {
        let adapted = error_of_fixed_policy(environment, learning_rate);
        let independent = error_of_fixed_policy(environment, 0.0);
        assert!(adapted < 0.95 * independent, "{adapted} {independent}");
    }
}

#[test]
fn in_a_finite_space_the_sampling_error_is_that_of_the_frequencies() {
    let mut learner = props(small(), grid_worlds(11), 11);
    learner.advance().unwrap();
    learner.collect().unwrap();
    let agent = learner.agent();
    let (rollout, states) = (&agent.rollout, agent.rollout.observation_features());
    let mut counts = ndarray::Array2::<f64>::zeros((states, 4));
    let mut policy = ndarray::Array2::<f64>::from_elem((states, 4), 0.25);
    let index = |code: &[f32]| code.iter().position(|x| *x == 1.0).unwrap();
    for row in 0..rollout.len() {
        let state = index(&rollout.raw_observations()[row * states..][..states]);
        let action = index(&rollout.actions[row * 4..][..4]);
        counts[[state, action]] += 1.0;
        policy[[state, action]] = f64::from(rollout.log_probs[row]).exp();
    }
    // The statistics have moved since the oldest rows were normalised: in one state the policy may have
    // had two inputs, and the measure takes each as it was.
    let expected = tabular::sampling_error(counts.view(), policy.view());
    let measure = SamplingError::new(&Space::discrete(states), &Space::discrete(4));
    let found = measure.of(&agent.policy, rollout).unwrap();
    assert!((found - expected).abs() < 0.02 && found > 0.0, "{found} {expected}");

    let plain = Config { ppo: ppo::Config { normalise_observations: false, ..small_ppo() }, ..small() };
    let mut learner = props(plain, grid_worlds(11), 11);
    learner.advance().unwrap();
    let agent = learner.agent();
    assert_eq!(agent.rollout.raw_observations().len(), agent.rollout.observations.len());
    let tabular = measure.of(&agent.policy, &agent.rollout).unwrap();
    // In a table the frequencies are at least as likely as any policy of a network.
    let fitted = SamplingError::LastLayer.of(&agent.policy, &agent.rollout).unwrap();
    assert!(tabular >= fitted && fitted > 0.0, "{tabular} {fitted}");
}

// Learning.

#[test]
fn probes_are_learned() {
    for form in [ActionForm::Discrete, ActionForm::Continuous] {
        for question in Question::ALL {
            for with_ros in [false, true] {
                let probe = Probe::new(question, form);
                let environment = copies(probe.clone(), 8, 1);
                let ppo = ppo::Config {
                    steps: 8,
                    discount: 0.5,
                    learning_rate: Schedule::Constant(3e-3),
                    ..ppo::Config::default()
                };
                let mut learner = if with_ros {
                    // The gradient of a Gaussian's log-density grows as it becomes narrow.
                    let learning_rate = if form == ActionForm::Discrete { 0.1 } else { 1e-4 };
                    ros(
                        RosConfig { ppo, behaviour_steps: 2, learning_rate, ..RosConfig::default() },
                        environment,
                        1,
                    )
                } else {
                    props(Config { ppo, behaviour_steps: 2, epochs: 4, ..Config::default() }, environment, 1)
                };
                for _ in 0..100 {
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
                let mut rng = Seed::new(1).stream("test");
                learner.act(observations, Mode::Greedy, &mut rng, &mut actions).unwrap();
                let context = format!("{question:?}, {form:?}, ROS {with_ros}: {values:?}, {actions:?}");
                let by_action =
                    matches!(question, Question::RewardByAction | Question::RewardByActionAndObservation);
                let tolerance = if by_action { 0.25 } else { 0.05 };
                for (i, &observation) in observations.iter().enumerate() {
                    let best = probe.value(observation, 0.5);
                    assert!((f64::from(values[i]) - best).abs() < tolerance, "{context}");
                    let greedy = probe.action_value(observation, actions.row(i), 0.5).unwrap();
                    assert!(greedy > best - 0.05, "{context}");
                }
            }
        }
    }
}

// State.

#[test]
fn saved_loaded_and_continued_is_bit_for_bit_the_uninterrupted_run() {
    for environment in ENVIRONMENTS {
        let pairs: [Make; 2] = [
            |environment, seed| props(small(), environment, seed),
            |environment, seed| ros(small_ros(), environment, seed),
        ];
        for make in pairs {
            let mut uninterrupted = make(environment(12), 12);
            // The other learner has another past and another seed: nothing of it may show.
            let mut resumed = make(environment(13), 13);
            resumed.advance().unwrap();
            for _ in 0..4 {
                uninterrupted.advance().unwrap();
            }
            let saved = state(&uninterrupted);
            resumed.load(&Checkpoint::from_bytes(&saved, "test").unwrap()).unwrap();
            assert_eq!(state(&resumed), saved);
            for _ in 0..2 {
                let (a, b) = (uninterrupted.advance().unwrap(), resumed.advance().unwrap());
                assert_eq!(format!("{a:?}"), format!("{b:?}"));
            }
            assert_eq!(state(&uninterrupted), state(&resumed));
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let run = |seed| {
        let mut learner = props(small(), cart_poles(seed), seed);
        learner.advance().unwrap();
        learner.advance().unwrap();
        state(&learner)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_checkpoint_of_another_form_is_an_error_and_changes_nothing() {
    let mut learner = props(Config { batches: 2, ..small() }, cart_poles(14), 14);
    learner.advance().unwrap();
    let before = state(&learner);
    let longer = props(small(), cart_poles(14), 14);
    let elsewhere = props(small(), pendulums(14), 14);
    let without = ppo::Config { normalise_observations: false, normalise_rewards: false, ..small_ppo() };
    let without = props(Config { ppo: without, ..small() }, cart_poles(14), 14);
    for mut other in [longer, elsewhere, without] {
        for _ in 0..3 {
            other.advance().unwrap();
        }
        assert!(learner.load(&Checkpoint::from_bytes(&state(&other), "test").unwrap()).is_err());
        assert_eq!(state(&learner), before);
    }
}

// Configurations.

#[test]
fn a_value_out_of_range_is_an_error_that_names_its_field() {
    for (field, values) in [
        ("batches", &["0"][..]),
        ("behaviour_steps", &["0", "3", "4096"]),
        ("minibatches", &["0"]),
        ("learning_rate", &["-1.0", "inf"]),
        ("clip_range", &["0.0", "-0.1"]),
        ("kl_weight", &["-0.1"]),
        ("kl_order", &["\"paper\""]),
        ("kl_limit", &["0.0"]),
        ("max_gradient_norm", &["0.0"]),
        ("ppo", &["{ steps = 0 }", "{ stepps = 1 }"]),
    ] {
        for value in values {
            let given = format!("{field} = {value}").parse().unwrap();
            for algorithm in ["props", "ros"] {
                if algorithm == "ros" && !["batches", "behaviour_steps", "learning_rate"].contains(&field) {
                    continue;
                }
                let error = catalogue::find(algorithm).unwrap().resolve(&given).unwrap_err().to_string();
                let name = if field == "ppo" { "step" } else { field };
                assert!(error.contains(name), "{algorithm}, {field} = {value}: {error}");
            }
        }
    }
}

#[test]
fn a_sampling_error_that_cannot_be_measured_is_an_error_at_once() {
    let network = NetworkConfig { state_dependent_std: true, ..NetworkConfig::default() };
    let config = Config { ppo: ppo::Config { network, ..small_ppo() }, ..small() };
    let made = |config| Props::new(config, pendulums(15), Seed::new(15), Cpu::open().unwrap());
    assert!(matches!(made(config.clone()), Err(Error::Unsupported { .. })));
    let mut learner = made(Config { sampling_error: false, ..config }).unwrap();
    let report = learner.advance().unwrap();
    assert!(report.metrics.iter().all(|(name, _)| *name != "sampling_error"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_valid_configuration_runs(seed in any::<u64>()) {
        let mut rng = Seed::new(seed).stream("configuration");
        let ppo = ppo::Config {
            steps: 6,
            minibatch_size: rng.random_range(1..30),
            target_kl: rng.random_bool(0.5).then_some(1e-3),
            normalise_observations: rng.random(),
            normalise_rewards: rng.random(),
            ..small_ppo()
        };
        let config = Config {
            ppo: ppo.clone(),
            batches: rng.random_range(1..4),
            behaviour_steps: [1, 2, 3, 6][rng.random_range(0..4)],
            epochs: rng.random_range(0..3),
            minibatches: rng.random_range(1..40),
            kl_weight: [0.0, 0.1][rng.random_range(0..2)],
            kl_order: [KlOrder::TargetFirst, KlOrder::BehaviourFirst][rng.random_range(0..2)],
            kl_limit: rng.random_bool(0.5).then_some(0.05),
            max_gradient_norm: rng.random_bool(0.5).then_some(0.5),
            weigh_by_advantage: rng.random(),
            sampling_error: rng.random(),
            ..small()
        };
        prop_assert!(config.validate().is_ok());
        let environment = ENVIRONMENTS[rng.random_range(0..3)];
        let (batches, behaviour_steps) = (config.batches, config.behaviour_steps);
        let mut learners = [
            props(config, environment(seed), seed),
            ros(RosConfig { ppo, batches, behaviour_steps, ..RosConfig::default() }, environment(seed), seed),
        ];
        for learner in &mut learners {
            for _ in 0..4 {
                let report = learner.advance();
                prop_assert!(report.is_ok(), "{report:?}");
            }
        }
    }
}

#[test]
fn a_learner_that_diverges_says_when() {
    let ppo = ppo::Config { learning_rate: Schedule::Constant(1e30), ..small_ppo() };
    let mut learner = props(Config { ppo, ..small() }, pendulums(16), 16);
    let error = (0..20).find_map(|_| learner.advance().err());
    assert!(matches!(error, Some(Error::NonFinite { steps, .. }) if steps > 0), "{error:?}");
}

#[test]
fn the_names_of_the_catalogue_make_what_they_say() {
    for (name, updates) in [("props", 3.0), ("ros", 12.0)] {
        let parameters = "ppo = { steps = 24 }\nbehaviour_steps = 2".parse().unwrap();
        let seed = Seed::new(17);
        let mut learner = catalogue::make(name, &parameters, cart_poles(17), seed, DeviceKind::Cpu).unwrap();
        let report = learner.advance().unwrap();
        assert!(metric(&report, "behaviour_updates") >= updates, "{name}: {report:?}");
        assert_eq!(learner.steps(), 48);
    }
}
