//! SubPO: exact gradients, limits, guarantees, learning, and continuing where it stopped.

use assay_algorithms::{
    Checkpoint, Error, Learner, Mode,
    catalogue::{self, DeviceKind},
    subpo::{Baseline, Config, Estimator, Objective, PolicyForm, SubPo},
    tensor::{Cpu, Device},
};
use assay_environments::{
    Actions, Batch, BatchedEnvironment, BatchedStep, Environment,
    random::{Seed, Stream},
    submodular::{
        Coverage, Exploration, GridCoverage, Moves, Observation, Reward, Submodular, Trap, Weights, singles,
    },
};
use assay_theory::submodular::{
    Moments, curvature, estimator_moments, expected_gains, expected_value, greedy_plan, optimal_plan,
    optimal_set, optimal_value, softmax,
};
use ndarray::{Array3, Axis};
use rand::{Rng, seq::index};

const ESTIMATORS: [Estimator; 3] = [Estimator::Full, Estimator::Myopic, Estimator::TotalReturn];

/// A 3 × 3 grid with four steps, whose discs overlap and whose weights differ.
fn small_grid(action_noise: f64) -> Exploration<Coverage> {
    grid_with_steps(4, action_noise)
}

fn grid_with_steps(horizon: usize, action_noise: f64) -> Exploration<Coverage> {
    let grid = GridCoverage {
        rows: 3,
        columns: 3,
        start: 3,
        horizon,
        weights: Weights::GaussianProcess,
        action_noise,
        ..GridCoverage::default()
    };
    grid.build().unwrap()
}

fn random_logits(problem: &dyn Submodular, rng: &mut Stream) -> Array3<f64> {
    let shape = (problem.horizon(), problem.moves().places(), problem.moves().actions());
    Array3::from_shape_simple_fn(shape, || rng.random_range(-1.0..1.0))
}

fn moments(problem: &dyn Submodular, logits: &Array3<f64>, estimator: Estimator) -> Moments {
    estimator_moments(problem, logits, |initial, gains, w| estimator.weights(initial, gains, w)).unwrap()
}

fn largest_difference(a: &Array3<f64>, b: &Array3<f64>) -> f64 {
    (a - b).iter().fold(0.0, |most, x| f64::max(most, x.abs()))
}

fn cosine(a: &Array3<f64>, b: &Array3<f64>) -> f64 {
    (a * b).sum() / ((a * a).sum() * (b * b).sum()).sqrt()
}

fn at_step(gradient: &Array3<f64>, step: usize) -> Array3<f64> {
    gradient.index_axis(Axis(0), step).insert_axis(Axis(0)).to_owned()
}

/// Central differences of a function of the logits.
fn differences(logits: &Array3<f64>, function: impl Fn(usize, &Array3<f64>) -> f64) -> Array3<f64> {
    Array3::from_shape_fn(logits.dim(), |index| {
        let at = |change: f64| {
            let mut logits = logits.clone();
            logits[index] += change;
            function(index.0, &logits)
        };
        let step = 1e-3;
        // Fourth order.
        (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * step)
    })
}

#[test]
fn full_and_total_return_are_unbiased_and_myopic_is_not() {
    // With unreliable moves there are many more trajectories.
    for (horizon, noise) in [(4, 0.0), (2, 0.2)] {
        let problem = grid_with_steps(horizon, noise);
        let logits = random_logits(&problem, &mut Seed::new(1).stream("logits"));
        let gradient = differences(&logits, |_, logits| expected_value(&problem, &softmax(logits)).unwrap());
        let [full, myopic, total] = ESTIMATORS.map(|estimator| moments(&problem, &logits, estimator).mean);
        assert!(largest_difference(&full, &gradient) < 1e-9, "{}", largest_difference(&full, &gradient));
        assert!(largest_difference(&total, &gradient) < 1e-9, "{}", largest_difference(&total, &gradient));
        assert!(largest_difference(&full, &total) < 1e-12);
        assert!(cosine(&full, &myopic) < 0.98, "{}", cosine(&full, &myopic));
        // The last move has no later gains: there, and there alone, they agree.
        let differs = |step| largest_difference(&at_step(&full, step), &at_step(&myopic, step));
        assert!(differs(horizon - 1) < 1e-12, "{}", differs(horizon - 1));
        for step in 0..horizon - 1 {
            let cosine = cosine(&at_step(&full, step), &at_step(&myopic, step));
            assert!(cosine < 0.98, "step {step}: {cosine}");
        }
    }
}

