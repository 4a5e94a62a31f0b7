//! Problems without a horizon: every exact quantity against the others, on 1,000 random problems.

use crate::problems::{largest_gap, random_problems};
use assay_environments::tabular::{FiniteMdp, Transition};
use assay_theory::{
    coverage::{all_policy_concentrability, chi_square_concentrability, concentrability, largest_occupancy},
    evaluation::evaluate,
    gradient::{fisher_information, natural_gradient, policy_gradient},
    occupancy::{performance_difference, state_action_occupancy, state_occupancy},
    planning::{policy_iteration, value_iteration},
    policy::{greedy, softmax, uniform},
    regret::{Regret, action_gaps, optimality_gap},
    regularised,
};
use ndarray::{Array1, Array2, Axis};

const PROBLEMS: u64 = 1000;

#[test]
fn values_satisfy_the_bellman_equation_and_advantages_average_to_zero() {
    for mut problem in random_problems(PROBLEMS) {
        let policy = problem.policy();
        let e = evaluate(&problem.mdp, &policy, problem.discount).unwrap();
        let dense = problem.mdp.dense_transitions(0);
        for s in 0..problem.mdp.states() {
            let q = |a: usize| {
                let next = dense.index_axis(Axis(0), s).index_axis(Axis(0), a).dot(&e.values);
                problem.mdp.reward(0, s, a) + problem.discount * next
            };
            let value: f64 = (0..problem.mdp.actions()).map(|a| policy[[s, a]] * q(a)).sum();
            assert!((value - e.values[s]).abs() < 1e-11);
            assert!(policy.row(s).dot(&e.advantages.row(s)).abs() < 1e-11);
        }
    }
}

/// With one action only, there is nothing to choose: value iteration evaluates.
#[test]
fn evaluation_is_value_iteration_on_the_chain_that_the_policy_makes() {
    for mut problem in random_problems(PROBLEMS) {
        let policy = problem.policy();
        let mdp = &problem.mdp;
        let terminal: Vec<usize> = (0..mdp.states()).filter(|&s| mdp.is_terminal(s)).collect();
        let chain = FiniteMdp::new(mdp.states(), 1, mdp.initial(), &terminal, |s, _| {
            let outcomes = (0..mdp.actions()).flat_map(|a| {
                let p = policy[[s, a]];
                mdp.transitions(0, s, a)
                    .iter()
                    .map(move |t| Transition { probability: p * t.probability, ..*t })
            });
            outcomes.collect()
        });
        let iterated = value_iteration(&chain.unwrap(), problem.discount, 1e-11).unwrap();
        let evaluated = evaluate(mdp, &policy, problem.discount).unwrap();
        assert!(largest_gap(&iterated.values, &evaluated.values) < 1e-10);
    }
}

#[test]
fn policy_iteration_and_value_iteration_agree_and_nothing_beats_them() {
    for mut problem in random_problems(PROBLEMS) {
        let (mdp, discount) = (problem.mdp.clone(), problem.discount);
        let by_policy = policy_iteration(&mdp, discount).unwrap();
        let by_value = value_iteration(&mdp, discount, 1e-11).unwrap();
        assert!(largest_gap(&by_policy.values, &by_value.values) < 1e-10);
        assert!(largest_gap(&by_policy.action_values, &by_value.action_values) < 1e-10);
        let reached = evaluate(&mdp, &greedy(&by_value.action_values), discount).unwrap();
        assert!(largest_gap(&reached.values, &by_policy.values) < 1e-9);
        let other = evaluate(&mdp, &problem.policy(), discount).unwrap();
        assert!((&by_policy.values - &other.values).iter().all(|gap| *gap > -1e-10));
    }
}

#[test]
fn occupancies_are_distributions_whose_inner_product_with_the_rewards_is_the_return() {
    for mut problem in random_problems(PROBLEMS) {
        let policy = problem.policy();
        let (mdp, discount) = (&problem.mdp, problem.discount);
        let states = state_occupancy(mdp, &policy, discount).unwrap();
        let pairs = state_action_occupancy(mdp, &policy, discount).unwrap();
        assert!((states.sum() - 1.0).abs() < 1e-12);
        assert!(pairs.iter().all(|d| *d > -1e-15));
        assert!(largest_gap(&pairs.sum_axis(Axis(1)), &states) < 1e-14);
        // What flows into a state is what is in it.
        for next in 0..mdp.states() {
            let inflow: f64 = pairs
                .indexed_iter()
                .flat_map(|((s, a), d)| mdp.transitions(0, s, a).iter().map(move |t| (t, d)))
                .filter(|(t, _)| t.next == next)
                .map(|(t, d)| t.probability * d)
                .sum();
            let expected = (1.0 - discount) * mdp.initial()[next] + discount * inflow;
            assert!((states[next] - expected).abs() < 1e-12);
        }
        let inner = (&pairs * &mdp.rewards(0)).sum() / (1.0 - discount);
        let expected = evaluate(mdp, &policy, discount).unwrap().expected_return(mdp);
        assert!((inner - expected).abs() < 1e-10);
    }
}

