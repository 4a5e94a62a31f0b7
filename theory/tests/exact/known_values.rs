//! Values that are known from closed forms or textbooks.

use assay_environments::tabular::{
    Chain, CliffWalking, DeepSea, FiniteMdp, FrozenLake, GridWorld, LakeMap, RiverSwim, Transition,
};
use assay_theory::{
    Error,
    coverage::largest_occupancy,
    evaluation::{evaluate, evaluate_horizon},
    gradient::policy_gradient,
    occupancy::state_occupancy,
    planning::{backward_induction, policy_iteration, value_iteration},
    policy::{deterministic, uniform},
    regularised,
};
use ndarray::{Array1, Array2, Array3, arr2};

/// Russell and Norvig, Artificial Intelligence: A Modern Approach, figure 17.3.
#[test]
fn the_textbook_gridworld_has_its_textbook_utilities() {
    let mdp = GridWorld::default().build().unwrap();
    let optimum = value_iteration(&mdp, 1.0, 1e-12).unwrap();
    let printed = [0.812, 0.868, 0.918, 0.0, 0.762, 0.660, 0.0, 0.705, 0.655, 0.611, 0.388];
    for (value, printed) in optimum.values.iter().zip(printed) {
        assert!((value - printed).abs() <= 0.0005, "{value} and {printed}");
    }
    let by_policy = policy_iteration(&mdp, 1.0).unwrap();
    assert!((&by_policy.values - &optimum.values).iter().all(|gap| gap.abs() < 1e-10));
}

#[test]
fn the_best_walk_along_the_cliff_is_worth_minus_thirteen() {
    let mdp = CliffWalking::default().build().unwrap();
    let optimum = value_iteration(&mdp, 1.0, 1e-12).unwrap();
    assert_eq!(optimum.expected_return(&mdp), -13.0);
    assert_eq!(optimum.values[0], -14.0);
}

/// Without discounting the values are chances of reaching the goal. On the small map the best one is
/// 14/17; on the large one a patient walk never falls into a hole.
#[test]
fn the_lakes_are_crossed_as_often_as_is_possible() {
    let small = FrozenLake::default().build().unwrap();
    let optimum = value_iteration(&small, 1.0, 1e-14).unwrap();
    assert!((optimum.expected_return(&small) - 14.0 / 17.0).abs() < 1e-10);
    let large = FrozenLake { map: LakeMap::Large, ..FrozenLake::default() }.build().unwrap();
    let optimum = value_iteration(&large, 1.0, 1e-14).unwrap();
    assert!((optimum.expected_return(&large) - 1.0).abs() < 1e-9);
}

#[test]
fn a_chain_that_does_not_slip_is_worth_a_geometric_series() {
    let (discount, states) = (0.9f64, 5);
    let mdp = Chain { slip: 0.0, ..Chain::default() }.build().unwrap();
    let forward = evaluate(&mdp, &deterministic(&[0; 5], 2), discount).unwrap();
    let back = evaluate(&mdp, &deterministic(&[1; 5], 2), discount).unwrap();
    for s in 0..states {
        let expected = 10.0 * discount.powi((states - 1 - s) as i32) / (1.0 - discount);
        assert!((forward.values[s] - expected).abs() < 1e-12);
        assert!((back.values[s] - 2.0 / (1.0 - discount)).abs() < 1e-12);
    }
    // Forward pays from the start as soon as 10 γ⁴ > 2: here, but not at 0.6.
    assert_eq!(policy_iteration(&mdp, discount).unwrap().policy, deterministic(&[0; 5], 2));
    assert_eq!(policy_iteration(&mdp, 0.6).unwrap().policy.row(0).to_vec(), [0.0, 1.0]);
}

/// With slip p, "always forward" returns to the start with probability p at every step: the walk's
/// place is geometrically distributed up to the end, where it has the rest.
#[test]
fn the_occupancy_of_a_slipping_chain_is_geometric() {
    let (discount, slip) = (0.999_999, 0.2f64);
    let mdp = Chain::default().build().unwrap();
    let occupancy = state_occupancy(&mdp, &deterministic(&[0; 5], 2), discount).unwrap();
    for (s, found) in occupancy.iter().enumerate() {
        let stationary = (1.0 - slip).powi(s as i32) * if s < 4 { slip } else { 1.0 };
        assert!((found - stationary).abs() < 1e-4, "{s}: {found} and {stationary}");
    }
}