#[test]
fn the_released_weights_follow_the_next_gain_alone() {
    let problem = small_grid(0.0);
    let logits = random_logits(&problem, &mut Seed::new(2).stream("logits"));
    let myopic = moments(&problem, &logits, Estimator::Myopic).mean;
    let next_gain =
        estimator_moments(&problem, &logits, |_, gains, weights| weights.copy_from_slice(gains)).unwrap();
    assert!(largest_difference(&myopic, &next_gain.mean) < 1e-12);
    // Which is the gradient of Σ_h E F(s_{h+1}|τ_{0:h}) through the action of step h alone.
    let stopped =
        differences(&logits, |step, logits| expected_gains(&problem, &softmax(logits)).unwrap()[step]);
    assert!(largest_difference(&myopic, &stopped) < 1e-9, "{}", largest_difference(&myopic, &stopped));
}

#[test]
fn at_every_time_index_the_variance_of_full_is_no_larger_than_that_of_total_return() {
    for seed in 0..5 {
        let problem = grid_with_steps(3, 0.1);
        let logits = random_logits(&problem, &mut Seed::new(seed).stream("logits"));
        let [full, _, total] = ESTIMATORS.map(|e| moments(&problem, &logits, e).variance());
        for (step, (full, total)) in full.axis_iter(Axis(0)).zip(total.axis_iter(Axis(0))).enumerate() {
            for (full, total) in full.iter().zip(total) {
                assert!(*full <= total + 1e-12, "step {step}: {full} and {total}");
            }
            assert!(step == 0 || full.sum() < 0.9 * total.sum(), "step {step}");
        }
    }
    // Where the start is worth nothing both are the same at the first step.
    let trap = Trap::default().build().unwrap();
    let logits = random_logits(&trap, &mut Seed::new(0).stream("logits"));
    let [full, _, total] = ESTIMATORS.map(|e| moments(&trap, &logits, e).variance());
    let first = |variance: &Array3<f64>| variance.index_axis(Axis(0), 0).to_owned();
    assert_eq!(first(&full), first(&total));
}

fn batch<E: Environment>(environment: E, copies: usize, seed: u64) -> Box<dyn BatchedEnvironment> {
    Box::new(Batch::new(environment, copies, Seed::new(seed)).unwrap())
}

fn tabular(config: Config) -> Config {
    Config { policy: PolicyForm::Tabular, ..config }
}

fn learner<E: Environment>(config: Config, environment: E, copies: usize, seed: u64) -> SubPo<Cpu> {
    let environment = batch(environment, copies, seed);
    SubPo::new(config, environment, Seed::new(seed), Cpu::open().unwrap()).unwrap()
}

/// The gradient estimate behind the first step of Adam, from its first moment.
fn first_gradient(learner: &SubPo<Cpu>) -> Vec<f64> {
    let policy = serde_json::to_value(learner.tabular_policy().unwrap()).unwrap();
    let moment = policy["first_moment"].as_array().unwrap();
    moment.iter().map(|first| first.as_f64().unwrap() / (1.0 - 0.9)).collect()
}

