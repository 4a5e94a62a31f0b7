//! What every policy and every method of this family must do.

use assay_environments::{
    Actions, Batch, BatchedEnvironment, Environment, Space,
    classic::{CartPole, Pendulum},
    hills::Hills,
    probe::{ActionForm, Probe, Question},
    random::{Seed, Stream},
    tabular::Garnet,
    wrappers::TimeLimit,
};
use rand::Rng;

use super::{
    Agent, BaselineForm, Estimator, LinearGaussian, NetworkPolicy, PolicyConfig, PolicyForm, ScorePolicy,
    TabularSoftmax, Trajectory, TrajectoryConfig,
};
use crate::{
    Checkpoint, Error, Learner, Mode,
    catalogue::{self, DeviceKind},
    policies::NetworkConfig,
    tensor::Cpu,
};

const METHODS: [&str; 8] =
    ["n-harpg", "harpg", "n-pg-igt", "n-mpg", "storm-pg", "srvr-pg", "hapg", "is-mbpg"];

type Environments = Box<dyn BatchedEnvironment>;

fn copies<E: Environment>(environment: E, count: usize, seed: Seed) -> Environments {
    Box::new(Batch::new(environment, count, seed).unwrap())
}

fn cart_pole(count: usize, seed: Seed) -> Environments {
    copies(TimeLimit::new(CartPole::default(), 500).unwrap(), count, seed)
}

fn pendulum(count: usize, seed: Seed) -> Environments {
    copies(TimeLimit::new(Pendulum::default(), 30).unwrap(), count, seed)
}

fn garnet(count: usize, seed: Seed) -> Environments {
    let mdp = Garnet { states: 4, actions: 3, branching: 2, seed: 3 }.build().unwrap();
    copies(TimeLimit::new(mdp, 12).unwrap(), count, seed)
}

fn hills(count: usize, seed: Seed) -> Environments {
    copies(Hills::default().build().unwrap(), count, seed)
}

fn make(method: &str, parameters: &str, environment: Environments, seed: Seed) -> Box<dyn Learner> {
    let parameters = parameters.parse().unwrap();
    catalogue::make(method, &parameters, environment, seed, DeviceKind::Cpu).unwrap()
}

// Policies.

