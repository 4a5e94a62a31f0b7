//! What the MDPO paper's mathematics promises, checked on problems where everything is known
//! (Tomar et al., 2022, arXiv 2005.09814).

use assay_algorithms::{
    Checkpoint, Error, Learner, Mode,
    catalogue::{self, Configuration, DeviceKind},
    mdpo::{
        Divergence, StepSize,
        tabular::{Config, Objective, TabularMdpo, Update},
    },
};
use assay_environments::{
    Actions, Space,
    random::Seed,
    tabular::{FiniteMdp, FrozenLake, Garnet, GridWorld, RiverSwim},
};
use assay_theory::{
    evaluation::evaluate,
    gradient::{natural_gradient, policy_gradient},
    occupancy::state_occupancy,
    planning::policy_iteration,
    policy::{greedy, softmax, uniform},
};
use ndarray::{Array2, ArrayRef2};
use rand::Rng;

const DISCOUNT: f64 = 0.9;
const DIVERGENCES: [Divergence; 5] = [
    Divergence::ReverseKl,
    Divergence::ForwardKl,
    Divergence::Tsallis { q: 1.2 },
    Divergence::Tsallis { q: 1.5 },
    Divergence::Tsallis { q: 2.0 },
];

/// Dense random problems of 5 states and 3 actions with rewards in [0, 1].
fn problems(count: u64) -> impl Iterator<Item = FiniteMdp> {
    (0..count).map(|seed| Garnet { states: 5, actions: 3, branching: 5, seed }.build().unwrap())
}

fn learner(mdp: &FiniteMdp, divergence: Divergence, step_size: f64, update: Update) -> TabularMdpo {
    let step_size = StepSize::Constant { value: step_size };
    let config = Config { discount: DISCOUNT, divergence, step_size, update, ..Config::default() };
    TabularMdpo::new(config, mdp.clone()).unwrap()
}

fn advance(learner: &mut TabularMdpo, iterations: usize) {
    for _ in 0..iterations {
        learner.advance().unwrap();
    }
}

