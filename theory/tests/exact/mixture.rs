//! Mixtures of policies: which of their values are affine in the weight, and which are not.

use crate::problems::{largest_gap, random_horizon_problems};
use assay_environments::tabular::{FiniteMdp, Transition};
use assay_theory::{
    evaluation::evaluate_horizon,
    mixture::{markov_equivalent, step_mixture, switching},
    occupancy::horizon_state_action_occupancy,
};
use ndarray::{Array3, Axis, arr3};
use rand::Rng;

const PROBLEMS: u64 = 1000;
const WEIGHTS: [f64; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

fn value(mdp: &FiniteMdp, policy: &Array3<f64>) -> f64 {
    evaluate_horizon(mdp, policy, 1.0).unwrap().expected_return(mdp)
}

#[test]
fn the_value_is_affine_in_the_weight_of_policies_that_differ_at_one_step() {
    for mut problem in random_horizon_problems(PROBLEMS) {
        let first = problem.staged_policy();
        let step = problem.rng.random_range(0..first.len_of(Axis(0)));
        let mut second = first.clone();
        second.index_axis_mut(Axis(0), step).assign(&problem.policy());
        let ends = (value(&problem.mdp, &first), value(&problem.mdp, &second));
        for weight in WEIGHTS {
            let mixed = value(&problem.mdp, &step_mixture(&first, &second, weight).unwrap());
            assert!((mixed - weight * ends.0 - (1.0 - weight) * ends.1).abs() < 1e-12);
        }
    }
}

/// Both steps must take action 1 for the reward: half of each mixture's steps do, so a quarter of the
/// episodes, where interpolation would say a half.
#[test]
fn it_is_not_affine_where_they_differ_at_two_steps() {
    let mdp = FiniteMdp::layered(2, 2, 2, &[1.0, 0.0], |step, state, action| {
        let reward = if step == 1 && state == 1 && action == 1 { 1.0 } else { 0.0 };
        Transition::certain(action, reward)
    })
    .unwrap();
    let always = |action: usize| {
        let row = if action == 0 { [1.0, 0.0] } else { [0.0, 1.0] };
        arr3(&[[row; 2]; 2])
    };
    assert_eq!((value(&mdp, &always(0)), value(&mdp, &always(1))), (0.0, 1.0));
    let mixed = step_mixture(&always(0), &always(1), 0.5).unwrap();
    assert_eq!(value(&mdp, &mixed), 0.25);
}

#[test]
fn the_markov_equivalent_of_an_episodic_mixture_has_its_occupancy_and_its_value() {
    for mut problem in random_horizon_problems(PROBLEMS) {
        let (first, second) = (problem.staged_policy(), problem.staged_policy());
        let weight = problem.rng.random_range(0.0..=1.0);
        let policy = markov_equivalent(&problem.mdp, &first, &second, weight).unwrap();
        let occupancy = |policy| horizon_state_action_occupancy(&problem.mdp, policy).unwrap();
        let mixed = weight * occupancy(&first) + (1.0 - weight) * occupancy(&second);
        assert!(largest_gap(&occupancy(&policy), &mixed) < 1e-12);
        let mixed = weight * value(&problem.mdp, &first) + (1.0 - weight) * value(&problem.mdp, &second);
        assert!((value(&problem.mdp, &policy) - mixed).abs() < 1e-12);
    }
}

#[test]
fn switching_policies_lead_from_one_to_the_other_a_step_at_a_time() {
    for mut problem in random_horizon_problems(50) {
        let (first, second) = (problem.staged_policy(), problem.staged_policy());
        let horizon = first.len_of(Axis(0));
        let switching = |switch| switching(&first, &second, switch);
        assert_eq!((switching(0).unwrap(), switching(horizon).unwrap()), (second.clone(), first.clone()));
        for switch in 1..=horizon {
            let (before, after) = (switching(switch - 1).unwrap(), switching(switch).unwrap());
            let steps = before.outer_iter().zip(after.outer_iter()).enumerate();
            assert!(steps.filter(|(_, (a, b))| a != b).all(|(step, _)| step == switch - 1));
        }
        assert!(switching(horizon + 1).unwrap_err().to_string().contains("`switch`"));
        assert!(step_mixture(&first, &second, 1.1).unwrap_err().to_string().contains("`weight` is 1.1"));
    }
}