#[test]
fn the_gradient_of_a_batch_is_the_exact_expectation_up_to_sampling_error() {
    let problem = small_grid(0.2);
    let logits = random_logits(&problem, &mut Seed::new(3).stream("logits"));
    let trajectories = 20_000;
    let initial = singles(problem.set_function())[problem.start()];
    let mut expected = expected_gains(&problem, &softmax(&logits)).unwrap();
    expected[0] -= initial;
    for estimator in ESTIMATORS {
        for baseline in [Baseline::None, Baseline::LeaveOneOut] {
            // In a large batch the baseline is the expected weight, and weights are linear in gains.
            let mut subtracted = [0.0; 4];
            if baseline == Baseline::LeaveOneOut {
                estimator.weights(initial, &expected, &mut subtracted);
            }
            let exact = estimator_moments(&problem, &logits, |initial, gains, weights| {
                estimator.weights(initial, gains, weights);
                weights.iter_mut().zip(&subtracted).for_each(|(weight, baseline)| *weight -= baseline);
            });
            let exact = exact.unwrap();
            let config = tabular(Config { estimator, baseline, trajectories, ..Config::default() });
            let mut learner = learner(config, problem.clone(), 20, 4);
            let policy = learner.tabular_policy_mut().unwrap();
            policy.logits_mut().copy_from_slice(logits.as_slice().unwrap());
            learner.advance().unwrap();
            let errors = exact.variance().mapv(|variance| (variance.max(0.0) / trajectories as f64).sqrt());
            for ((sampled, exact), error) in first_gradient(&learner).iter().zip(&exact.mean).zip(&errors) {
                let distance = (sampled - exact).abs();
                assert!(distance < 5.0 * error + 1e-6, "{estimator:?} {baseline:?}: {sampled}, {exact}");
            }
        }
    }
}

#[test]
fn the_modular_objective_is_reinforce_on_single_values_sample_by_sample() {
    let grid = |reward| GridCoverage {
        rows: 4,
        columns: 4,
        start: 5,
        horizon: 6,
        weights: Weights::GaussianProcess,
        reward,
        ..GridCoverage::default()
    };
    let config = |objective| tabular(Config { objective, trajectories: 40, ..Config::default() });
    // ModPO where the reward is the gain, and SubPO where the reward is the single value.
    let gains = grid(Reward::Gain).build().unwrap();
    let values = grid(Reward::Modular).build().unwrap();
    let mut modpo = learner(config(Objective::Modular), gains, 8, 0);
    let mut subpo = learner(config(Objective::SetFunction), values, 8, 0);
    for _ in 0..10 {
        let (a, b) = (modpo.advance().unwrap(), subpo.advance().unwrap());
        assert_eq!(a.metrics, b.metrics);
        assert_eq!(modpo.tabular_policy(), subpo.tabular_policy());
    }
}

/// The value of the learnt policy by enumeration.
fn exact_value(learner: &SubPo<Cpu>, problem: &dyn Submodular) -> f64 {
    let shape = (problem.horizon(), problem.moves().places(), problem.moves().actions());
    let logits = learner.tabular_policy().unwrap().logits().to_vec();
    expected_value(problem, &softmax(&Array3::from_shape_vec(shape, logits).unwrap())).unwrap()
}

/// Mean return of one episode on each of 100 copies.
fn mean_return<E: Environment>(learner: &SubPo<Cpu>, environment: E, mode: Mode) -> f64 {
    let mut environment = batch(environment, 100, 77);
    let mut step = BatchedStep::new(&*environment);
    let mut actions = Actions::zeros(environment.action_space(), 100);
    let mut rng = Seed::new(77).stream("policy");
    environment.reset(&mut step.observations).unwrap();
    loop {
        learner.act(&step.observations, mode, &mut rng, &mut actions).unwrap();
        environment.step(&actions, &mut step).unwrap();
        if !step.episodes.is_empty() {
            return step.episodes.iter().map(|episode| episode.total_reward).sum::<f64>() / 100.0;
        }
    }
}

fn trained<E: Environment>(config: Config, environment: E, iterations: usize) -> SubPo<Cpu> {
    let mut learner = learner(config, environment, 10, 0);
    for _ in 0..iterations {
        learner.advance().unwrap();
    }
    learner
}

