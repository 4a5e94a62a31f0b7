//! Robust problems: what a policy is worth, and what is best, when the process is only known to lie in
//! a set.
//!
//! On an sa-rectangular set (Iyengar 2005, "Robust dynamic programming") the worst process for a
//! stationary policy is found state by state, the best policy is deterministic, and there is no gap
//! between max min and min max (Wiesemann, Kuhn and Rustem 2013, "Robust Markov decision processes"):
//!
//! ```text
//! V(s) = max_a min_k Σ P_k(s'|s, a) (r_k + γ V(s'))
//! max_π min_T V^π_T = min_T max_π V^π_T = V
//! ```
//!
//! On a list of whole processes none of this holds, and the worst one is found by trying all.

use assay_environments::{
    parameters::require,
    tabular::{FiniteMdp, RectangularSet, Transition},
};
use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2};

use crate::{
    Error,
    bellman::check_discount_below_one,
    evaluation::evaluate,
    policy::{best, check_policy, greedy},
};

/// Far more than any sensible discount and tolerance need.
const MOST_ITERATIONS: usize = 10_000_000;
/// An alternative must be worse by this, relatively, to take another's place: else rounding could make
/// equally bad ones alternate for ever.
const TIE: f64 = 1e-12;

/// The robust optimum on an sa-rectangular set.
#[derive(Clone, Debug, PartialEq)]
pub struct RobustOptimum {
    /// V(s), the largest value that can be had whatever the process.
    pub values: Array1<f64>,
    /// min_k Σ P_k (r_k + γ V) of each state and action (states × actions).
    pub action_values: Array2<f64>,
    /// A best policy (states × actions), which is deterministic.
    pub policy: Array2<f64>,
    /// The alternative that is worst against V, for each state and action (states · actions).
    pub choice: Vec<usize>,
    /// Iterations that it took; each reads every alternative once.
    pub iterations: usize,
}

impl RobustOptimum {
    /// The expected return of an episode from the start of the processes of `set`.
    pub fn expected_return(&self, set: &RectangularSet) -> f64 {
        expected(set.nominal(), &self.values)
    }
}

/// What a policy is worth in the worst process.
#[derive(Clone, Debug, PartialEq)]
pub struct RobustEvaluation {
    /// The smallest V(s) of any process.
    pub values: Array1<f64>,
    /// The alternatives of a worst process, for each state and action (states · actions).
    pub choice: Vec<usize>,
    /// Processes that were evaluated on the way.
    pub iterations: usize,
}

impl RobustEvaluation {
    /// The expected return of an episode from the start of the processes of `set`.
    pub fn expected_return(&self, set: &RectangularSet) -> f64 {
        expected(set.nominal(), &self.values)
    }
}

/// Robust value iteration, V ← max_a min_k Σ P_k (r_k + γ V), until V is within `tolerance` of the
/// robust optimum in every state. `discount` is from 0 to below 1. Errors when a number is out of its
/// range, or the values do not settle.
pub fn robust_value_iteration(
    set: &RectangularSet,
    discount: f64,
    tolerance: f64,
) -> Result<RobustOptimum, Error> {
    check_discount_below_one(discount)?;
    require("tolerance", tolerance, tolerance > 0.0, "positive")?;
    let nominal = set.nominal();
    let mut values = Array1::zeros(nominal.states());
    let mut action_values = Array2::zeros((nominal.states(), nominal.actions()));
    let mut choice = vec![0; nominal.states() * nominal.actions()];
    let mut change = f64::INFINITY;
    for iterations in 1..=MOST_ITERATIONS {
        look_ahead(set, discount, &values, &mut action_values, &mut choice);
        change = 0.0;
        for (state, (value, q)) in values.iter_mut().zip(action_values.rows()).enumerate() {
            let new = if nominal.is_terminal(state) { 0.0 } else { q[best(&q)] };
            change = f64::max(change, (new - *value).abs());
            *value = new;
        }
        if discount / (1.0 - discount) * change <= tolerance {
            look_ahead(set, discount, &values, &mut action_values, &mut choice);
            let policy = greedy(&action_values);
            return Ok(RobustOptimum { values, action_values, policy, choice, iterations });
        }
    }
    let what = "robust value iteration";
    Err(Error::NoConvergence { what, iterations: MOST_ITERATIONS, residual: change })
}