#[test]
fn the_performance_difference_lemma_holds() {
    for mut problem in random_problems(PROBLEMS) {
        let (new, old) = (problem.policy(), problem.policy());
        let (mdp, discount) = (&problem.mdp, problem.discount);
        let value = |policy| evaluate(mdp, policy, discount).unwrap().expected_return(mdp);
        let lemma = performance_difference(mdp, &new, &old, discount).unwrap();
        assert!((lemma - (value(&new) - value(&old))).abs() < 1e-10);
    }
}

#[test]
fn the_policy_gradient_is_that_of_finite_differences() {
    for mut problem in random_problems(PROBLEMS) {
        let logits = problem.logits();
        let (mdp, discount) = (&problem.mdp, problem.discount);
        let gradient = policy_gradient(mdp, &logits, discount).unwrap();
        let value = |index, shift| {
            let mut moved = logits.clone();
            moved[index] += shift;
            evaluate(mdp, &softmax(&moved), discount).unwrap().expected_return(mdp)
        };
        let width = 1e-4;
        for (index, exact) in gradient.indexed_iter() {
            let difference = (value(index, width) - value(index, -width)) / (2.0 * width);
            // The error of a central difference is of order width² times a third derivative, which
            // grows with the return's scale.
            let allowed = 1e-7 / (1.0 - discount);
            assert!((exact - difference).abs() < allowed, "{exact} and {difference}");
        }
    }
}

/// ∇log π(a|s) has 1{b = a} − π(b|s) at (s, b) and zeros elsewhere; its mean is zero.
#[test]
fn the_fisher_information_is_the_covariance_of_the_score() {
    for mut problem in random_problems(PROBLEMS) {
        let logits = problem.logits();
        let (mdp, discount) = (&problem.mdp, problem.discount);
        let policy = softmax(&logits);
        let pairs = state_action_occupancy(mdp, &policy, discount).unwrap();
        let size = mdp.states() * mdp.actions();
        let (mut mean, mut covariance) = (Array1::<f64>::zeros(size), Array2::zeros((size, size)));
        for ((s, a), &mass) in pairs.indexed_iter() {
            let mut score = Array1::zeros(size);
            for b in 0..mdp.actions() {
                score[s * mdp.actions() + b] = f64::from(a == b) - policy[[s, b]];
            }
            mean += &(&score * mass);
            let column = score.view().insert_axis(Axis(1));
            covariance += &(&column * &score * mass);
        }
        let fisher = fisher_information(mdp, &logits, discount).unwrap();
        assert!(mean.iter().all(|m| m.abs() < 1e-14));
        assert!(largest_gap(&fisher, &covariance) < 1e-14);
    }
}

/// x = F⁺ g exactly when F x = g and x has no part in the null space of F, which is spanned by equal
/// logits within a state and by all logits of states that are never visited.
#[test]
fn the_natural_gradient_is_the_pseudo_inverse_of_fisher_times_the_gradient() {
    for mut problem in random_problems(PROBLEMS) {
        let logits = problem.logits();
        let (mdp, discount) = (&problem.mdp, problem.discount);
        let size = mdp.states() * mdp.actions();
        let fisher = fisher_information(mdp, &logits, discount).unwrap();
        let gradient = policy_gradient(mdp, &logits, discount).unwrap().into_shape_with_order(size).unwrap();
        let natural = natural_gradient(mdp, &logits, discount).unwrap();
        let occupancy = state_occupancy(mdp, &softmax(&logits), discount).unwrap();
        for (row, d) in natural.rows().into_iter().zip(&occupancy) {
            assert!(row.sum().abs() < 1e-10 && (*d > 0.0 || row.iter().all(|x| *x == 0.0)));
        }
        let natural = natural.into_shape_with_order(size).unwrap();
        assert!(largest_gap(&fisher.dot(&natural), &gradient) < 1e-10);
    }
}

#[test]
fn with_an_entropy_bonus_values_add_the_entropy_collected_on_the_way() {
    for mut problem in random_problems(PROBLEMS) {
        let policy = problem.policy();
        let (mdp, discount, temperature) = (&problem.mdp, problem.discount, 0.3);
        let soft = regularised::evaluate(mdp, &policy, discount, temperature).unwrap();
        let hard = evaluate(mdp, &policy, discount).unwrap();
        let occupancy = state_occupancy(mdp, &policy, discount).unwrap();
        let entropy: f64 = (0..mdp.states())
            .filter(|&s| !mdp.is_terminal(s))
            .map(|s| -occupancy[s] * policy.row(s).iter().map(|p| p * p.ln()).sum::<f64>())
            .sum();
        let expected = hard.expected_return(mdp) + temperature * entropy / (1.0 - discount);
        assert!((soft.expected_return(mdp) - expected).abs() < 1e-10);
        for (advantages, p) in soft.advantages.rows().into_iter().zip(policy.rows()) {
            assert!(p.dot(&advantages).abs() < 1e-11);
        }
    }
}

