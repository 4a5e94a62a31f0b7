//! Optimal policies: value iteration, policy iteration, and backward induction from a horizon.

use assay_environments::{parameters::require, tabular::FiniteMdp};
use ndarray::{Array1, Array2, Array3, ArrayRef2, Axis, Zip};

use crate::{
    Error,
    bellman::{best_policy, best_value, check_discount, check_no_horizon, horizon, look_ahead, solve_values},
    policy::{average, best, check_shape, deterministic, uniform},
};

/// Far more than any sensible discount and tolerance need.
const MOST_ITERATIONS: usize = 10_000_000;
/// Policy iteration keeps an action whose value is this close, relatively, to the best: else
/// rounding could make it alternate between equally good ones for ever.
const TIE: f64 = 1e-12;

/// The optimum of a problem without a horizon.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimum {
    /// V*(s).
    pub values: Array1<f64>,
    /// Q*(s, a) (states × actions).
    pub action_values: Array2<f64>,
    /// An optimal policy (states × actions).
    pub policy: Array2<f64>,
    /// Iterations that it took.
    pub iterations: usize,
}

impl Optimum {
    /// The largest expected return of an episode of `mdp` from its start.
    pub fn expected_return(&self, mdp: &FiniteMdp) -> f64 {
        mdp.initial().iter().zip(&self.values).map(|(p, v)| p * v).sum()
    }
}

/// The optimum of a problem with a horizon H.
#[derive(Clone, Debug, PartialEq)]
pub struct HorizonOptimum {
    /// V*_h(s), zero at step H (H + 1 × states).
    pub values: Array2<f64>,
    /// Q*_h(s, a) (H × states × actions).
    pub action_values: Array3<f64>,
    /// An optimal policy (H × states × actions).
    pub policy: Array3<f64>,
}

impl HorizonOptimum {
    /// The largest expected return of an episode of `mdp` from its start.
    pub fn expected_return(&self, mdp: &FiniteMdp) -> f64 {
        mdp.initial().iter().zip(self.values.row(0)).map(|(p, v)| p * v).sum()
    }
}

/// Value iteration, V ← max_a (r + γ P V), until V is within `tolerance` of V* in every state.
///
/// `discount` is from 0 to 1. Below 1, the distance is bounded by γ/(1 − γ) times the last change;
/// at 1 (where episodes must end by themselves) the last change itself is compared with the
/// tolerance. Errors when the problem has a horizon, or when the values do not settle.
pub fn value_iteration(mdp: &FiniteMdp, discount: f64, tolerance: f64) -> Result<Optimum, Error> {
    value_iteration_soft(mdp, discount, 0.0, tolerance)
}

/// [`value_iteration`] with an entropy bonus of weight `temperature`.
pub(crate) fn value_iteration_soft(
    mdp: &FiniteMdp,
    discount: f64,
    temperature: f64,
    tolerance: f64,
) -> Result<Optimum, Error> {
    check_no_horizon(mdp, "value iteration")?;
    check_discount(discount)?;
    require("tolerance", tolerance, tolerance > 0.0, "positive")?;
    let factor = if discount < 1.0 { discount / (1.0 - discount) } else { 1.0 };
    let mut values = Array1::zeros(mdp.states());
    let mut action_values = Array2::zeros((mdp.states(), mdp.actions()));
    let mut change = f64::INFINITY;
    for iterations in 1..=MOST_ITERATIONS {
        look_ahead(mdp, 0, &values, discount, &mut action_values);
        change = 0.0;
        for (state, (value, q)) in values.iter_mut().zip(action_values.rows()).enumerate() {
            let new = if mdp.is_terminal(state) { 0.0 } else { best_value(&q, temperature) };
            change = f64::max(change, (new - *value).abs());
            *value = new;
        }
        if factor * change <= tolerance {
            look_ahead(mdp, 0, &values, discount, &mut action_values);
            let policy = best_policy(&action_values, temperature);
            return Ok(Optimum { values, action_values, policy, iterations });
        }
        if !change.is_finite() {
            break;
        }
    }
    Err(Error::NoConvergence { what: "value iteration", iterations: MOST_ITERATIONS, residual: change })
}

