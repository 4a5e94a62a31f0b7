//! Robust values against closed forms, against each other, and against trying everything.

use assay_environments::tabular::{
    FiniteMdp, RandomUncertainty, RectangularSet, Transition, UncertaintySet, WindyWalk,
};
use assay_theory::{
    evaluation::evaluate,
    planning::{policy_iteration, value_iteration},
    policy::{deterministic, uniform},
    robust::{robust_evaluation, robust_value_iteration, worst_model},
};
use ndarray::Array2;

const DISCOUNT: f64 = 0.9;

fn rectangular(seed: u64, states: usize, actions: usize, models: usize) -> RectangularSet {
    let problem = RandomUncertainty { states, actions, models, rectangular: true, seed };
    let UncertaintySet::Rectangular(set) = problem.build().unwrap() else { panic!("not rectangular") };
    set
}

/// All ways to choose one of `sizes[i]` things for every i.
fn choices(sizes: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for &size in sizes {
        all = all.iter().flat_map(|c: &Vec<usize>| (0..size).map(|k| [&c[..], &[k]].concat())).collect();
    }
    all
}

#[test]
fn two_states_have_the_values_of_the_closed_form() {
    // From state 0, action 0 brings 1 and stays with probability p, else ends; p is 0.5 or 0.8. Action 1
    // brings 1.5 and ends. The worst p is 0.5, so action 0 is worth 1/(1 − γ/2).
    for discount in [0.0, 0.3, 0.6, 0.9, 0.99] {
        let set = RectangularSet::new(2, 2, &[1.0, 0.0], &[1], |_, action| match action {
            0 => [0.8, 0.5]
                .map(|p| {
                    vec![
                        Transition { probability: p, next: 0, reward: 1.0 },
                        Transition { probability: 1.0 - p, next: 1, reward: 1.0 },
                    ]
                })
                .into(),
            _ => vec![Transition::certain(1, 1.5)],
        })
        .unwrap();
        let optimum = robust_value_iteration(&set, discount, 1e-12).unwrap();
        // A better one of the two in the process that is worst for it; 1.5 + nothing afterwards.
        let stay = 1.0 / (1.0 - discount / 2.0);
        let expected = if stay >= 1.5 { stay } else { 1.5 };
        assert!((optimum.values[0] - expected).abs() < 1e-11, "{discount}: {optimum:?}");
        assert_eq!(optimum.values[1], 0.0);
        let mixed = ndarray::arr2(&[[0.5, 0.5], [0.5, 0.5]]);
        let evaluation = robust_evaluation(&set, &mixed, discount).unwrap();
        // V = ½ (1 + γ V/2) + ½ · 1.5
        assert!((evaluation.values[0] - 1.25 / (1.0 - discount / 4.0)).abs() < 1e-12);
        assert_eq!(evaluation.choice[0], usize::from(discount > 0.0));
    }
}

#[test]
fn one_alternative_everywhere_is_an_ordinary_problem() {
    for seed in 0..100 {
        let set = rectangular(seed, 6, 3, 1);
        let robust = robust_value_iteration(&set, DISCOUNT, 1e-11).unwrap();
        let plain = value_iteration(set.nominal(), DISCOUNT, 1e-11).unwrap();
        assert!((&robust.values - &plain.values).iter().all(|d| d.abs() < 1e-10));
        assert_eq!(robust.policy, plain.policy);
        let policy = uniform(6, 3);
        let worst = robust_evaluation(&set, &policy, DISCOUNT).unwrap();
        let value = evaluate(set.nominal(), &policy, DISCOUNT).unwrap();
        assert!((&worst.values - &value.values).iter().all(|d| d.abs() < 1e-12));
    }
}

#[test]
fn the_robust_value_is_that_of_trying_every_policy_against_every_process() {
    for seed in 0..40 {
        let set = rectangular(seed, 3, 2, 2);
        let models: Vec<FiniteMdp> = choices(&[2; 6]).iter().map(|c| set.model(c).unwrap()).collect();
        let value = |policy: &Array2<f64>| worst_model(&models, policy, DISCOUNT).unwrap().1;
        let policies = choices(&[2; 3]).into_iter().map(|chosen| deterministic(&chosen, 2));
        let max_min = policies.map(|policy| value(&policy)).fold(f64::NEG_INFINITY, f64::max);
        let optima =
            models.iter().map(|model| policy_iteration(model, DISCOUNT).unwrap().expected_return(model));
        let min_max = optima.fold(f64::INFINITY, f64::min);
        let robust = robust_value_iteration(&set, DISCOUNT, 1e-12).unwrap().expected_return(&set);
        assert!((robust - max_min).abs() < 1e-10, "{seed}: {robust}, {max_min}");
        assert!((robust - min_max).abs() < 1e-10, "{seed}: {robust}, {min_max}");
    }
}