#[test]
fn looking_ahead_leaves_the_trap_and_the_released_weights_walk_into_it() {
    let trap = Trap::default().build().unwrap();
    for policy in [PolicyForm::Tabular, PolicyForm::Network] {
        let value = |estimator| {
            let learning_rate = if policy == PolicyForm::Tabular { 0.1 } else { 0.01 };
            let config = Config { estimator, policy, learning_rate, trajectories: 1000, ..Config::default() };
            mean_return(&trained(config, trap.clone(), 60), trap.clone(), Mode::Greedy)
        };
        assert_eq!(value(Estimator::Full), 1000.0, "{policy:?}");
        let myopic = value(Estimator::Myopic);
        assert!((1.0..=4.0).contains(&myopic), "{policy:?}: {myopic} is not what lies to the left");
        // A table, which need not generalise, learns what the greedy plan takes: all that lies there.
        let greedy = greedy_plan(&trap).unwrap().value;
        assert!(policy != PolicyForm::Tabular || myopic == greedy, "{myopic} and {greedy}");
    }
}

/// Coverage of 20 weighted elements by 12 states, any of which can follow any.
fn bandit(seed: u64, horizon: usize) -> Exploration<Coverage> {
    let mut rng = Seed::new(seed).stream("bandit");
    let weights = (0..20).map(|_| rng.random_range(0.0..1.0)).collect();
    let regions: Vec<Vec<usize>> = (0..12).map(|_| index::sample(&mut rng, 20, 5).into_vec()).collect();
    let function = Coverage::new(&regions, weights).unwrap();
    Exploration::new(Moves::free(vec![[0.0; 2]; 12]).unwrap(), function, 0, horizon).unwrap()
}

#[test]
fn where_every_place_can_follow_subpo_keeps_up_with_greedy_and_with_the_guarantee() {
    for (seed, horizon) in [(0, 3), (1, 4), (2, 4)] {
        let problem = bandit(seed, horizon);
        let config = Config {
            baseline: Baseline::LeaveOneOut,
            learning_rate: 0.1,
            trajectories: 200,
            ..Config::default()
        };
        let value = exact_value(&trained(tabular(config), problem.clone(), 150), &problem);
        let (_, best) = optimal_set(problem.function(), &[0], horizon, 1_000_000).unwrap();
        let greedy = greedy_plan(&problem).unwrap().value;
        assert!(value >= 0.97 * greedy, "seed {seed}: {value} with greedy {greedy}");
        assert!(value >= (1.0 - (-1f64).exp()) * best, "seed {seed}: {value} of {best}");
        assert!(value <= best + 1e-9);
    }
}

#[test]
fn what_is_learnt_has_one_minus_curvature_of_the_optimum() {
    // Elements of their own beside shared ones keep the curvature below one.
    let mut rng = Seed::new(0).stream("regions");
    let regions: Vec<Vec<usize>> = (0..9).map(|place| vec![place, 9 + rng.random_range(0..3)]).collect();
    let function = Coverage::new(&regions, [vec![1.0; 9], vec![2.0; 3]].concat()).unwrap();
    let c = curvature(&function);
    assert!((c - 2.0 / 3.0).abs() < 1e-12);
    let moves = Moves::grid(3, 3, vec![false; 9]).unwrap();
    let problem = Exploration::new(moves, function, 4, 4).unwrap();
    let config = Config { learning_rate: 0.1, trajectories: 100, ..Config::default() };
    let value = exact_value(&trained(tabular(config), problem.clone(), 150), &problem);
    let best = optimal_plan(&problem, 100_000).unwrap().value;
    assert!(value >= (1.0 - c) * best && value <= best + 1e-9, "{value} of {best}");
    assert!(value >= 0.9 * best, "{value} of {best}");
}

