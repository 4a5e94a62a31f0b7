//! Mixtures of two policies of a problem with a horizon, and what they are worth.
//!
//! A *step mixture* draws from ρ π + (1 − ρ) π′ at every step anew: it is a Markov policy. An
//! *episodic mixture* tosses one coin before an episode and then follows one of the two to the end.
//! The value of an episodic mixture is affine in ρ. That of a step mixture is a polynomial of degree
//! H in general, but affine where the two differ at one step only: the difference then enters once.

use assay_environments::{parameters::require, tabular::FiniteMdp};
use ndarray::{Array3, ArrayRef3, Axis};

use crate::{
    Error,
    occupancy::horizon_state_action_occupancy,
    policy::{check_shape, check_staged_policy},
};

fn check_weight(weight: f64) -> Result<(), Error> {
    Ok(require("weight", weight, (0.0..=1.0).contains(&weight), "0 to 1")?)
}

/// The step mixture `weight` · `first` + (1 − `weight`) · `second` (H × states × actions).
///
/// Errors when the weight is not from 0 to 1, or the shapes differ.
pub fn step_mixture(
    first: &ArrayRef3<f64>,
    second: &ArrayRef3<f64>,
    weight: f64,
) -> Result<Array3<f64>, Error> {
    check_weight(weight)?;
    check_shape("second policy's probabilities", second, first.shape())?;
    Ok(weight * &first.view() + (1.0 - weight) * &second.view())
}

/// The policy that is `first` at the steps before `switch` and `second` from there on
/// (H × states × actions). Errors when the shapes differ or `switch` is after the last step.
pub fn switching(
    first: &ArrayRef3<f64>,
    second: &ArrayRef3<f64>,
    switch: usize,
) -> Result<Array3<f64>, Error> {
    check_shape("second policy's probabilities", second, first.shape())?;
    let horizon = first.len_of(Axis(0));
    require("switch", switch, switch <= horizon, &format!("0 to {horizon}"))?;
    let mut policy = second.to_owned();
    policy.slice_axis_mut(Axis(0), (0..switch).into()).assign(&first.slice_axis(Axis(0), (0..switch).into()));
    Ok(policy)
}

/// The Markov policy (H × states × actions) that is in every state, at every step, and takes every
/// action exactly as often as the episodic mixture that follows `first` with probability `weight`
/// and else `second`; it is therefore worth the same. In each state it weighs the two by how likely
/// they are to be there; where neither ever is, it is their step mixture.
///
/// Errors when the weight is not from 0 to 1, the problem has no horizon, or a policy is none.
pub fn markov_equivalent(
    mdp: &FiniteMdp,
    first: &ArrayRef3<f64>,
    second: &ArrayRef3<f64>,
    weight: f64,
) -> Result<Array3<f64>, Error> {
    check_weight(weight)?;
    check_staged_policy(mdp, first)?;
    let mut policy = step_mixture(first, second, weight)?;
    let occupancy = weight * horizon_state_action_occupancy(mdp, first)?
        + (1.0 - weight) * horizon_state_action_occupancy(mdp, second)?;
    for (mut row, pairs) in policy.rows_mut().into_iter().zip(occupancy.rows()) {
        let total = pairs.sum();
        if total > 0.0 {
            row.assign(&(&pairs / total));
        }
    }
    Ok(policy)
}
