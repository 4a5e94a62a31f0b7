//! Problems with a horizon: backward recursions against the unrolled problem without one, against
//! each other and against sampled episodes.

use crate::problems::{largest_gap, random_horizon_problems};
use assay_environments::{Action, Environment, random::Seed, tabular::LayeredRandom};
use assay_theory::{
    evaluation::{evaluate, evaluate_horizon},
    gradient::horizon_policy_gradient,
    occupancy::{horizon_state_action_occupancy, horizon_state_occupancy},
    planning::{backward_induction, policy_iteration},
    policy::softmax,
    regret::horizon_optimality_gap,
    regularised,
};
use ndarray::{Array2, Array3, Axis, s};
use rand::Rng;

const PROBLEMS: u64 = 1000;

/// A policy on states of the unrolled problem, whose last state is the end.
fn unrolled(policy: &Array3<f64>) -> Array2<f64> {
    let (horizon, states, actions) = policy.dim();
    let mut flat = Array2::from_elem((horizon * states + 1, actions), 1.0 / actions as f64);
    let rows = policy.to_shape((horizon * states, actions)).unwrap();
    flat.slice_mut(s![..horizon * states, ..]).assign(&rows);
    flat
}

#[test]
fn backward_evaluation_is_a_linear_solve_of_the_unrolled_problem() {
    for mut problem in random_horizon_problems(PROBLEMS) {
        let policy = problem.staged_policy();
        let (mdp, discount) = (&problem.mdp, problem.discount);
        let backward = evaluate_horizon(mdp, &policy, discount).unwrap();
        let flat = evaluate(&mdp.unrolled().unwrap(), &unrolled(&policy), discount).unwrap();
        let values = backward.values.iter().take(flat.values.len());
        assert!(values.zip(&flat.values).all(|(a, b)| (a - b).abs() < 1e-12));
        let pairs = backward.advantages.iter().zip(&flat.advantages);
        assert!(pairs.clone().count() >= backward.advantages.len());
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-12));
    }
}

#[test]
fn backward_induction_is_policy_iteration_on_the_unrolled_problem() {
    for mut problem in random_horizon_problems(PROBLEMS) {
        let policy = problem.staged_policy();
        let (mdp, discount) = (&problem.mdp, problem.discount);
        let backward = backward_induction(mdp, discount).unwrap();
        let flat = policy_iteration(&mdp.unrolled().unwrap(), discount).unwrap();
        assert!(backward.values.iter().zip(&flat.values).all(|(a, b)| (a - b).abs() < 1e-12));
        let reached = evaluate_horizon(mdp, &backward.policy, discount).unwrap();
        assert!(largest_gap(&reached.values, &backward.values) < 1e-12);
        assert!(horizon_optimality_gap(mdp, &policy, discount).unwrap() > -1e-12);
    }
}

#[test]
fn occupancies_are_distributions_whose_inner_product_with_the_rewards_is_the_return() {
    for mut problem in random_horizon_problems(PROBLEMS) {
        let policy = problem.staged_policy();
        let (mdp, discount) = (&problem.mdp, problem.discount);
        let pairs = horizon_state_action_occupancy(mdp, &policy).unwrap();
        let states = horizon_state_occupancy(mdp, &policy).unwrap();
        assert!(states.sum_axis(Axis(1)).iter().all(|mass| (mass - 1.0).abs() < 1e-12));
        assert!(largest_gap(&pairs.sum_axis(Axis(2)), &states) < 1e-14);
        let rewards = |step| (&pairs.index_axis(Axis(0), step) * &mdp.rewards(step)).sum();
        let expected: f64 = (0..policy.dim().0).map(|step| discount.powi(step as i32) * rewards(step)).sum();
        let value = evaluate_horizon(mdp, &policy, discount).unwrap().expected_return(mdp);
        assert!((value - expected).abs() < 1e-12);
    }
}

#[test]
fn the_policy_gradient_is_that_of_finite_differences() {
    for mut problem in random_horizon_problems(PROBLEMS) {
        let logits = problem.logits();
        let (mdp, discount) = (&problem.mdp, problem.discount);
        let gradient = horizon_policy_gradient(mdp, &logits, discount).unwrap();
        let horizon = mdp.horizon().unwrap();
        let value = |index, shift| {
            let mut moved = logits.clone();
            moved[index] += shift;
            let policy = softmax(&moved);
            // A stationary policy is used at every step through a broadcast view.
            let staged = policy.broadcast((horizon, mdp.states(), mdp.actions())).unwrap();
            evaluate_horizon(mdp, &staged, discount).unwrap().expected_return(mdp)
        };
        let width = 1e-4;
        for (index, exact) in gradient.indexed_iter() {
            let difference = (value(index, width) - value(index, -width)) / (2.0 * width);
            assert!((exact - difference).abs() < 1e-7, "{exact} and {difference}");
        }
    }
}

#[test]
fn soft_backward_induction_is_its_own_evaluation_and_tends_to_the_hard_one() {
    for mut problem in random_horizon_problems(PROBLEMS) {
        let other = problem.staged_policy();
        let (mdp, discount) = (&problem.mdp, problem.discount);
        let hard = backward_induction(mdp, discount).unwrap();
        for temperature in [1.0, 1e-3] {
            let soft = regularised::backward_induction(mdp, discount, temperature).unwrap();
            let reached = regularised::evaluate_horizon(mdp, &soft.policy, discount, temperature).unwrap();
            assert!(largest_gap(&reached.values, &soft.values) < 1e-12);
            let other = regularised::evaluate_horizon(mdp, &other, discount, temperature).unwrap();
            assert!((&soft.values - &other.values).iter().all(|gap| *gap > -1e-12));
            let most = temperature * (mdp.actions() as f64).ln() * mdp.horizon().unwrap() as f64;
            let gaps = &soft.values - &hard.values;
            assert!(gaps.iter().all(|gap| (-1e-12..=most + 1e-12).contains(gap)));
        }
    }
}

#[test]
fn sampled_episodes_return_on_average_what_evaluation_says() {
    let mut mdp = LayeredRandom { states: 4, horizon: 6, ..LayeredRandom::default() }.build().unwrap();
    let mut rng = Seed::new(5).stream("sampling");
    let logits = Array2::from_shape_simple_fn((4, 3), || rng.random_range(-1.0..1.0));
    let policy = softmax(&logits);
    let staged = policy.broadcast((6, 4, 3)).unwrap();
    let expected = evaluate_horizon(&mdp, &staged, 1.0).unwrap().expected_return(&mdp);
    let episodes = 20_000;
    let (mut sum, mut squares) = (0.0, 0.0);
    for _ in 0..episodes {
        mdp.reset(&mut rng, &mut [0.0]).unwrap();
        let mut total = 0.0;
        loop {
            let mut left: f64 = rng.random();
            let row = policy.row(mdp.state());
            let chosen = row.iter().position(|p| {
                left -= p;
                left < 0.0
            });
            let action = Action::Discrete(chosen.unwrap_or(2));
            let outcome = mdp.step(action, &mut rng, &mut [0.0]).unwrap();
            total += outcome.reward;
            if outcome.done() {
                break;
            }
        }
        sum += total;
        squares += total * total;
    }
    let mean = sum / f64::from(episodes);
    let deviation = ((squares / f64::from(episodes) - mean * mean) / f64::from(episodes)).sqrt();
    assert!((mean - expected).abs() < 5.0 * deviation, "{mean} ± {deviation} and {expected}");
}
