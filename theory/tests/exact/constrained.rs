//! Linear programs over occupancies against backward induction, duality and extended value iteration.

use crate::problems::random_horizon_problems;
use assay_environments::tabular::FiniteMdp;
use assay_theory::{
    constrained::{ConstrainedOptimum, Constraint, Transitions, constrained_optimum, optimistic_optimum},
    occupancy::horizon_state_action_occupancy,
    planning::backward_induction,
};
use ndarray::{Array3, Array4, ArrayRef4, Axis, s};
use rand::Rng;

const PROBLEMS: u64 = 200;
/// What the solver's own tolerance of 1e-7 leaves.
const TOLERANCE: f64 = 1e-6;

fn rewards(mdp: &FiniteMdp) -> Array3<f64> {
    let shape = (mdp.horizon().unwrap(), mdp.states(), mdp.actions());
    Array3::from_shape_fn(shape, |(h, s, a)| mdp.reward(h, s, a))
}

/// The best value without constraints: backward induction over transitions P and rewards, each P in
/// a box of these widths around the estimate.
fn best(transitions: &Transitions, widths: &ArrayRef4<f64>, rewards: &Array3<f64>) -> f64 {
    let (horizon, states, actions) = rewards.dim();
    let mut values = vec![0.0; states];
    for step in (0..horizon).rev() {
        let mut order: Vec<usize> = (0..states).collect();
        order.sort_by(|a, b| f64::total_cmp(&values[*b], &values[*a]));
        let q = |state: usize, action: usize| {
            // As little as allowed everywhere, and what is left to the best states first.
            let p = transitions.probabilities.slice(s![step, state, action, ..]);
            let width = widths.slice(s![step, state, action, ..]);
            let least = |next: usize| f64::max(p[next] - width[next], 0.0);
            let mut left = 1.0 - (0..states).map(least).sum::<f64>();
            let mut q = rewards[[step, state, action]];
            for &next in &order {
                let more = f64::min(left, f64::min(p[next] + width[next], 1.0) - least(next));
                left -= more;
                q += (least(next) + more) * values[next];
            }
            q
        };
        values = (0..states).map(|s| (0..actions).map(|a| q(s, a)).fold(f64::MIN, f64::max)).collect();
    }
    transitions.initial.iter().zip(&values).map(|(p, v)| p * v).sum()
}

fn sum(occupancy: &Array3<f64>, utilities: &Array3<f64>) -> f64 {
    (occupancy * utilities).sum()
}

/// A problem with utilities of its own, and a level that some policy reaches but the best one may not.
fn constrained_problems() -> impl Iterator<Item = (FiniteMdp, Transitions, Constraint)> {
    random_horizon_problems(PROBLEMS).map(|mut problem| {
        let mdp = problem.mdp.clone();
        let transitions = Transitions::of(&mdp).unwrap();
        let utilities = rewards(&mdp).map(|_| problem.rng.random_range(-1.0..1.0));
        let none = Array4::zeros(transitions.probabilities.dim());
        let most = best(&transitions, &none, &utilities);
        let least = -best(&transitions, &none, &-&utilities);
        let at_least = least + problem.rng.random_range(0.0..0.98) * (most - least);
        (mdp, transitions, Constraint { utilities, at_least })
    })
}

#[test]
fn without_constraints_a_program_is_backward_induction() {
    for problem in random_horizon_problems(PROBLEMS) {
        let transitions = Transitions::of(&problem.mdp).unwrap();
        let optimum = constrained_optimum(&transitions, &rewards(&problem.mdp), &[]).unwrap().unwrap();
        let expected = backward_induction(&problem.mdp, 1.0).unwrap().expected_return(&problem.mdp);
        assert!((optimum.value - expected).abs() < TOLERANCE);
    }
}