/// A policy for observations and actions of these spaces, with how well single or double precision
/// lets differences agree.
type Case = (&'static str, Space, Space, Box<dyn ScorePolicy>, f64);

/// Every policy for spaces of its kind.
fn policies() -> Vec<Case> {
    let seed = Seed::new(4);
    let (cells, moves) = (Space::discrete(3), Space::discrete(4));
    let (numbers, forces) = (Space::symmetric(3, 1.0), Space::symmetric(2, f32::INFINITY));
    let parts = Space::MultiDiscrete { sizes: vec![2, 3] };
    let small = |learned: bool, state_dependent_std: bool| PolicyConfig {
        learn_standard_deviation: learned,
        network: NetworkConfig { hidden: vec![5], state_dependent_std, ..NetworkConfig::default() },
        ..PolicyConfig::default()
    };
    let network = |observations: &Space, actions: &Space, config: PolicyConfig| -> Box<dyn ScorePolicy> {
        let device = Cpu::default();
        Box::new(NetworkPolicy::new(&device, observations, actions, &config, seed).unwrap())
    };
    vec![
        ("tabular", cells.clone(), moves.clone(), Box::new(TabularSoftmax::new(3, 4)), 1e-8),
        (
            "linear in cells",
            cells.clone(),
            forces.clone(),
            Box::new(LinearGaussian::new(&cells, 2, 0.7)),
            1e-8,
        ),
        ("linear", numbers.clone(), forces.clone(), Box::new(LinearGaussian::new(&numbers, 2, 0.7)), 1e-8),
        (
            "softmax network",
            numbers.clone(),
            moves.clone(),
            network(&numbers, &moves, small(false, false)),
            1e-2,
        ),
        (
            "network of parts",
            cells.clone(),
            parts.clone(),
            network(&cells, &parts, small(false, false)),
            1e-2,
        ),
        (
            "Gaussian network",
            numbers.clone(),
            forces.clone(),
            network(&numbers, &forces, small(false, false)),
            1e-2,
        ),
        (
            "free deviation",
            numbers.clone(),
            forces.clone(),
            network(&numbers, &forces, small(true, false)),
            1e-2,
        ),
        (
            "deviation by state",
            numbers.clone(),
            forces.clone(),
            network(&numbers, &forces, small(false, true)),
            1e-2,
        ),
    ]
}

/// Parameters near the start, and a trajectory of random observations on which the policy acts.
fn experience(
    policy: &mut dyn ScorePolicy,
    observations: &Space,
    actions: &Space,
    rng: &mut Stream,
) -> (Vec<f64>, Trajectory) {
    const STEPS: usize = 6;
    let start = policy.initial_parameters();
    let parameters: Vec<f64> = start.iter().map(|x| x + rng.random_range(-0.4..0.4)).collect();
    policy.move_to(&parameters);
    let mut trajectory = Trajectory::default();
    for _ in 0..STEPS {
        let mut row = vec![0.0; observations.features()];
        match observations {
            Space::Discrete { n } => row[rng.random_range(0..*n)] = 1.0,
            _ => row.iter_mut().for_each(|x| *x = rng.random_range(-1.0..1.0)),
        }
        let mut action = Actions::zeros(actions, 1);
        policy.act(&row, Mode::Sample, rng, &mut action).unwrap();
        let mut features = vec![0.0; actions.features()];
        actions.encode_action(action.row(0), &mut features);
        trajectory.observations.extend(row);
        trajectory.actions.extend(features);
        trajectory.rewards.push(rng.random_range(-1.0..1.0));
    }
    (parameters, trajectory)
}

fn uniform(count: usize, rng: &mut Stream) -> Vec<f64> {
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn moved(x: &[f64], by: f64, direction: &[f64]) -> Vec<f64> {
    x.iter().zip(direction).map(|(x, d)| x + by * d).collect()
}

#[test]
fn scores_and_their_derivatives_agree_with_differences() {
    for (what, observations, actions, mut policy, tolerance) in policies() {
        let mut rng = Seed::new(11).stream("test");
        let (at, trajectory) = experience(&mut *policy, &observations, &actions, &mut rng);
        let (steps, size) = (trajectory.len(), policy.dimension());
        assert_eq!(at.len(), size, "{what}");
        let weights = uniform(steps, &mut rng);
        let direction = uniform(size, &mut rng);
        let (mut gradient, mut also, mut product) = (vec![0.0; size], vec![0.0; size], vec![0.0; size]);
        policy.add_score(&trajectory, &weights, &mut gradient);
        let slope = policy.add_curvature(&trajectory, &weights, &direction, &mut also, &mut product);
        let close = |name: &str, x: f64, y: f64, scale: f64| {
            assert!((x - y).abs() <= tolerance * (1.0 + scale), "{what}, {name}: {x} and {y}");
        };
        for (x, y) in gradient.iter().zip(&also) {
            close("gradient", *x, *y, x.abs());
        }
        let norm = dot(&product, &product).sqrt();
        assert!(norm > 0.0, "{what}");

        // Central differences of fourth order; wide where the policy computes in single precision.
        let step = if tolerance > 1e-6 { 1e-2 } else { 1e-3 };
        let mut log_probs_at = |by: f64| {
            policy.move_to(&moved(&at, by, &direction));
            let mut log_probs = vec![0.0; steps];
            policy.log_probs(&trajectory, &mut log_probs);
            let mut score = vec![0.0; size];
            policy.add_score(&trajectory, &weights, &mut score);
            (log_probs, score)
        };
        let ends = [-2.0, -1.0, 1.0, 2.0].map(|k| log_probs_at(k * step));
        let difference = |[a, b, c, d]: [f64; 4]| (8.0 * (c - b) - (d - a)) / (12.0 * step);
        let weighted = difference(ends.each_ref().map(|(log_probs, _)| dot(log_probs, &weights)));
        close("score", dot(&gradient, &direction), weighted, weighted.abs());
        let plain = difference(ends.each_ref().map(|(log_probs, _)| log_probs.iter().sum()));
        close("slope", slope, plain, plain.abs());
        for i in 0..size {
            close("curvature", product[i], difference(ends.each_ref().map(|(_, score)| score[i])), norm);
        }
    }
}

#[test]
fn actions_are_drawn_with_the_probabilities_that_the_policy_says() {
    const DRAWS: usize = 20_000;
    let mut policy = TabularSoftmax::new(2, 3);
    policy.move_to(&[0.0, 0.0, 0.0, 0.5, -1.0, 1.0]);
    let mut rng = Seed::new(2).stream("test");
    let mut actions = Actions::zeros(&Space::discrete(3), DRAWS);
    policy.act(&[0.0, 1.0].repeat(DRAWS), Mode::Sample, &mut rng, &mut actions).unwrap();
    for action in 0..3 {
        let mut features = vec![0.0; 3];
        features[action] = 1.0;
        let step = Trajectory { observations: vec![0.0, 1.0], actions: features, rewards: vec![0.0] };
        let mut log_prob = [0.0];
        policy.log_probs(&step, &mut log_prob);
        let Actions::Discrete(drawn) = &actions else { unreachable!("the space is discrete") };
        let share = drawn.iter().filter(|a| **a == action).count() as f64 / DRAWS as f64;
        assert!((share - log_prob[0].exp()).abs() < 0.015, "{action}: {share}");
    }
    let mut greedy = Actions::zeros(&Space::discrete(3), 1);
    policy.act(&[0.0, 1.0], Mode::Greedy, &mut rng, &mut greedy).unwrap();
    assert_eq!(greedy, Actions::Discrete(vec![2]));
}

/// Memory is linear in the dimension, so B v has to come without B. Its three parts by hand: the
/// directional derivative of the log-likelihood, the gradient, and a difference of gradients.
#[test]
fn the_hessian_product_is_the_outer_product_plus_a_difference_of_gradients() {
    for (what, observations, actions, mut policy, tolerance) in policies() {
        let mut rng = Seed::new(12).stream("test");
        let (at, trajectory) = experience(&mut *policy, &observations, &actions, &mut rng);
        let size = policy.dimension();
        let direction = uniform(size, &mut rng);
        let batch = [trajectory];
        let mut estimator = Estimator::new(0.9, BaselineForm::None);
        let mut product = vec![0.0; size];
        estimator.hessian_product(&mut *policy, &batch, &direction, &mut product);

        let mut gradient_at = |by: f64| {
            policy.move_to(&moved(&at, by, &direction));
            let mut gradient = vec![0.0; size];
            estimator.gradient(&mut *policy, &batch, &mut gradient);
            gradient
        };
        let step = if tolerance > 1e-6 { 1e-2 } else { 1e-4 };
        let (gradient, up, down) = (gradient_at(0.0), gradient_at(step), gradient_at(-step));
        policy.move_to(&at);
        let mut log_likelihood = vec![0.0; size];
        policy.add_score(&batch[0], &[1.0; 6], &mut log_likelihood);
        let slope = dot(&log_likelihood, &direction);
        let scale = 1.0 + dot(&product, &product).sqrt();
        for i in 0..size {
            let expected = slope * gradient[i] + (up[i] - down[i]) / (2.0 * step);
            assert!(
                (product[i] - expected).abs() < 10.0 * tolerance * scale,
                "{what}: {} {expected}",
                product[i]
            );
        }
    }
}

// Learning.

/// The two probes that a policy without a value function has to do with, in both forms of action.
#[test]
fn every_method_learns_which_action_is_right() {
    for method in METHODS {
        for seed in [1, 2].map(Seed::new) {
            for form in [ActionForm::Discrete, ActionForm::Continuous] {
                for question in [Question::RewardByAction, Question::RewardByActionAndObservation] {
                    let probe = Probe::new(question, form);
                    let policy = match form {
                        ActionForm::Discrete => "form = \"network\", network = { hidden = [] }",
                        ActionForm::Continuous => "form = \"linear-gaussian\", standard_deviation = 0.3",
                    };
                    let step = match method {
                        "is-mbpg" => "scale = 0.1".to_owned(),
                        "harpg" => "step_size = { scale = 0.2, offset = 2.0, exponent = 0.5 }".to_owned(),
                        "n-harpg" | "n-pg-igt" | "n-mpg" => {
                            "step_size = { scale = 1.5, offset = 30.0, exponent = 1.0 }".to_owned()
                        }
                        _ => "step_size = { scale = 0.05, offset = 1.0, exponent = 0.0 }".to_owned(),
                    };
                    let parameters =
                        format!("{step}\npolicy = {{ {policy} }}\ntrajectories = {{ baseline = \"step\" }}");
                    let mut learner = make(method, &parameters, copies(probe.clone(), 8, seed), seed);
                    for _ in 0..300 {
                        learner.advance().unwrap();
                    }
                    for observation in [-1.0, 1.0] {
                        let observation =
                            if question == Question::RewardByAction { 0.0 } else { observation };
                        let mut action = Actions::zeros(&probe.action_space(), 1);
                        let mut rng = seed.stream("test");
                        learner.act(&[observation], Mode::Greedy, &mut rng, &mut action).unwrap();
                        let reached = probe.action_value(observation, action.row(0), 1.0).unwrap();
                        let best = probe.value(observation, 1.0);
                        assert!(
                            reached > best - 0.1,
                            "{method}, {form:?}, {question:?}, {seed:?}: {action:?}"
                        );
                    }
                }
            }
        }
    }
}

// State.

/// A small learner of each kind of policy with everything on that has a state.
fn small(method: &str, environment: Environments, seed: Seed) -> Box<dyn Learner> {
    let parameters = "trajectories = { baseline = \"step\", horizon = 15, discount = 0.9 }\n\
                      policy = { network = { hidden = [4] } }";
    make(method, parameters, environment, seed)
}

fn state(learner: &dyn Learner) -> Vec<u8> {
    let mut checkpoint = Checkpoint::new();
    learner.save(&mut checkpoint).unwrap();
    checkpoint.to_bytes("test").unwrap()
}

#[test]
fn saved_loaded_and_continued_is_bit_for_bit_the_uninterrupted_run() {
    let seed = Seed::new(5);
    for method in METHODS {
        for environment in [cart_pole, pendulum, garnet, hills] {
            let mut uninterrupted = small(method, environment(2, seed), seed);
            // The other learner has another past and another seed: nothing of it may show.
            let mut resumed = small(method, environment(2, Seed::new(6)), Seed::new(6));
            resumed.advance().unwrap();
            for _ in 0..3 {
                uninterrupted.advance().unwrap();
            }
            let saved = state(&*uninterrupted);
            resumed.load(&Checkpoint::from_bytes(&saved, "test").unwrap()).unwrap();
            assert_eq!(state(&*resumed), saved, "{method}");
            for _ in 0..12 {
                let (a, b) = (uninterrupted.advance().unwrap(), resumed.advance().unwrap());
                assert_eq!(format!("{a:?}"), format!("{b:?}"), "{method}");
            }
            assert_eq!(state(&*uninterrupted), state(&*resumed), "{method}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for method in METHODS {
        let run = |seed: u64| {
            let seed = Seed::new(seed);
            let mut learner = small(method, cart_pole(2, seed), seed);
            learner.advance().unwrap();
            learner.advance().unwrap();
            state(&*learner)
        };
        assert_eq!(run(1), run(1), "{method}");
        assert_ne!(run(1), run(2), "{method}");
    }
}

#[test]
fn a_checkpoint_or_an_action_buffer_of_another_environment_is_an_error() {
    let seed = Seed::new(7);
    for method in METHODS {
        let on_cart_pole = small(method, cart_pole(2, seed), seed);
        let mut on_pendulum = small(method, pendulum(2, seed), seed);
        let before = state(&*on_pendulum);
        let foreign = Checkpoint::from_bytes(&state(&*on_cart_pole), "test").unwrap();
        assert!(on_pendulum.load(&foreign).is_err(), "{method}");
        assert_eq!(state(&*on_pendulum), before, "{method}");
        let mut discrete = Actions::zeros(&Space::discrete(2), 1);
        let mut rng = seed.stream("test");
        assert!(on_pendulum.act(&[0.0; 3], Mode::Sample, &mut rng, &mut discrete).is_err(), "{method}");
    }
}

#[test]
fn every_iteration_reports_the_same_metrics_and_a_trajectory_for_every_episode() {
    let seed = Seed::new(9);
    for method in METHODS {
        let mut learner = small(method, cart_pole(3, seed), seed);
        let names = |metrics: &[(&'static str, f64)]| metrics.iter().map(|m| m.0).collect::<Vec<_>>();
        let mut episodes = 0;
        let first = names(&learner.advance().unwrap().metrics);
        let mut last = 0.0;
        for _ in 0..5 {
            let report = learner.advance().unwrap();
            assert_eq!(names(&report.metrics), first, "{method}");
            let value = |name| report.metrics.iter().find(|m| m.0 == name).unwrap().1;
            episodes += report.episodes.len();
            last = value("trajectories");
            assert!(value("gradient_norm") > 0.0, "{method}");
            assert!(report.episodes.iter().all(|e| e.total_reward == e.length as f64 && e.length <= 15));
        }
        assert!(last > episodes as f64 && learner.steps() >= last as u64, "{method}");
    }
}

#[test]
fn exact_comparisons_exist_where_the_problem_is_known_and_nowhere_else() {
    let seed = Seed::new(3);
    let exact = "trajectories = { exact_interval = 2, horizon = 40, discount = 0.8 }";
    let gaussian = format!("{exact}\npolicy = {{ form = \"linear-gaussian\" }}");
    for (parameters, environment) in [(exact, garnet(1, seed)), (&gaussian, hills(1, seed))] {
        let mut learner = make("n-mpg", parameters, environment, seed);
        for iteration in 1..=6 {
            let report = learner.advance().unwrap();
            for name in ["gradient_error", "optimality_gap", "least_fisher"] {
                let value = report.metrics.iter().find(|m| m.0 == name).unwrap().1;
                assert_eq!(value > 0.0, iteration % 2 == 0, "{name} is {value} after {iteration}");
            }
        }
    }
    let refused = |environment: Environments| {
        let made = catalogue::make("n-mpg", &exact.parse().unwrap(), environment, seed, DeviceKind::Cpu);
        assert!(matches!(made.err().unwrap(), Error::Unsupported { .. }));
    };
    refused(cart_pole(1, seed));
    refused(hills(1, seed));
}

#[test]
fn a_policy_that_does_not_fit_the_spaces_is_an_error_that_says_so() {
    let seed = Seed::new(1);
    for (form, environment) in
        [(PolicyForm::TabularSoftmax, cart_pole(1, seed)), (PolicyForm::LinearGaussian, garnet(1, seed))]
    {
        let policy = PolicyConfig { form, ..PolicyConfig::default() };
        let made = Agent::new(TrajectoryConfig::default(), &policy, environment, seed, Cpu::default());
        let message = made.err().unwrap().to_string();
        assert!(message.contains("needs"), "{message}");
    }
}

#[test]
fn a_value_out_of_range_is_an_error_that_names_its_field() {
    let trajectories = ["{ discount = 1.5 }", "{ horizon = 0 }", "{ rounds = 0 }"];
    for method in METHODS {
        let entry = catalogue::find(method).unwrap();
        let refused = |text: &str, field: &str| {
            let message = entry.resolve(&text.parse().unwrap()).unwrap_err().to_string();
            assert!(message.contains(field), "{method}, {text}: {message}");
        };
        for value in trajectories {
            refused(&format!("trajectories = {value}"), "`trajectories.");
        }
        refused("policy = { standard_deviation = 0.0 }", "`policy.standard_deviation");
        refused("policy = { network = { hidden = [0] } }", "`network.hidden");
        if method == "is-mbpg" {
            for field in ["scale", "offset", "momentum_scale"] {
                refused(&format!("{field} = 0.0"), &format!("`{field}"));
            }
            refused("least_momentum = 1.5", "`least_momentum");
            refused("weight_cap = 0.5", "`weight_cap");
        } else {
            refused("step_size = { scale = 0.0, offset = 1.0, exponent = 0.0 }", "`step_size.scale");
        }
        if ["storm-pg", "srvr-pg"].contains(&method) {
            refused("weight_cap = 0.5", "`weight_cap");
        }
        if ["srvr-pg", "hapg"].contains(&method) {
            refused("epoch = 0", "`epoch");
            refused("reference_batch = 0", "`reference_batch");
        }
    }
}
