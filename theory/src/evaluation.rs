//! What a policy is worth: values by linear solve, or step by step back from a horizon.

use assay_environments::tabular::FiniteMdp;
use ndarray::{Array1, Array2, Array3, ArrayRef2, ArrayRef3, Axis};

use crate::{
    Error,
    bellman::{check_discount, check_no_horizon, entropy_bonus, look_ahead, solve_values},
    policy::{average, check_policy, check_staged_policy},
};

/// What a stationary policy is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// V(s), the expected discounted return from each state.
    pub values: Array1<f64>,
    /// Q(s, a), the same after taking an action first (states × actions).
    pub action_values: Array2<f64>,
    /// A(s, a) = Q(s, a) − V(s) (states × actions).
    pub advantages: Array2<f64>,
}

impl Evaluation {
    /// The expected return of an episode of `mdp` from its start.
    pub fn expected_return(&self, mdp: &FiniteMdp) -> f64 {
        mdp.initial().iter().zip(&self.values).map(|(p, v)| p * v).sum()
    }
}

/// What a policy is worth at every step before a horizon H.
#[derive(Clone, Debug, PartialEq)]
pub struct HorizonEvaluation {
    /// V_h(s), the expected return from step h on, discounted to step h; zero at step H
    /// (H + 1 × states).
    pub values: Array2<f64>,
    /// Q_h(s, a) (H × states × actions).
    pub action_values: Array3<f64>,
    /// A_h(s, a) = Q_h(s, a) − V_h(s) (H × states × actions).
    pub advantages: Array3<f64>,
}

impl HorizonEvaluation {
    /// The expected return of an episode of `mdp` from its start.
    pub fn expected_return(&self, mdp: &FiniteMdp) -> f64 {
        mdp.initial().iter().zip(self.values.row(0)).map(|(p, v)| p * v).sum()
    }
}

/// Evaluates a stationary policy (states × actions) exactly, by solving V = r_π + γ P_π V.
///
/// `discount` is from 0 to 1. Errors when the problem has a horizon, the policy is none, or, with
/// a discount of 1, it does not end every episode.
pub fn evaluate(mdp: &FiniteMdp, policy: &ArrayRef2<f64>, discount: f64) -> Result<Evaluation, Error> {
    evaluate_soft(mdp, policy, discount, 0.0)
}

/// Evaluates a policy (H × states × actions) backwards from the problem's horizon H.
///
/// `discount` is from 0 to 1. Errors when the problem has no horizon or the policy is none.
pub fn evaluate_horizon(
    mdp: &FiniteMdp,
    policy: &ArrayRef3<f64>,
    discount: f64,
) -> Result<HorizonEvaluation, Error> {
    evaluate_horizon_soft(mdp, policy, discount, 0.0)
}

/// [`evaluate`] with an entropy bonus of weight `temperature`.
pub(crate) fn evaluate_soft(
    mdp: &FiniteMdp,
    policy: &ArrayRef2<f64>,
    discount: f64,
    temperature: f64,
) -> Result<Evaluation, Error> {
    check_no_horizon(mdp, "a discounted evaluation")?;
    check_discount(discount)?;
    check_policy(mdp, policy)?;
    let reward = average(policy, &mdp.rewards(0)) + entropy_bonus(policy, temperature);
    let values = solve_values(mdp, policy, discount, &reward)?;
    let mut action_values = Array2::zeros(policy.dim());
    look_ahead(mdp, 0, &values, discount, &mut action_values);
    let advantages = advantages(mdp, policy, &values, &action_values, temperature);
    Ok(Evaluation { values, action_values, advantages })
}

/// [`evaluate_horizon`] with an entropy bonus of weight `temperature`.
pub(crate) fn evaluate_horizon_soft(
    mdp: &FiniteMdp,
    policy: &ArrayRef3<f64>,
    discount: f64,
    temperature: f64,
) -> Result<HorizonEvaluation, Error> {
    check_discount(discount)?;
    let horizon = check_staged_policy(mdp, policy)?;
    let mut values = Array2::zeros((horizon + 1, mdp.states()));
    let mut action_values = Array3::zeros(policy.dim());
    let mut all_advantages = Array3::zeros(policy.dim());
    for step in (0..horizon).rev() {
        let policy = policy.index_axis(Axis(0), step);
        let mut q = action_values.index_axis_mut(Axis(0), step);
        look_ahead(mdp, step, &values.row(step + 1), discount, &mut q);
        let mut v = average(&policy, &q) + entropy_bonus(&policy, temperature);
        (0..mdp.states()).filter(|&s| mdp.is_terminal(s)).for_each(|s| v[s] = 0.0);
        all_advantages.index_axis_mut(Axis(0), step).assign(&advantages(mdp, &policy, &v, &q, temperature));
        values.row_mut(step).assign(&v);
    }
    Ok(HorizonEvaluation { values, action_values, advantages: all_advantages })
}

/// Q − τ log π − V, and zero in terminal states.
fn advantages(
    mdp: &FiniteMdp,
    policy: &ArrayRef2<f64>,
    values: &Array1<f64>,
    action_values: &ArrayRef2<f64>,
    temperature: f64,
) -> Array2<f64> {
    Array2::from_shape_fn(policy.dim(), |(s, a)| {
        if mdp.is_terminal(s) {
            return 0.0;
        }
        let bonus = if temperature == 0.0 { 0.0 } else { -temperature * policy[[s, a]].ln() };
        action_values[[s, a]] + bonus - values[s]
    })
}