/// What a stationary policy (states × actions) is worth in the worst process of a set, exactly: policy
/// iteration of whoever chooses the process, with a linear solve for each.
///
/// `discount` is from 0 to below 1. Errors when it is not, or the policy is none.
pub fn robust_evaluation(
    set: &RectangularSet,
    policy: &ArrayRef2<f64>,
    discount: f64,
) -> Result<RobustEvaluation, Error> {
    check_discount_below_one(discount)?;
    let nominal = set.nominal();
    check_policy(nominal, policy)?;
    let actions = nominal.actions();
    let mut choice = vec![0; nominal.states() * actions];
    for iterations in 1..=MOST_ITERATIONS {
        let values = evaluate(&set.model(&choice)?, policy, discount)?.values;
        let mut changed = false;
        for (row, chosen) in choice.iter_mut().enumerate() {
            let (state, action) = (row / actions, row % actions);
            let rows = set.alternatives(state, action);
            let now = row_value(&rows[*chosen], &values, discount);
            let (worst, value) = worst_row(rows, &values, discount);
            if value < now - TIE * (1.0 + now.abs()) {
                *chosen = worst;
                // What the policy never does matters to nobody.
                changed |= policy[[state, action]] > 0.0;
            }
        }
        if !changed {
            return Ok(RobustEvaluation { values, choice, iterations });
        }
    }
    let what = "robust policy evaluation";
    Err(Error::NoConvergence { what, iterations: MOST_ITERATIONS, residual: f64::NAN })
}

/// The process of a list in which a stationary policy (states × actions) has the smallest expected
/// return from the start, the first of several, with that return, by linear solves.
///
/// `discount` is from 0 to 1. Errors when the list is empty, a process has a horizon, the policy is
/// none, or, with a discount of 1, it does not end every episode.
pub fn worst_model(
    models: &[FiniteMdp],
    policy: &ArrayRef2<f64>,
    discount: f64,
) -> Result<(usize, f64), Error> {
    require("models", models.len(), !models.is_empty(), "at least 1")?;
    let mut worst = (0, f64::INFINITY);
    for (i, model) in models.iter().enumerate() {
        let value = evaluate(model, policy, discount)?.expected_return(model);
        if value < worst.1 {
            worst = (i, value);
        }
    }
    Ok(worst)
}

fn expected(mdp: &FiniteMdp, values: &ArrayRef1<f64>) -> f64 {
    mdp.initial().iter().zip(values).map(|(p, v)| p * v).sum()
}

fn row_value(row: &[Transition], values: &ArrayRef1<f64>, discount: f64) -> f64 {
    row.iter().map(|t| t.probability * (t.reward + discount * values[t.next])).sum()
}

/// The worst of several rows, the first of equals, with its value.
fn worst_row(rows: &[Vec<Transition>], values: &ArrayRef1<f64>, discount: f64) -> (usize, f64) {
    let mut worst = (0, f64::INFINITY);
    for (k, row) in rows.iter().enumerate() {
        let value = row_value(row, values, discount);
        if value < worst.1 {
            worst = (k, value);
        }
    }
    worst
}

/// The worst alternative of every state and action, and its value.
fn look_ahead(
    set: &RectangularSet,
    discount: f64,
    values: &ArrayRef1<f64>,
    action_values: &mut ArrayRef2<f64>,
    choice: &mut [usize],
) {
    for (((state, action), q), chosen) in action_values.indexed_iter_mut().zip(choice) {
        (*chosen, *q) = worst_row(set.alternatives(state, action), values, discount);
    }
}
