//! Values of processes whose steps are a deterministic half and a random one.
//!
//! With the post-decision state s^x = f(s, a) (Powell 2011, section 4.6),
//!
//! V^x(s^x) = E_w[ r^w + γ V(g(s^x, w)) ],  Q(s, a) = r^x(s, a) + V^x(f(s, a)).
//!
//! A maximisation over actions then needs no expectation, and the expectation no actions: a sweep costs
//! the sum of both tables instead of their product, so these methods reach problems whose composed
//! table is too large.

use assay_environments::{
    parameters::require,
    tabular::{Decision, PostDecisionMdp, Tabular},
};
use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2};

use crate::{
    Error,
    bellman::{check_discount, check_discount_below_one},
    evaluation::evaluate,
};

/// The optimum of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct PostDecisionOptimum {
    /// V*(s).
    pub values: Array1<f64>,
    /// V^x*(s^x).
    pub post_values: Array1<f64>,
    /// An optimal action in every state; means nothing where the state is terminal.
    pub actions: Vec<usize>,
}

impl PostDecisionOptimum {
    /// The largest expected return of an episode of `process` from its start.
    pub fn expected_return(&self, process: &PostDecisionMdp) -> f64 {
        expected_return(process, &self.values)
    }
}

/// The mean of values (one per state) over where an episode of `process` starts.
pub fn expected_return(process: &PostDecisionMdp, values: &ArrayRef1<f64>) -> f64 {
    process.initial().iter().zip(values).map(|(p, v)| p * v).sum()
}

/// V^x of every post-decision state from V of every state.
///
/// # Panics
/// When there is not one value per state.
pub fn post_values(process: &PostDecisionMdp, values: &ArrayRef1<f64>, discount: f64) -> Array1<f64> {
    assert_eq!(values.len(), process.states(), "values of the states");
    let value = |post: usize| {
        let outcomes = process.outcomes(post).iter();
        outcomes.map(|t| t.probability * (t.reward + discount * values[t.next])).sum()
    };
    (0..process.post_states()).map(value).collect()
}

/// Q of every state and action from V^x of every post-decision state; zero where the state is
/// terminal (states × actions).
///
/// # Panics
/// When there is not one value per post-decision state.
pub fn action_values(process: &PostDecisionMdp, post_values: &ArrayRef1<f64>) -> Array2<f64> {
    assert_eq!(post_values.len(), process.post_states(), "values of the post-decision states");
    Array2::from_shape_fn((process.states(), process.actions()), |(state, action)| {
        if process.is_terminal(state) {
            return 0.0;
        }
        let Decision { post, reward } = process.decision(state, action);
        reward + post_values[post]
    })
}

/// Value iteration, V ← max_a (r^x + V^x(f(s, a))), until V is within `tolerance` of V* in every state.
///
/// Errors when the discount is not from 0 to below 1, or the tolerance is not positive.
pub fn value_iteration(
    process: &PostDecisionMdp,
    discount: f64,
    tolerance: f64,
) -> Result<PostDecisionOptimum, Error> {
    check_discount_below_one(discount)?;
    require("tolerance", tolerance, tolerance > 0.0, "positive")?;
    let mut values = Array1::zeros(process.states());
    loop {
        let (new, actions) = maximise(process, &post_values(process, &values, discount));
        let change = (&new - &values).iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        values = new;
        // Each sweep brings V nearer to V* by the factor γ; what rounding leaves does not shrink.
        let scale = values.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
        if discount / (1.0 - discount) * change <= tolerance || change <= 8.0 * f64::EPSILON * scale {
            let post_values = post_values(process, &values, discount);
            return Ok(PostDecisionOptimum { values, post_values, actions });
        }
    }
}

/// The largest expected return of every state over `horizon` steps, after which nothing follows. Errors
/// when the discount is not from 0 to 1.
pub fn backward_induction(
    process: &PostDecisionMdp,
    horizon: usize,
    discount: f64,
) -> Result<Array1<f64>, Error> {
    check_discount(discount)?;
    let start = Array1::zeros(process.states());
    Ok((0..horizon).fold(start, |values, _| maximise(process, &post_values(process, &values, discount)).0))
}