fn largest_gap(a: &ArrayRef2<f64>, b: &ArrayRef2<f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The objective of a random policy, and the policy's logits.
fn random_objective(mdp: &FiniteMdp, divergence: Divergence, t: f64, seed: u64) -> (Objective, Array2<f64>) {
    let mut rng = Seed::new(seed).stream("logits");
    let shape = (mdp.states(), mdp.actions());
    let logits = Array2::from_shape_simple_fn(shape, || rng.random_range(-1.0..1.0));
    let old = softmax(&logits);
    let objective = Objective {
        occupancy: state_occupancy(mdp, &old, DISCOUNT).unwrap(),
        advantages: evaluate(mdp, &old, DISCOUNT).unwrap().advantages,
        old,
        divergence,
        step_size: t,
    };
    (objective, logits)
}

/// The exact maximiser of an objective.
fn maximiser(objective: &Objective) -> Array2<f64> {
    let mut new = objective.old.clone();
    for (state, mut row) in new.rows_mut().into_iter().enumerate() {
        let log_old = row.mapv(f64::ln).to_vec();
        let mut log_new = log_old.clone();
        let advantages = objective.advantages.row(state).to_vec();
        objective.divergence.mirror_step(&log_old, &advantages, objective.step_size, &mut log_new);
        row.iter_mut().zip(log_new).for_each(|(p, l)| *p = l.exp());
    }
    new
}

/// From the uniform policy with rewards in [0, 1] and a constant step size t,
/// V* − V_K ≤ B(π*, π₀)/(t (1 − γ) K) + 1/((1 − γ)² K), where B(π*, π₀) = log |A| for the reverse KL
/// divergence (Agarwal et al., 2021, arXiv 1908.00261, Theorem 5.3); the proof holds for every
/// Bregman divergence.
#[test]
fn values_rise_in_every_state_and_stay_within_the_convergence_bound() {
    for mdp in problems(50) {
        for divergence in DIVERGENCES {
            let distance = divergence.between(&[1.0, 0.0, 0.0], &[1.0 / 3.0; 3]);
            for t in [0.1, 1.0, 10.0] {
                let mut learner = learner(&mdp, divergence, t, Update::Exact);
                let mut values = learner.evaluation().values.clone();
                for k in 1..=200 {
                    learner.advance().unwrap();
                    let risen = &learner.evaluation().values - &values;
                    assert!(risen.iter().all(|rise| *rise > -1e-11), "{divergence:?}, t = {t}, k = {k}");
                    values.assign(&learner.evaluation().values);
                    // Forward KL is no Bregman divergence in its second argument.
                    if divergence != Divergence::ForwardKl {
                        let left = 1.0 - DISCOUNT;
                        let bound = (distance / (t * left) + 1.0 / (left * left)) / f64::from(k);
                        assert!(learner.optimality_gap() <= bound, "{divergence:?}, t = {t}, k = {k}");
                    }
                }
            }
        }
    }
}

#[test]
fn larger_steps_converge_faster() {
    for mdp in problems(50) {
        let gaps = [0.01, 0.1, 1.0, 10.0].map(|t| {
            let mut learner = learner(&mdp, Divergence::ReverseKl, t, Update::Exact);
            advance(&mut learner, 20);
            learner.optimality_gap()
        });
        assert!(gaps.is_sorted_by(|a, b| *a >= b - 1e-11), "{gaps:?}");
    }
}

/// An endless step forgets the old policy, where the divergence from it is bounded. (KL to a policy
/// that is nearly deterministic is not: after the first step the logits add up.)
#[test]
fn endless_steps_are_policy_iteration() {
    for mdp in problems(50) {
        let mut euclidean = learner(&mdp, Divergence::Tsallis { q: 2.0 }, 1e9, Update::Exact);
        let mut reverse = learner(&mdp, Divergence::ReverseKl, 1e9, Update::Exact);
        let mut policy = uniform(mdp.states(), mdp.actions());
        for k in 0..6 {
            policy = greedy(&evaluate(&mdp, &policy, DISCOUNT).unwrap().action_values);
            advance(&mut euclidean, 1);
            assert!(largest_gap(&euclidean.policy(), &policy) < 1e-6);
            if k == 0 {
                advance(&mut reverse, 1);
                assert!(largest_gap(&reverse.policy(), &policy) < 1e-6);
            }
        }
        assert_eq!(policy, policy_iteration(&mdp, DISCOUNT).unwrap().policy);
    }
}

#[test]
fn every_divergence_finds_the_optimum() {
    for mdp in problems(20) {
        for divergence in DIVERGENCES {
            let mut learner = learner(&mdp, divergence, 10.0, Update::Exact);
            advance(&mut learner, 1000);
            // The others leave a bad action at a geometric rate or at once; under forward KL its
            // probability falls like 1/k only.
            let allowed = if divergence == Divergence::ForwardKl { 0.05 } else { 1e-6 };
            assert!(learner.optimality_gap() < allowed, "{divergence:?}: {}", learner.optimality_gap());
        }
    }
}

/// The reverse KL step moves the logits by t (1 − γ) F⁺ ∇J, up to a constant in each state.
#[test]
fn the_reverse_kl_step_is_natural_policy_gradient() {
    for mdp in problems(100) {
        let t = 0.7;
        let mut learner = learner(&mdp, Divergence::ReverseKl, t, Update::Exact);
        for _ in 0..5 {
            let logits = learner.policy().ln();
            let natural = natural_gradient(&mdp, &logits, DISCOUNT).unwrap();
            let expected = softmax(&(logits + natural * (t * (1.0 - DISCOUNT))));
            learner.advance().unwrap();
            assert!(largest_gap(&learner.policy(), &expected) < 1e-12);
        }
    }
}

/// At πₖ the divergence has no slope, so that MDPO with m = 1 is vanilla policy gradient. The
/// occupancy of the objective is normalised, hence the factor 1 − γ.
#[test]
fn at_the_old_policy_the_gradient_of_the_objective_is_the_policy_gradient() {
    for (mdp, seed) in problems(100).zip(0..) {
        for divergence in DIVERGENCES {
            let (objective, logits) = random_objective(&mdp, divergence, 0.5, seed);
            let expected = policy_gradient(&mdp, &logits, DISCOUNT).unwrap() * (1.0 - DISCOUNT);
            assert!(largest_gap(&objective.gradient(&logits), &expected) < 1e-13, "{divergence:?}");
        }
    }
}

#[test]
fn away_from_the_old_policy_the_gradient_is_that_of_finite_differences() {
    for (mdp, seed) in problems(50).zip(0..) {
        for divergence in DIVERGENCES {
            let (objective, _) = random_objective(&mdp, divergence, 0.5, seed);
            let (_, logits) = random_objective(&mdp, divergence, 0.5, seed + 1000);
            let value = |index, shift| {
                let mut moved = logits.clone();
                moved[index] += shift;
                objective.value(&moved)
            };
            let width = 1e-5;
            for (index, exact) in objective.gradient(&logits).indexed_iter() {
                let difference = (value(index, width) - value(index, -width)) / (2.0 * width);
                assert!((exact - difference).abs() < 1e-8, "{divergence:?}: {exact} and {difference}");
            }
        }
    }
}

/// With the reverse KL divergence, Ψ is −E_ρ KL(π, target)/t up to a constant: climbing the one is
/// descending the other.
#[test]
fn inner_gradient_steps_climb_to_the_exact_step_monotonically() {
    for (mdp, seed) in problems(20).zip(0..) {
        for divergence in DIVERGENCES {
            let (objective, mut logits) = random_objective(&mdp, divergence, 1.0, seed);
            let target = maximiser(&objective);
            let distance = |logits: &Array2<f64>| -> f64 {
                let new = softmax(logits);
                let rows = new.rows().into_iter().zip(target.rows()).zip(&objective.occupancy);
                let kl = |p: Vec<f64>, q: Vec<f64>| Divergence::ReverseKl.between(&p, &q);
                rows.map(|((new, target), rho)| rho * kl(new.to_vec(), target.to_vec())).sum()
            };
            let (first_value, first_distance) = (objective.value(&logits), distance(&logits));
            let (mut last_value, mut last_distance) = (first_value, first_distance);
            for _ in 0..3000 {
                let gradient = objective.gradient(&logits);
                logits.scaled_add(0.5, &gradient);
                let value = objective.value(&logits);
                assert!(value >= last_value - 1e-15, "{divergence:?}");
                last_value = value;
                if divergence == Divergence::ReverseKl {
                    let distance = distance(&logits);
                    assert!(distance <= last_distance + 1e-15);
                    assert!((value - first_value - (first_distance - distance)).abs() < 1e-13);
                    last_distance = distance;
                }
            }
            assert!(last_value <= objective.value(&target.ln()) + 1e-13, "{divergence:?}");
            if divergence == Divergence::ReverseKl {
                assert!(last_distance < 1e-4 * first_distance, "{last_distance} of {first_distance}");
            }
        }
    }
}

#[test]
fn more_inner_steps_come_nearer_to_the_exact_step() {
    for mdp in problems(20) {
        let mut exact = learner(&mdp, Divergence::ReverseKl, 1.0, Update::Exact);
        exact.advance().unwrap();
        let gaps = [1, 10, 50, 5000].map(|steps| {
            let update = Update::Gradient { steps, learning_rate: 0.5 };
            let mut inexact = learner(&mdp, Divergence::ReverseKl, 1.0, update);
            inexact.advance().unwrap();
            largest_gap(&inexact.policy(), &exact.policy())
        });
        assert!(gaps.is_sorted_by(|a, b| a > b) && gaps[3] < 1e-9, "{gaps:?}");
    }
}

/// πₖ₊₁ = πₖ/(t (x − A)) with one x above the largest advantage for each state.
#[test]
fn the_forward_kl_step_has_one_multiplier_per_state() {
    for (mdp, seed) in problems(100).zip(0..) {
        for t in [0.01, 1.0, 50.0] {
            let (objective, _) = random_objective(&mdp, Divergence::ForwardKl, t, seed);
            let new = maximiser(&objective);
            let x = &objective.advantages + &(&objective.old / &(&new * t));
            for ((x, advantages), new) in
                x.rows().into_iter().zip(objective.advantages.rows()).zip(new.rows())
            {
                let largest = advantages.fold(f64::NEG_INFINITY, |m, &a| m.max(a));
                assert!(x.iter().all(|x_a| (x_a - x[0]).abs() < 1e-9 * (1.0 + x[0].abs()) && *x_a > largest));
                assert!((new.sum() - 1.0).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn the_two_kl_orders_take_steps_that_differ_by_the_square_of_the_step_size() {
    for (mdp, seed) in problems(100).zip(0..) {
        let gap = |t| {
            let step = |divergence| maximiser(&random_objective(&mdp, divergence, t, seed).0);
            largest_gap(&step(Divergence::ReverseKl), &step(Divergence::ForwardKl))
        };
        let scaled = [0.004, 0.001].map(|t| gap(t) / (t * t));
        assert!((scaled[0] / scaled[1] - 1.0).abs() < 0.05, "{scaled:?}");
        assert!(gap(0.01) < 1e-4 && gap(5.0) > 100.0 * gap(0.05));
    }
}

#[test]
fn an_annealed_step_size_follows_its_schedule() {
    let mdp = GridWorld::default().build().unwrap();
    let config = Config { step_size: StepSize::PAPER, iterations: 4, ..Config::default() };
    let mut learner = TabularMdpo::new(config, mdp).unwrap();
    for expected in [1.25, 1.0, 0.75, 0.5, 0.25, 0.01] {
        let report = learner.advance().unwrap();
        assert_eq!(report.metrics[3], ("step_size", expected));
    }
}

#[test]
fn a_saved_learner_continues_with_the_same_bits() {
    let mdp = FrozenLake::default().build().unwrap();
    for (divergence, update) in [
        (Divergence::ReverseKl, Update::Exact),
        (Divergence::Tsallis { q: 1.5 }, Update::Exact),
        (Divergence::ForwardKl, Update::Gradient { steps: 3, learning_rate: 0.5 }),
    ] {
        let mut uninterrupted = learner(&mdp, divergence, 0.5, update);
        advance(&mut uninterrupted, 7);
        let mut checkpoint = Checkpoint::new();
        uninterrupted.save(&mut checkpoint).unwrap();
        let bytes = checkpoint.to_bytes("mdpo-tabular").unwrap();

        let mut restored = learner(&mdp, divergence, 0.5, update);
        restored.load(&Checkpoint::from_bytes(&bytes, "mdpo-tabular").unwrap()).unwrap();
        assert_eq!(restored.steps(), 7 * 16 * 4);
        for _ in 0..7 {
            assert_eq!(restored.advance().unwrap(), uninterrupted.advance().unwrap());
            assert_eq!(restored.policy(), uninterrupted.policy());
        }
    }
}

#[test]
fn a_checkpoint_of_another_problem_is_an_error() {
    let lake = FrozenLake::default().build().unwrap();
    let grid = GridWorld::default().build().unwrap();
    let mut checkpoint = Checkpoint::new();
    learner(&lake, Divergence::ReverseKl, 0.5, Update::Exact).save(&mut checkpoint).unwrap();
    let error = learner(&grid, Divergence::ReverseKl, 0.5, Update::Exact).load(&checkpoint).unwrap_err();
    assert!(error.to_string().contains("(16, 4)"), "{error}");
}

#[test]
fn it_is_made_by_name_and_acts_on_one_hot_observations() {
    let environment =
        |name: &str| assay_environments::catalogue::make(name, &toml::Table::new(), 2, Seed::new(0)).unwrap();
    let make = |given: &str, environment| {
        catalogue::make("mdpo-tabular", &given.parse().unwrap(), environment, Seed::new(0), DeviceKind::Cpu)
    };
    let given = "step_size = { constant = { value = 1e3 } }\ndivergence = { tsallis = { q = 2.0 } }";
    let mut learner = make(given, environment("GridWorld")).unwrap();
    for _ in 0..30 {
        learner.advance().unwrap();
    }
    // Left of the goal the best action is right; in the first column it is up.
    let mut observations = vec![0.0; 2 * 11];
    (observations[2], observations[11 + 4]) = (1.0, 1.0);
    for mode in [Mode::Greedy, Mode::Sample] {
        let mut actions = Actions::zeros(&Space::discrete(4), 2);
        learner.act(&observations, mode, &mut Seed::new(0).stream("act"), &mut actions).unwrap();
        assert_eq!(actions, Actions::Discrete(vec![1, 0]));
    }

    let message = |result: Result<Box<dyn Learner>, Error>| result.err().unwrap().to_string();
    let unsupported = message(make("", environment("CartPole-v1")));
    assert!(unsupported.contains("needs an environment with exact tables"), "{unsupported}");
    let horizon = message(make("", environment("LayeredRandom")));
    assert!(horizon.contains("a horizon of 3 steps"), "{horizon}");
    assert!(message(make("discount = 1.0", environment("GridWorld"))).contains("`discount` is 1"));
    let order = message(make("divergence = { tsallis = { q = 3.0 } }", environment("GridWorld")));
    assert!(order.contains("`divergence.q` is 3"), "{order}");
}

#[test]
fn settings_out_of_range_are_errors_that_name_the_field() {
    let message = |config: Config| config.validate().unwrap_err().to_string();
    let update = |steps, learning_rate| {
        let update = Update::Gradient { steps, learning_rate };
        Config { update, ..Config::default() }
    };
    assert!(message(update(0, 1.0)).contains("`update.steps` is 0"));
    assert!(message(update(1, f64::NAN)).contains("`update.learning_rate` is NaN"));
    assert!(message(Config { iterations: 0, ..Config::default() }).contains("`iterations` is 0"));
    let step_size = StepSize::Constant { value: -1.0 };
    assert!(message(Config { step_size, ..Config::default() }).contains("`step_size.value` is -1"));
    Config::default().validate().unwrap();
}

#[test]
fn a_step_that_overflows_is_an_error() {
    let mdp = RiverSwim::default().build().unwrap();
    let mut learner = learner(&mdp, Divergence::ReverseKl, f64::MAX, Update::Exact);
    let error = (0..5).find_map(|_| learner.advance().err());
    assert!(matches!(error, Some(Error::NonFinite { .. })), "{error:?}");
}