#[test]
fn drifting_down_the_river_is_worth_a_geometric_series() {
    let mdp = RiverSwim::default().build().unwrap();
    let drift = evaluate(&mdp, &deterministic(&[0; 6], 2), 0.9).unwrap();
    for (s, value) in drift.values.iter().enumerate() {
        assert!((value - 5.0 * 0.9f64.powi(s as i32) / 0.1).abs() < 1e-12);
    }
}

/// Swimming up is a birth-death chain, whose stationary distribution is in detailed balance.
#[test]
fn swimming_up_the_river_spends_its_time_in_detailed_balance() {
    let discount = 1.0 - 1e-8;
    let mdp = RiverSwim::default().build().unwrap();
    let swim = deterministic(&[1; 6], 2);
    let mut weights = Array1::<f64>::ones(6);
    for s in 1..6 {
        let down = if s == 5 { 0.7 } else { 0.1 };
        weights[s] = weights[s - 1] * 0.3 / down;
    }
    let stationary = &weights / weights.sum();
    let occupancy = state_occupancy(&mdp, &swim, discount).unwrap();
    assert!((&occupancy - &stationary).iter().all(|gap| gap.abs() < 1e-5));
    let average = evaluate(&mdp, &swim, discount).unwrap().expected_return(&mdp) * (1.0 - discount);
    assert!((average - 10_000.0 * 0.3 * stationary[5]).abs() < 1e-2);
    // It is also what is best when the future counts.
    assert_eq!(policy_iteration(&mdp, 0.99).unwrap().policy, swim);
}

#[test]
fn the_sea_holds_a_treasure_that_random_dives_miss() {
    for size in [2, 5, 10] {
        let mdp = DeepSea { size, ..DeepSea::default() }.build().unwrap();
        let optimum = value_iteration(&mdp, 1.0, 1e-14).unwrap();
        assert!((optimum.expected_return(&mdp) - 0.99).abs() < 1e-12);
        let random = evaluate(&mdp, &uniform(mdp.states(), 2), 1.0).unwrap();
        let expected = 0.5f64.powi(size as i32) - 0.01 / 2.0;
        assert!((random.expected_return(&mdp) - expected).abs() < 1e-12);
        // A horizon that no episode exceeds changes nothing.
        let within = mdp.clone().with_horizon(size).unwrap();
        assert!((backward_induction(&within, 1.0).unwrap().expected_return(&within) - 0.99).abs() < 1e-12);
        let stochastic = DeepSea { size, stochastic: true, ..DeepSea::default() }.build().unwrap();
        // Only the moves before the last one must succeed.
        let expected = (1.0 - 1.0 / size as f64).powi(size as i32 - 1) - 0.01;
        let optimum = value_iteration(&stochastic, 1.0, 1e-14).unwrap();
        assert!(optimum.expected_return(&stochastic) >= expected - 1e-12);
    }
}

/// One state, two actions: J = π·r/(1 − γ), the soft optimum is a softmax of the rewards, and the
/// gradient is π(a)(r(a) − π·r)/(1 − γ).
#[test]
fn a_bandit_has_its_closed_forms() {
    let rewards = [1.0, 0.25];
    let bandit = FiniteMdp::new(1, 2, &[1.0], &[], |_, a| Transition::certain(0, rewards[a]));
    let bandit = bandit.unwrap();
    let policy = arr2(&[[0.25, 0.75]]);
    let mean = 0.25 + 0.75 * 0.25;
    let value = evaluate(&bandit, &policy, 0.9).unwrap();
    assert!((value.values[0] - 10.0 * mean).abs() < 1e-12);
    assert!((value.advantages[[0, 0]] - (1.0 - mean)).abs() < 1e-12);

    let gradient = policy_gradient(&bandit, &policy.ln(), 0.9).unwrap();
    assert!((gradient[[0, 0]] - 10.0 * 0.25 * (1.0 - mean)).abs() < 1e-12);

    let soft = regularised::value_iteration(&bandit, 0.9, 0.5, 1e-13).unwrap();
    let normaliser = rewards.map(|r: f64| (r / 0.5).exp()).iter().sum::<f64>();
    assert!((soft.policy[[0, 1]] - (0.25f64 / 0.5).exp() / normaliser).abs() < 1e-12);
    assert!((soft.values[0] - 10.0 * 0.5 * normaliser.ln()).abs() < 1e-11);
    assert!(largest_occupancy(&bandit, 0.9).unwrap().iter().all(|d| (d - 1.0).abs() < 1e-12));
}