#[test]
fn the_policy_keeps_its_constraint_and_is_worth_what_the_program_says() {
    for (mdp, transitions, constraint) in constrained_problems() {
        let optimum =
            constrained_optimum(&transitions, &rewards(&mdp), std::slice::from_ref(&constraint)).unwrap();
        let optimum: ConstrainedOptimum = optimum.unwrap();
        let uniform = Array3::from_elem(optimum.occupancy.dim(), 1.0 / mdp.actions() as f64);
        let policy = optimum.policy(&uniform).unwrap();
        let occupancy = horizon_state_action_occupancy(&mdp, &policy).unwrap();
        assert!(sum(&occupancy, &constraint.utilities) > constraint.at_least - 1e-4);
        assert!((sum(&occupancy, &rewards(&mdp)) - optimum.value).abs() < 1e-4);
    }
}

/// The smallest Lagrangian max_π V_r + λ (V_u − level) over λ ≥ 0 is the program's value; the
/// Lagrangian is convex in λ, so a search by thirds finds it.
#[test]
fn the_program_has_no_duality_gap() {
    for (mdp, transitions, constraint) in constrained_problems() {
        let optimum =
            constrained_optimum(&transitions, &rewards(&mdp), std::slice::from_ref(&constraint)).unwrap();
        let none = Array4::zeros(transitions.probabilities.dim());
        let lagrangian = |multiplier: f64| {
            let total = rewards(&mdp) + multiplier * &constraint.utilities;
            best(&transitions, &none, &total) - multiplier * constraint.at_least
        };
        let (mut low, mut high) = (0.0, 1e3);
        for _ in 0..120 {
            let third = (high - low) / 3.0;
            if lagrangian(low + third) < lagrangian(high - third) { high -= third } else { low += third }
        }
        assert!((lagrangian(low) - optimum.unwrap().value).abs() < 1e-5);
    }
}

#[test]
fn a_level_that_no_policy_reaches_leaves_nothing() {
    for (mdp, transitions, mut constraint) in constrained_problems().take(20) {
        constraint.at_least = mdp.horizon().unwrap() as f64 + 0.1;
        assert_eq!(constrained_optimum(&transitions, &rewards(&mdp), &[constraint]).unwrap(), None);
    }
}

#[test]
fn the_extended_program_without_constraints_is_extended_value_iteration() {
    for mut problem in random_horizon_problems(PROBLEMS) {
        let transitions = Transitions::of(&problem.mdp).unwrap();
        let widths = transitions.probabilities.map(|_| problem.rng.random_range(0.0..0.5f64).powi(2));
        let rewards = rewards(&problem.mdp);
        let optimum = optimistic_optimum(&transitions, &widths, &rewards, &[]).unwrap().unwrap();
        assert!((optimum.value - best(&transitions, &widths, &rewards)).abs() < TOLERANCE);
        let mass = optimum.occupancy.sum_axis(Axis(2)).sum_axis(Axis(1));
        assert!(mass.iter().all(|mass| (mass - 1.0).abs() < TOLERANCE));
    }
}

#[test]
fn the_extended_program_in_a_box_without_width_is_the_ordinary_one() {
    for (mdp, transitions, constraint) in constrained_problems() {
        let (rewards, constraints) = (rewards(&mdp), [constraint]);
        let none = Array4::zeros(transitions.probabilities.dim());
        let ordinary = constrained_optimum(&transitions, &rewards, &constraints).unwrap().unwrap();
        let extended = optimistic_optimum(&transitions, &none, &rewards, &constraints).unwrap().unwrap();
        assert!((ordinary.value - extended.value).abs() < TOLERANCE);
    }
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let (mdp, transitions, constraint) = constrained_problems().find(|(m, ..)| m.states() > 1).unwrap();
    let wrong = Array3::zeros((1, 1, 1));
    let error = constrained_optimum(&transitions, &wrong, &[]).unwrap_err().to_string();
    assert!(error.contains("the rewards have shape [1, 1, 1]"), "{error}");
    let constraint = Constraint { utilities: wrong, ..constraint };
    let error = constrained_optimum(&transitions, &rewards(&mdp), &[constraint]).unwrap_err().to_string();
    assert!(error.contains("the utilities have shape"), "{error}");
    let transitions = Transitions { initial: vec![1.0], ..transitions };
    let error = constrained_optimum(&transitions, &rewards(&mdp), &[]).unwrap_err().to_string();
    assert!(error.contains("the transitions have shape"), "{error}");
}