#[test]
fn the_soft_optimum_is_its_own_softmax_and_nothing_beats_it() {
    for mut problem in random_problems(PROBLEMS) {
        let (mdp, discount, temperature) = (problem.mdp.clone(), problem.discount, 0.2);
        let soft = regularised::value_iteration(&mdp, discount, temperature, 1e-11).unwrap();
        assert!(largest_gap(&soft.policy, &softmax(&(&soft.action_values / temperature))) < 1e-13);
        let reached = regularised::evaluate(&mdp, &soft.policy, discount, temperature).unwrap();
        assert!(largest_gap(&reached.values, &soft.values) < 1e-9);
        let other = regularised::evaluate(&mdp, &problem.policy(), discount, temperature).unwrap();
        assert!((&soft.values - &other.values).iter().all(|gap| *gap > -1e-10));
    }
}

#[test]
fn soft_values_tend_to_the_hard_ones_as_the_temperature_tends_to_zero() {
    for problem in random_problems(PROBLEMS) {
        let (mdp, discount) = (&problem.mdp, problem.discount);
        let hard = policy_iteration(mdp, discount).unwrap();
        for temperature in [1.0, 0.1, 1e-4] {
            let soft = regularised::value_iteration(mdp, discount, temperature, 1e-11).unwrap();
            // Every step adds between nothing and τ log |A|.
            let most = temperature * (mdp.actions() as f64).ln() / (1.0 - discount);
            let gaps = &soft.values - &hard.values;
            assert!(gaps.iter().all(|gap| (-1e-10..=most + 1e-10).contains(gap)));
        }
    }
}

#[test]
fn optimality_gaps_are_never_negative_and_regret_adds_them_up() {
    for mut problem in random_problems(PROBLEMS) {
        let (mdp, discount) = (problem.mdp.clone(), problem.discount);
        let optimum = policy_iteration(&mdp, discount).unwrap();
        assert!(optimality_gap(&mdp, &optimum.policy, discount).unwrap().abs() < 1e-10);
        let gaps = action_gaps(&optimum);
        for (row, s) in gaps.rows().into_iter().zip(0..) {
            let least = row.fold(f64::INFINITY, |m, &g| m.min(g));
            assert!(mdp.is_terminal(s) || least.abs() < 1e-10);
        }
        let mut regret = Regret::new(optimum.expected_return(&mdp));
        let mut expected = 0.0;
        for _ in 0..3 {
            let policy = problem.policy();
            let gap = optimality_gap(&mdp, &policy, discount).unwrap();
            assert!(gap > -1e-10);
            expected += gap;
            regret.record(evaluate(&mdp, &policy, discount).unwrap().expected_return(&mdp));
            assert!((regret.total() - expected).abs() < 1e-9);
        }
        assert_eq!(regret.curve().len(), 3);
    }
}

#[test]
fn concentrability_is_one_for_the_policy_itself_and_largest_over_all_policies() {
    for mut problem in random_problems(PROBLEMS) {
        let (mdp, discount) = (problem.mdp.clone(), problem.discount);
        let data = state_action_occupancy(&mdp, &uniform(mdp.states(), mdp.actions()), discount).unwrap();
        assert!((concentrability(&data, &data).unwrap() - 1.0).abs() < 1e-14);
        assert!((chi_square_concentrability(&data, &data).unwrap() - 1.0).abs() < 1e-12);

        let target = state_action_occupancy(&mdp, &problem.policy(), discount).unwrap();
        let single = concentrability(&target, &data).unwrap();
        let squared = chi_square_concentrability(&target, &data).unwrap();
        assert!((1.0 - 1e-12..=single + 1e-12).contains(&squared));
        let largest = largest_occupancy(&mdp, discount).unwrap();
        let running = |((s, _), _): &((usize, usize), &f64)| !mdp.is_terminal(*s);
        assert!(target.indexed_iter().filter(running).all(|(i, d)| *d <= largest[i] + 1e-12));
        if (0..mdp.states()).all(|s| !mdp.is_terminal(s)) {
            let all = all_policy_concentrability(&mdp, &data, discount).unwrap();
            assert!(all >= single - 1e-9 * single, "{all} < {single}");
        }
    }
}

#[test]
fn what_the_data_never_visits_makes_concentrability_infinite() {
    let target = ndarray::arr1(&[0.5, 0.5]);
    assert_eq!(concentrability(&target, &ndarray::arr1(&[1.0, 0.0])).unwrap(), f64::INFINITY);
    assert_eq!(concentrability(&ndarray::arr1(&[1.0, 0.0]), &ndarray::arr1(&[1.0, 0.0])).unwrap(), 1.0);
    assert!(concentrability(&target, &ndarray::arr1(&[1.0])).is_err());
}