#[test]
fn what_makes_no_sense_is_an_error_that_says_so() {
    let chain = Chain::default().build().unwrap();
    let policy = uniform(5, 2);
    let message = |e: Error| e.to_string();

    let e = evaluate(&chain, &policy, 1.5).unwrap_err();
    assert!(message(e).contains("`discount` is 1.5"));
    let e = evaluate(&chain, &uniform(4, 2), 0.9).unwrap_err();
    assert!(message(e).contains("[4, 2]; [5, 2] is needed"));
    let e = evaluate(&chain, &Array2::zeros((5, 2)), 0.9).unwrap_err();
    assert!(message(e).contains("row [0] of the policy"));
    let e = evaluate(&chain, &policy, 1.0).unwrap_err();
    assert_eq!(e, Error::NeverEnds { state: 0 });
    let e = state_occupancy(&chain, &policy, 1.0).unwrap_err();
    assert!(message(e).contains("`discount` is 1; allowed: 0 to less than 1"));
    let e = value_iteration(&chain, 0.9, 0.0).unwrap_err();
    assert!(message(e).contains("`tolerance` is 0"));
    let e = regularised::value_iteration(&chain, 0.9, -1.0, 1e-9).unwrap_err();
    assert!(message(e).contains("`temperature` is -1"));
    let e = policy_gradient(&chain, &Array2::zeros((5, 3)), 0.9).unwrap_err();
    assert!(message(e).contains("logits"));

    let e = evaluate_horizon(&chain, &Array3::zeros((3, 5, 2)), 1.0).unwrap_err();
    assert!(message(e).contains("with a horizon; this one has none"));
    let e = backward_induction(&chain, 1.0).unwrap_err();
    assert!(matches!(e, Error::Horizon { .. }));
    let limited = chain.with_horizon(3).unwrap();
    let e = evaluate(&limited, &policy, 0.9).unwrap_err();
    assert!(message(e).contains("without a horizon; this one has 3 steps"));
    let e = evaluate_horizon(&limited, &Array3::zeros((2, 5, 2)), 1.0).unwrap_err();
    assert!(message(e).contains("[2, 5, 2]"));
}

#[test]
fn values_beyond_all_numbers_are_an_error() {
    let rarely = FiniteMdp::new(2, 1, &[1.0, 0.0], &[1], |_, _| {
        let go = |probability, next| Transition { probability, next, reward: 1.0 };
        vec![go(1.0, 0), go(1e-20, 1)]
    });
    let rarely = rarely.unwrap();
    assert_eq!(evaluate(&rarely, &uniform(2, 1), 1.0), Err(Error::Singular));
    assert!(evaluate(&rarely, &uniform(2, 1), 0.999).is_ok());
}

/// On the way, a policy that walks into a wall for ever has no value without discounting.
#[test]
fn a_policy_that_never_ends_is_named_by_a_state_where_it_is_caught() {
    let lake = FrozenLake { success_rate: 1.0, ..FrozenLake::default() }.build().unwrap();
    let left = deterministic(&[0; 16], 4);
    assert!(matches!(evaluate(&lake, &left, 1.0), Err(Error::NeverEnds { .. })));
    assert!(evaluate(&lake, &left, 0.99).is_ok());
    assert!(evaluate(&lake, &uniform(16, 4), 1.0).is_ok());
}