#[test]
fn gains_cover_more_than_single_values() {
    let grid = GridCoverage { rows: 8, columns: 8, start: 9, horizon: 12, ..GridCoverage::default() };
    let problem = grid.build().unwrap();
    let value = |objective| {
        let config = Config {
            objective,
            baseline: Baseline::LeaveOneOut,
            learning_rate: 0.1,
            trajectories: 100,
            ..Config::default()
        };
        let learner = trained(tabular(config), problem.clone(), 100);
        mean_return(&learner, problem.clone(), Mode::Sample)
    };
    let (subpo, modpo) = (value(Objective::SetFunction), value(Objective::Modular));
    assert!(subpo > 1.5 * modpo, "{subpo} and {modpo}");
}

#[test]
fn with_unreliable_moves_a_policy_that_sees_the_history_approaches_what_no_markovian_one_exceeds() {
    let environment = small_grid(0.4);
    let best = optimal_value(&environment);
    let config = || Config {
        baseline: Baseline::LeaveOneOut,
        learning_rate: 0.02,
        trajectories: 200,
        ..Config::default()
    };
    let observing = environment.clone().observing(Observation::History);
    let mut learner = learner(config(), observing, 20, 0);
    let mut last = Vec::new();
    for iteration in 0..200 {
        let report = learner.advance().unwrap();
        if iteration >= 150 {
            last.extend(report.episodes.iter().map(|episode| episode.total_reward));
        }
    }
    let value = last.iter().sum::<f64>() / last.len() as f64;
    assert!(value > 0.95 * best && value < 1.02 * best, "{value} of {best}");
    let markovian = trained(tabular(config()), environment.clone(), 50);
    assert!(exact_value(&markovian, &environment) <= best);
}

#[test]
fn a_tabular_policy_refuses_a_history_and_any_learner_an_environment_without_a_set_function() {
    let history = small_grid(0.0).observing(Observation::History);
    let refused =
        SubPo::new(tabular(Config::default()), batch(history, 10, 0), Seed::new(0), Cpu::open().unwrap());
    assert!(matches!(refused.err().unwrap(), Error::Unsupported { algorithm: "subpo", .. }));
    let config = Config { trajectories: 15, ..Config::default() };
    let refused = SubPo::new(config, batch(small_grid(0.0), 10, 0), Seed::new(0), Cpu::open().unwrap());
    assert!(refused.err().unwrap().to_string().contains("divides its 15 trajectories"));
    let cart_pole = assay_environments::catalogue::make("CartPole-v1", &toml::Table::new(), 1, Seed::new(0));
    let refused =
        catalogue::make("subpo", &toml::Table::new(), cart_pole.unwrap(), Seed::new(0), DeviceKind::Cpu);
    assert!(refused.err().unwrap().to_string().contains("a set function"));
}

fn saved(learner: &SubPo<Cpu>) -> Vec<u8> {
    let mut checkpoint = Checkpoint::new();
    learner.save(&mut checkpoint).unwrap();
    checkpoint.to_bytes("subpo").unwrap()
}

#[test]
fn saved_loaded_and_continued_is_the_uninterrupted_run_to_the_last_byte() {
    let forms = [
        (PolicyForm::Tabular, Observation::Place),
        (PolicyForm::Network, Observation::Place),
        (PolicyForm::Network, Observation::History),
    ];
    for (policy, observation) in forms {
        let config = Config { policy, trajectories: 20, entropy_weight: 0.1, ..Config::default() };
        let build = || learner(config.clone(), small_grid(0.2).observing(observation), 5, 9);
        let mut whole = build();
        let mut first = build();
        for _ in 0..3 {
            whole.advance().unwrap();
            first.advance().unwrap();
        }
        let bytes = saved(&first);
        assert_eq!(bytes, saved(&whole), "the same seed gives the same bytes");
        let mut second = build();
        second.load(&Checkpoint::from_bytes(&bytes, "subpo").unwrap()).unwrap();
        for _ in 0..3 {
            assert_eq!(whole.advance().unwrap(), second.advance().unwrap());
        }
        assert_eq!(saved(&whole), saved(&second));
    }
}
