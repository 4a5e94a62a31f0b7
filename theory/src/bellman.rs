//! What evaluation and planning share: looking one step ahead, and linear systems of a policy.

use assay_environments::{parameters::require, tabular::FiniteMdp};
use nalgebra::{DMatrix, DVector};
use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2};

use crate::Error;

/// Errors unless the discount is from 0 to 1.
pub(crate) fn check_discount(discount: f64) -> Result<(), Error> {
    Ok(require("discount", discount, (0.0..=1.0).contains(&discount), "0 to 1")?)
}

/// Errors unless the discount is from 0 to below 1.
pub(crate) fn check_discount_below_one(discount: f64) -> Result<(), Error> {
    Ok(require("discount", discount, (0.0..1.0).contains(&discount), "0 to less than 1")?)
}

/// Errors when the problem has a horizon.
pub(crate) fn check_no_horizon(mdp: &FiniteMdp, what: &'static str) -> Result<(), Error> {
    match mdp.horizon() {
        None => Ok(()),
        Some(h) => Err(Error::Horizon { what, needed: "without a horizon", found: format!("{h} steps") }),
    }
}

/// The horizon; errors when there is none.
pub(crate) fn horizon(mdp: &FiniteMdp, what: &'static str) -> Result<usize, Error> {
    mdp.horizon().ok_or(Error::Horizon { what, needed: "with a horizon", found: "none".into() })
}

/// Q(s, a) = r(s, a) + γ Σ P(s'|s, a) V(s') at a step.
pub(crate) fn look_ahead(
    mdp: &FiniteMdp,
    step: usize,
    values: &ArrayRef1<f64>,
    discount: f64,
    action_values: &mut ArrayRef2<f64>,
) {
    for ((state, action), q) in action_values.indexed_iter_mut() {
        let next: f64 =
            mdp.transitions(step, state, action).iter().map(|t| t.probability * values[t.next]).sum();
        *q = mdp.reward(step, state, action) + discount * next;
    }
}

/// V with V(s) = reward(s) + γ Σ P_π(s'|s) V(s') and V = 0 in terminal states. Errors when, without
/// discounting, the policy does not end every episode.
pub(crate) fn solve_values(
    mdp: &FiniteMdp,
    policy: &ArrayRef2<f64>,
    discount: f64,
    reward: &ArrayRef1<f64>,
) -> Result<Array1<f64>, Error> {
    if discount == 1.0 {
        check_ends(mdp, policy)?;
    }
    let states = mdp.states();
    let mut system = DMatrix::identity(states, states);
    for_each_transition(mdp, policy, |state, next, probability| {
        if !mdp.is_terminal(state) {
            system[(state, next)] -= discount * probability;
        }
    });
    let right = DVector::from_fn(states, |s, _| if mdp.is_terminal(s) { 0.0 } else { reward[s] });
    solve(system, right)
}

/// d with d(s') = (1 − γ) initial(s') + γ Σ d(s) P_π(s'|s), for a discount below one.
pub(crate) fn solve_occupancy(
    mdp: &FiniteMdp,
    policy: &ArrayRef2<f64>,
    discount: f64,
) -> Result<Array1<f64>, Error> {
    let states = mdp.states();
    let mut system = DMatrix::identity(states, states);
    for_each_transition(mdp, policy, |state, next, probability| {
        system[(next, state)] -= discount * probability;
    });
    let right = DVector::from_iterator(states, mdp.initial().iter().map(|p| (1.0 - discount) * p));
    solve(system, right)
}

/// By LU decomposition with partial pivoting. The systems here are diagonally dominant (strictly so
/// with a discount below one, and otherwise with every state leading to a terminal one), hence not
/// singular, except by rounding.
fn solve(system: DMatrix<f64>, mut right: DVector<f64>) -> Result<Array1<f64>, Error> {
    let solved = system.lu().solve_mut(&mut right);
    if !solved || right.iter().any(|x| !x.is_finite()) {
        return Err(Error::Singular);
    }
    Ok(Array1::from_iter(right.iter().copied()))
}

/// Calls `visit(state, next, π(a|s) P(next|s, a))` for everything that may happen.
fn for_each_transition(mdp: &FiniteMdp, policy: &ArrayRef2<f64>, mut visit: impl FnMut(usize, usize, f64)) {
    for ((state, action), &p) in policy.indexed_iter() {
        if p > 0.0 {
            for t in mdp.transitions(0, state, action) {
                visit(state, t.next, p * t.probability);
            }
        }
    }
}

/// Errors unless a terminal state can be reached from every state under the policy.
fn check_ends(mdp: &FiniteMdp, policy: &ArrayRef2<f64>) -> Result<(), Error> {
    let mut before = vec![Vec::new(); mdp.states()];
    for_each_transition(mdp, policy, |state, next, _| before[next].push(state));
    let mut ends: Vec<bool> = (0..mdp.states()).map(|state| mdp.is_terminal(state)).collect();
    let mut open: Vec<usize> = (0..mdp.states()).filter(|&state| ends[state]).collect();
    while let Some(state) = open.pop() {
        for &earlier in &before[state] {
            if !std::mem::replace(&mut ends[earlier], true) {
                open.push(earlier);
            }
        }
    }
    match ends.iter().position(|ends| !ends) {
        Some(state) => Err(Error::NeverEnds { state }),
        None => Ok(()),
    }
}

/// max Q, or its soft version τ log Σ exp(Q/τ) at a positive temperature τ.
pub(crate) fn best_value(action_values: &ArrayRef1<f64>, temperature: f64) -> f64 {
    let largest = action_values.fold(f64::NEG_INFINITY, |m, &q| m.max(q));
    if temperature == 0.0 {
        return largest;
    }
    let sum: f64 = action_values.iter().map(|q| ((q - largest) / temperature).exp()).sum();
    largest + temperature * sum.ln()
}

/// The greedy policy, or its soft version ∝ exp(Q/τ) at a positive temperature τ.
pub(crate) fn best_policy(action_values: &ArrayRef2<f64>, temperature: f64) -> Array2<f64> {
    if temperature == 0.0 {
        crate::policy::greedy(action_values)
    } else {
        crate::policy::softmax(&(action_values / temperature))
    }
}

/// τ H(π(·|s)) for every state; zero at temperature zero.
pub(crate) fn entropy_bonus(policy: &ArrayRef2<f64>, temperature: f64) -> Array1<f64> {
    let entropy =
        |row: &ArrayRef1<f64>| -> f64 { row.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum() };
    policy.rows().into_iter().map(|row| temperature * entropy(&row)).collect()
}