/// Policy iteration: evaluates a policy exactly and makes it greedy, until it no longer changes.
/// The values are those of the final policy, by linear solve.
///
/// `discount` is from 0 to 1. It starts from the uniformly random policy. Errors when the problem
/// has a horizon, or when, with a discount of 1, a policy on the way does not end every episode.
pub fn policy_iteration(mdp: &FiniteMdp, discount: f64) -> Result<Optimum, Error> {
    policy_iteration_for(mdp, discount, &mdp.rewards(0))
}

/// [`policy_iteration`] with other rewards (states × actions) than the problem's own. Terminal
/// states have none.
pub(crate) fn policy_iteration_for(
    mdp: &FiniteMdp,
    discount: f64,
    rewards: &ArrayRef2<f64>,
) -> Result<Optimum, Error> {
    check_no_horizon(mdp, "policy iteration")?;
    check_discount(discount)?;
    let (states, actions) = (mdp.states(), mdp.actions());
    check_shape("rewards", rewards, &[states, actions])?;
    let mut policy = uniform(states, actions);
    let mut chosen: Option<Vec<usize>> = None;
    let mut action_values = Array2::zeros((states, actions));
    for iterations in 1..=MOST_ITERATIONS {
        let reward = average(&policy, rewards);
        let values = solve_values(mdp, &policy, discount, &reward)?;
        for ((s, a), q) in action_values.indexed_iter_mut() {
            let next: f64 = mdp.transitions(0, s, a).iter().map(|t| t.probability * values[t.next]).sum();
            *q = rewards[[s, a]] + discount * next;
        }
        let improved: Vec<usize> = action_values
            .rows()
            .into_iter()
            .enumerate()
            .map(|(state, q)| {
                let best = best(&q);
                match &chosen {
                    Some(old) if q[old[state]] >= q[best] - TIE * (1.0 + q[best].abs()) => old[state],
                    _ => best,
                }
            })
            .collect();
        if chosen.as_ref() == Some(&improved) {
            return Ok(Optimum { values, action_values, policy, iterations });
        }
        policy = deterministic(&improved, actions);
        chosen = Some(improved);
    }
    Err(Error::NoConvergence { what: "policy iteration", iterations: MOST_ITERATIONS, residual: f64::NAN })
}

/// Backward induction from the problem's horizon.
///
/// `discount` is from 0 to 1. Errors when the problem has no horizon.
pub fn backward_induction(mdp: &FiniteMdp, discount: f64) -> Result<HorizonOptimum, Error> {
    backward_induction_soft(mdp, discount, 0.0)
}

/// [`backward_induction`] with an entropy bonus of weight `temperature`.
pub(crate) fn backward_induction_soft(
    mdp: &FiniteMdp,
    discount: f64,
    temperature: f64,
) -> Result<HorizonOptimum, Error> {
    check_discount(discount)?;
    let horizon = horizon(mdp, "backward induction")?;
    let (states, actions) = (mdp.states(), mdp.actions());
    let mut values = Array2::zeros((horizon + 1, states));
    let mut action_values = Array3::zeros((horizon, states, actions));
    let mut policy = Array3::zeros((horizon, states, actions));
    for step in (0..horizon).rev() {
        let mut q = action_values.index_axis_mut(Axis(0), step);
        look_ahead(mdp, step, &values.row(step + 1), discount, &mut q);
        policy.index_axis_mut(Axis(0), step).assign(&best_policy(&q, temperature));
        Zip::indexed(values.row_mut(step)).and(q.rows()).for_each(|state, value, q| {
            *value = if mdp.is_terminal(state) { 0.0 } else { best_value(&q, temperature) };
        });
    }
    Ok(HorizonOptimum { values, action_values, policy })
}
