//! How often a policy is in which state, and what that says about its return.

use assay_environments::tabular::FiniteMdp;
use ndarray::{Array1, Array2, Array3, ArrayRef2, ArrayRef3, Axis};

use crate::{
    Error,
    bellman::{check_discount_below_one, check_no_horizon, solve_occupancy},
    evaluation::evaluate,
    policy::{check_policy, check_staged_policy},
};

/// The discounted state occupancy d(s) = (1 − γ) Σₜ γᵗ P(sₜ = s) of a stationary policy: a
/// distribution over states. A terminal state keeps the episode for ever.
///
/// `discount` is from 0 to below 1. Errors when the problem has a horizon or the policy is none.
pub fn state_occupancy(
    mdp: &FiniteMdp,
    policy: &ArrayRef2<f64>,
    discount: f64,
) -> Result<Array1<f64>, Error> {
    check_no_horizon(mdp, "a discounted occupancy")?;
    check_discount_below_one(discount)?;
    check_policy(mdp, policy)?;
    solve_occupancy(mdp, policy, discount)
}

/// The discounted state-action occupancy d(s) π(a|s) (states × actions): a distribution whose inner
/// product with the rewards, divided by 1 − γ, is the expected return.
///
/// Ranges and errors as [`state_occupancy`].
pub fn state_action_occupancy(
    mdp: &FiniteMdp,
    policy: &ArrayRef2<f64>,
    discount: f64,
) -> Result<Array2<f64>, Error> {
    let states = state_occupancy(mdp, policy, discount)?;
    Ok(&policy.view() * &states.insert_axis(Axis(1)))
}

/// P(s_h = s) for every step h before the horizon H (H × states): each row is a distribution.
///
/// Errors when the problem has no horizon or the policy is none.
pub fn horizon_state_occupancy(mdp: &FiniteMdp, policy: &ArrayRef3<f64>) -> Result<Array2<f64>, Error> {
    Ok(horizon_state_action_occupancy(mdp, policy)?.sum_axis(Axis(2)))
}

/// P(s_h = s, a_h = a) for every step h before the horizon H (H × states × actions): the inner
/// product with the rewards is the expected return without discounting.
///
/// Errors when the problem has no horizon or the policy is none.
pub fn horizon_state_action_occupancy(
    mdp: &FiniteMdp,
    policy: &ArrayRef3<f64>,
) -> Result<Array3<f64>, Error> {
    let horizon = check_staged_policy(mdp, policy)?;
    let mut occupancy = Array3::zeros(policy.dim());
    let mut states = Array1::from(mdp.initial().to_vec());
    for step in 0..horizon {
        let pairs = &policy.index_axis(Axis(0), step) * &states.insert_axis(Axis(1));
        states = Array1::zeros(mdp.states());
        for ((state, action), &mass) in pairs.indexed_iter() {
            for t in mdp.transitions(step, state, action) {
                states[t.next] += mass * t.probability;
            }
        }
        occupancy.index_axis_mut(Axis(0), step).assign(&pairs);
    }
    Ok(occupancy)
}

/// J(new) − J(old) by the performance-difference lemma of Kakade and Langford (2002): the advantages
/// of the old policy under the occupancy of the new one, divided by 1 − γ.
///
/// `discount` is from 0 to below 1. Errors when the problem has a horizon or a policy is none.
pub fn performance_difference(
    mdp: &FiniteMdp,
    new: &ArrayRef2<f64>,
    old: &ArrayRef2<f64>,
    discount: f64,
) -> Result<f64, Error> {
    let occupancy = state_action_occupancy(mdp, new, discount)?;
    let advantages = evaluate(mdp, old, discount)?.advantages;
    Ok((occupancy * advantages).sum() / (1.0 - discount))
}