/// The best value and action of every state.
fn maximise(process: &PostDecisionMdp, post_values: &ArrayRef1<f64>) -> (Array1<f64>, Vec<usize>) {
    let best = |state: usize| {
        if process.is_terminal(state) {
            return (0.0, 0);
        }
        let value = |action: usize| {
            let Decision { post, reward } = process.decision(state, action);
            reward + post_values[post]
        };
        (1..process.actions()).fold((value(0), 0), |best, action| {
            let value = value(action);
            if value > best.0 { (value, action) } else { best }
        })
    };
    let (values, actions): (Vec<f64>, Vec<usize>) = (0..process.states()).map(best).unzip();
    (values.into(), actions)
}

/// What each half's rewards alone are worth to a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitValues {
    /// W(s): the discounted sum of the random half's rewards r^w.
    pub random: Array1<f64>,
    /// W^x(s): the discounted sum of the deterministic half's rewards r^x.
    pub deterministic: Array1<f64>,
}

/// The values of a policy (states × actions) by the half that brings the reward: V = W + W^x. Errors as
/// [`evaluate`] does.
pub fn split_values(
    process: &PostDecisionMdp,
    policy: &ArrayRef2<f64>,
    discount: f64,
) -> Result<SplitValues, Error> {
    let values = |deterministic: f64, random: f64| -> Result<Array1<f64>, Error> {
        let decide = |state, action| {
            let decision = process.decision(state, action);
            Decision { reward: deterministic * decision.reward, ..decision }
        };
        let outcomes = |post| {
            let mut outcomes = process.outcomes(post).to_vec();
            outcomes.iter_mut().for_each(|t| t.reward *= random);
            outcomes
        };
        let terminal: Vec<usize> =
            (0..process.states()).filter(|&state| process.is_terminal(state)).collect();
        let sizes = [process.states(), process.actions(), process.post_states()];
        let half = PostDecisionMdp::new(sizes, process.initial(), &terminal, decide, outcomes)?;
        Ok(evaluate(&half.finite_mdp(), policy, discount)?.values)
    };
    Ok(SplitValues { random: values(0.0, 1.0)?, deterministic: values(1.0, 0.0)? })
}

#[cfg(test)]
mod tests {
    use assay_environments::{
        operations::{Demand, EnergyStorage, Family, Inventory, LotSizing},
        random::Seed,
        tabular::StochasticFrozenLake,
    };
    use rand::Rng;

    use super::*;
    use crate::{planning, policy::softmax};

    const DISCOUNT: f64 = 0.9;

    fn processes() -> Vec<PostDecisionMdp> {
        let plant = LotSizing {
            size: "2x1".into(),
            family: Family::Small,
            capacity: Some(5),
            ..LotSizing::default()
        };
        let warehouse = Inventory {
            lead_time: 3,
            largest_order: 3,
            capacity: 6,
            demand: Demand::Binomial { trials: 4, probability: 0.5 },
            fixed_cost: 2.0,
            ..Inventory::default()
        };
        vec![
            plant.build().unwrap().exact().unwrap(),
            warehouse.build().unwrap().exact().unwrap(),
            EnergyStorage { capacity: 6, prices: 5, ..EnergyStorage::default() }
                .build()
                .unwrap()
                .exact()
                .unwrap(),
            StochasticFrozenLake { size: 5, ..StochasticFrozenLake::default() }.build().unwrap(),
        ]
    }

    /// A policy with different probabilities everywhere.
    fn some_policy(process: &PostDecisionMdp, seed: u64) -> Array2<f64> {
        let mut rng = Seed::new(seed).stream("policy");
        let shape = (process.states(), process.actions());
        softmax(&Array2::from_shape_simple_fn(shape, || rng.random_range(-2.0..2.0)))
    }