#[test]
fn the_worst_process_for_a_policy_is_that_of_trying_all() {
    for seed in 0..100 {
        let set = rectangular(seed, 3, 2, 3);
        let mixed = Array2::from_shape_fn((3, 2), |(s, a)| {
            let p = 0.1 + 0.35 * ((s as u64 + seed) % 3) as f64;
            if a == 0 { p } else { 1.0 - p }
        });
        let models: Vec<FiniteMdp> = choices(&[3; 6]).iter().map(|c| set.model(c).unwrap()).collect();
        let (_, tried) = worst_model(&models, &mixed, DISCOUNT).unwrap();
        let evaluation = robust_evaluation(&set, &mixed, DISCOUNT).unwrap();
        assert!((evaluation.expected_return(&set) - tried).abs() < 1e-11, "{seed}");
        let model = set.model(&evaluation.choice).unwrap();
        let again = evaluate(&model, &mixed, DISCOUNT).unwrap().expected_return(&model);
        assert!((again - tried).abs() < 1e-11, "{seed}");
    }
}

#[test]
fn on_1000_random_sets_optimum_and_evaluation_agree_and_no_process_is_worse_or_policy_better() {
    for seed in 0..1000 {
        let set = rectangular(seed, 5, 3, 4);
        let optimum = robust_value_iteration(&set, DISCOUNT, 1e-11).unwrap();
        let evaluation = robust_evaluation(&set, &optimum.policy, DISCOUNT).unwrap();
        // The robust policy is worth V against its worst process,
        assert!((&evaluation.values - &optimum.values).iter().all(|d| d.abs() < 1e-9), "{seed}");
        // V is the optimum of the process that is worst against it,
        let saddle = set.model(&optimum.choice).unwrap();
        let best = policy_iteration(&saddle, DISCOUNT).unwrap();
        assert!((&best.values - &optimum.values).iter().all(|d| d.abs() < 1e-9), "{seed}");
        // at most the optimum of any process,
        for k in 0..4 {
            let model = set.model(&[k; 15]).unwrap();
            let free = policy_iteration(&model, DISCOUNT).unwrap();
            assert!((&free.values - &optimum.values).iter().all(|d| *d > -1e-9), "{seed}");
            let value = evaluate(&model, &optimum.policy, DISCOUNT).unwrap();
            assert!((&value.values - &evaluation.values).iter().all(|d| *d > -1e-9), "{seed}");
        }
        // and at least the worst case of any other policy.
        let other = robust_evaluation(&set, &uniform(5, 3), DISCOUNT).unwrap();
        assert!((&optimum.values - &other.values).iter().all(|d| *d > -1e-9), "{seed}");
    }
}

#[test]
fn the_hull_of_a_list_is_worse_than_each_of_its_processes() {
    for seed in 0..200 {
        let problem =
            RandomUncertainty { states: 4, models: 6, rectangular: false, seed, ..Default::default() };
        let set = problem.build().unwrap();
        let UncertaintySet::Coupled(models) = &set else { panic!("not a list") };
        let hull = set.hull().unwrap();
        assert_eq!(hull.rows(), 4 * 3 * 6);
        let policy = uniform(4, 3);
        let (worst, value) = worst_model(models, &policy, DISCOUNT).unwrap();
        assert!(robust_evaluation(&hull, &policy, DISCOUNT).unwrap().expected_return(&hull) <= value + 1e-12);
        for (i, model) in models.iter().enumerate() {
            let other = evaluate(model, &policy, DISCOUNT).unwrap().expected_return(model);
            assert!(other >= value && (i != worst || other == value));
        }
    }
}

#[test]
fn the_windy_walks_robust_value_is_the_optimum_of_the_strongest_wind() {
    let set = WindyWalk::uncertainty_set(25, 0.5).unwrap();
    let robust = robust_value_iteration(&set.hull().unwrap(), 0.95, 1e-12).unwrap();
    let strongest = WindyWalk { wind: 0.5 }.build().unwrap();
    let best = value_iteration(&strongest, 0.95, 1e-12).unwrap();
    assert!((robust.expected_return(&set.hull().unwrap()) - best.expected_return(&strongest)).abs() < 1e-10);
    assert!((best.expected_return(&strongest) + 7.95215).abs() < 5e-6);
}

#[test]
fn what_is_out_of_range_or_no_policy_is_named() {
    let set = rectangular(0, 2, 2, 2);
    let message = |e: assay_theory::Error| e.to_string();
    assert!(message(robust_value_iteration(&set, 1.0, 1e-6).unwrap_err()).contains("`discount` is 1"));
    assert!(message(robust_value_iteration(&set, 0.5, 0.0).unwrap_err()).contains("`tolerance` is 0"));
    let wrong = Array2::from_elem((2, 2), 0.7);
    assert!(message(robust_evaluation(&set, &wrong, 0.5).unwrap_err()).contains("sums to 1.4"));
    assert!(message(worst_model(&[], &uniform(2, 2), 0.5).unwrap_err()).contains("`models` is 0"));
}
