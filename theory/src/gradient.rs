//! Exact gradients of the expected return for softmax policies π = softmax(θ), with one logit
//! θ(s, a) for each state and action.

use assay_environments::tabular::FiniteMdp;
use nalgebra::DMatrix;
use ndarray::{Array2, ArrayRef2, Axis, s};

use crate::{
    Error,
    bellman::horizon,
    evaluation::{evaluate, evaluate_horizon},
    occupancy::{horizon_state_occupancy, state_occupancy},
    policy::{check_shape, softmax},
};

/// The policy gradient ∂J/∂θ(s, a) = d(s) π(a|s) A(s, a)/(1 − γ) (states × actions) of
/// J = E Σ γᵗ rₜ (Sutton et al., 2000; Agarwal et al., 2021, arXiv 1908.00261, Lemma C.1).
///
/// `discount` is from 0 to below 1. Errors when the problem has a horizon or the logits have
/// another shape.
pub fn policy_gradient(
    mdp: &FiniteMdp,
    logits: &ArrayRef2<f64>,
    discount: f64,
) -> Result<Array2<f64>, Error> {
    let policy = policy_of(mdp, logits)?;
    let occupancy = state_occupancy(mdp, &policy, discount)?;
    let advantages = evaluate(mdp, &policy, discount)?.advantages;
    Ok(policy * advantages * occupancy.insert_axis(Axis(1)) / (1.0 - discount))
}

/// The policy gradient of J = E Σ_{h < H} γʰ r_h for a stationary softmax policy in a problem with
/// a horizon H (states × actions).
///
/// `discount` is from 0 to 1. Errors when the problem has no horizon or the logits have another
/// shape.
pub fn horizon_policy_gradient(
    mdp: &FiniteMdp,
    logits: &ArrayRef2<f64>,
    discount: f64,
) -> Result<Array2<f64>, Error> {
    let policy = policy_of(mdp, logits)?;
    let steps = horizon(mdp, "a gradient step by step")?;
    let mut staged = ndarray::Array3::zeros((steps, mdp.states(), mdp.actions()));
    staged += &policy;
    let occupancy = horizon_state_occupancy(mdp, &staged)?;
    let advantages = evaluate_horizon(mdp, &staged, discount)?.advantages;
    let mut gradient = Array2::zeros(policy.dim());
    let mut weight = 1.0;
    for step in 0..steps {
        let here = occupancy.row(step).insert_axis(Axis(1));
        gradient += &(&advantages.index_axis(Axis(0), step) * &policy * here * weight);
        weight *= discount;
    }
    Ok(gradient)
}

/// The Fisher information F = E_{s ~ d, a ~ π} [∇log π ∇log πᵀ] of a softmax policy under its own
/// discounted occupancy. Rows and columns are numbered state · actions + action; only blocks of one
/// state are not zero, d(s) (diag π − π πᵀ).
///
/// `discount` is from 0 to below 1. Errors when the problem has a horizon or the logits have
/// another shape.
pub fn fisher_information(
    mdp: &FiniteMdp,
    logits: &ArrayRef2<f64>,
    discount: f64,
) -> Result<Array2<f64>, Error> {
    let policy = policy_of(mdp, logits)?;
    let occupancy = state_occupancy(mdp, &policy, discount)?;
    let actions = mdp.actions();
    let size = mdp.states() * actions;
    let mut fisher = Array2::zeros((size, size));
    for (state, (p, d)) in policy.rows().into_iter().zip(&occupancy).enumerate() {
        let here = state * actions..(state + 1) * actions;
        let mut block = fisher.slice_mut(s![here.clone(), here]);
        for ((a, b), entry) in block.indexed_iter_mut() {
            let diagonal = if a == b { p[a] } else { 0.0 };
            *entry = d * (diagonal - p[a] * p[b]);
        }
    }
    Ok(fisher)
}

/// The least eigenvalue of the [Fisher information](fisher_information) over the directions that
/// change the policy: those in which the logits of a state do not all move alike. Zero where a state
/// is never visited or a policy is deterministic; there and near there the natural gradient has no
/// bound. Infinite when there is a single action.
///
/// `discount` is from 0 to below 1. Errors when the problem has a horizon or the logits have
/// another shape.
pub fn least_fisher_eigenvalue(
    mdp: &FiniteMdp,
    logits: &ArrayRef2<f64>,
    discount: f64,
) -> Result<f64, Error> {
    let policy = policy_of(mdp, logits)?;
    let occupancy = state_occupancy(mdp, &policy, discount)?;
    let actions = mdp.actions();
    let mut least = f64::INFINITY;
    for ((state, p), d) in policy.rows().into_iter().enumerate().zip(&occupancy) {
        if mdp.is_terminal(state) || actions == 1 {
            continue;
        }
        let block = DMatrix::from_fn(actions, actions, |a, b| {
            let diagonal = if a == b { p[a] } else { 0.0 };
            diagonal - p[a] * p[b]
        });
        let mut eigenvalues: Vec<f64> = block.symmetric_eigenvalues().iter().copied().collect();
        eigenvalues.sort_by(f64::total_cmp);
        // The smallest one is zero, for the direction in which all logits move alike.
        least = least.min(d * eigenvalues[1].max(0.0));
    }
    Ok(least)
}

/// The natural gradient F⁺ ∇J (states × actions): the solution of F x = ∇J of smallest norm, which
/// is A(s, a)/(1 − γ), centred over the actions of each state, and zero in states that are never
/// visited (Kakade, 2001; Agarwal et al., 2021, arXiv 1908.00261, Lemma 5.1).
///
/// `discount` is from 0 to below 1. Errors when the problem has a horizon or the logits have
/// another shape.
pub fn natural_gradient(
    mdp: &FiniteMdp,
    logits: &ArrayRef2<f64>,
    discount: f64,
) -> Result<Array2<f64>, Error> {
    let policy = policy_of(mdp, logits)?;
    let occupancy = state_occupancy(mdp, &policy, discount)?;
    let mut natural = evaluate(mdp, &policy, discount)?.advantages / (1.0 - discount);
    for (mut row, d) in natural.rows_mut().into_iter().zip(&occupancy) {
        let mean = row.mean().unwrap_or(0.0);
        row.mapv_inplace(|x| if *d > 0.0 { x - mean } else { 0.0 });
    }
    Ok(natural)
}

fn policy_of(mdp: &FiniteMdp, logits: &ArrayRef2<f64>) -> Result<Array2<f64>, Error> {
    check_shape("logits", logits, &[mdp.states(), mdp.actions()])?;
    Ok(softmax(logits))
}