    fn assert_near(found: impl IntoIterator<Item = f64>, expected: impl IntoIterator<Item = f64>) {
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-11 * (1.0 + expected.abs()), "{found} {expected}");
        }
    }

    #[test]
    fn an_action_is_worth_its_known_reward_and_the_post_decision_value() {
        for (i, process) in processes().iter().enumerate() {
            let policy = some_policy(process, i as u64);
            let evaluation = evaluate(&process.finite_mdp(), &policy, DISCOUNT).unwrap();
            let post = post_values(process, &evaluation.values, DISCOUNT);
            let found = action_values(process, &post);
            let expected = &evaluation.action_values;
            for state in (0..process.states()).filter(|&state| !process.is_terminal(state)) {
                assert_near(found.row(state).to_vec(), expected.row(state).to_vec());
            }
        }
    }

    #[test]
    fn the_values_of_the_two_halves_rewards_add_up_to_the_value() {
        for (i, process) in processes().iter().enumerate() {
            let policy = some_policy(process, i as u64);
            let whole = evaluate(&process.finite_mdp(), &policy, DISCOUNT).unwrap().values;
            let split = split_values(process, &policy, DISCOUNT).unwrap();
            assert!(split.deterministic.iter().any(|x| *x != 0.0));
            assert_near(&split.random + &split.deterministic, whole);
        }
    }

    #[test]
    fn the_optimum_is_that_of_the_composed_process() {
        for process in &processes() {
            let found = value_iteration(process, DISCOUNT, 1e-12).unwrap();
            let expected = planning::value_iteration(&process.finite_mdp(), DISCOUNT, 1e-12).unwrap();
            assert_near(found.values.clone(), expected.values.clone());
            let near = expected.expected_return(&process.finite_mdp()) - found.expected_return(process);
            assert!(near.abs() < 1e-10);
            for (state, &action) in found.actions.iter().enumerate() {
                let best = expected.action_values.row(state).iter().fold(f64::MIN, |m, q| m.max(*q));
                assert!(process.is_terminal(state) || best - expected.action_values[[state, action]] < 1e-9);
            }
        }
    }

    #[test]
    fn induction_from_a_horizon_is_that_of_the_composed_process() {
        let process = &processes()[0];
        let found = backward_induction(process, 7, 1.0).unwrap();
        let composed = process.finite_mdp().with_horizon(7).unwrap();
        let expected = planning::backward_induction(&composed, 1.0).unwrap();
        assert_near(found, expected.values.row(0).to_vec());
    }

    #[test]
    fn the_principled_advantage_has_the_mean_of_the_one_step_estimate_and_none_of_chances_noise() {
        // Given state and action, r^x + V^x(s^x) − V(s) is certain. The temporal difference
        // r + γ V(s') − V(s) has the same mean, and the variance of what chance brings.
        for (i, process) in processes().iter().enumerate() {
            let policy = some_policy(process, i as u64);
            let composed = process.finite_mdp();
            let values = evaluate(&composed, &policy, DISCOUNT).unwrap().values;
            let certain = action_values(process, &post_values(process, &values, DISCOUNT));
            let mut noisy = 0;
            for state in (0..process.states()).filter(|&state| !process.is_terminal(state)) {
                for action in 0..process.actions() {
                    let row = composed.transitions(0, state, action);
                    let target = |next: usize, reward: f64| reward + DISCOUNT * values[next];
                    let mean: f64 = row.iter().map(|t| t.probability * target(t.next, t.reward)).sum();
                    assert_near([certain[[state, action]]], [mean]);
                    let variance: f64 =
                        row.iter().map(|t| t.probability * (target(t.next, t.reward) - mean).powi(2)).sum();
                    noisy += usize::from(variance > 1e-9);
                    assert!(row.len() > 1 || variance < 1e-20);
                }
            }
            assert!(noisy > 0);
        }
    }

    #[test]
    fn with_exact_critics_the_split_post_decision_advantage_is_zero_where_the_known_reward_is_of_that_state()
    {
        // On the lake r^x is a function of s^x; in lot-sizing it is not.
        let lake = &processes()[3];
        let error = |process: &PostDecisionMdp| {
            let policy = some_policy(process, 3);
            let w = split_values(process, &policy, DISCOUNT).unwrap().deterministic;
            let later = |post: usize| {
                let outcomes = process.outcomes(post).iter();
                DISCOUNT * outcomes.map(|t| t.probability * w[t.next]).sum::<f64>()
            };
            // The critic's fixed point is the mean of r^x + later over the pairs that lead to s^x; with
            // equal weights here, which does not matter where all pairs agree.
            let mut sums = vec![(0.0, 0.0); process.post_states()];
            let all = || {
                let states = (0..process.states()).filter(|&state| !process.is_terminal(state));
                states.flat_map(|state| (0..process.actions()).map(move |action| (state, action)))
            };
            for (state, action) in all() {
                let Decision { post, reward } = process.decision(state, action);
                sums[post].0 += reward + later(post);
                sums[post].1 += 1.0;
            }
            all()
                .map(|(state, action)| {
                    let Decision { post, reward } = process.decision(state, action);
                    (reward + later(post) - sums[post].0 / sums[post].1).abs()
                })
                .fold(0.0, f64::max)
        };
        assert!(error(lake) < 1e-12);
        assert!(error(&processes()[0]) > 0.1);
    }
}
