//! How well a distribution of data covers what policies visit.

use assay_environments::tabular::FiniteMdp;
use ndarray::{Array2, ArrayRef, ArrayRef2, Dimension};

use crate::{Error, bellman::check_discount_below_one, planning::policy_iteration_for, policy::check_shape};

/// max target/data over everything that the target visits, and infinite where there is no data.
///
/// For state-action occupancies this is the single-policy concentrability coefficient, for state
/// occupancies the distribution mismatch coefficient. Errors when the shapes differ.
pub fn concentrability<D: Dimension>(
    target: &ArrayRef<f64, D>,
    data: &ArrayRef<f64, D>,
) -> Result<f64, Error> {
    check_shape("data's probabilities", data, target.shape())?;
    let visited = target.iter().zip(data).filter(|(target, _)| **target > 0.0);
    Ok(visited.map(|(target, data)| target / data).fold(0.0, f64::max))
}

/// Σ target²/data = 1 + χ²(target, data): how much an importance-weighted average over the data
/// varies. Never more than [`concentrability`]. Errors when the shapes differ.
pub fn chi_square_concentrability<D: Dimension>(
    target: &ArrayRef<f64, D>,
    data: &ArrayRef<f64, D>,
) -> Result<f64, Error> {
    check_shape("data's probabilities", data, target.shape())?;
    let visited = target.iter().zip(data).filter(|(target, _)| **target > 0.0);
    Ok(visited.map(|(target, data)| target * target / data).sum())
}

/// The largest discounted occupancy max_π d^π(s, a) that any policy gives each state and action
/// (states × actions), terminal states excepted, where it is zero. Each entry is the optimum of a
/// problem of its own, with a reward in that state and action alone.
///
/// `discount` is from 0 to below 1. Errors when the problem has a horizon.
pub fn largest_occupancy(mdp: &FiniteMdp, discount: f64) -> Result<Array2<f64>, Error> {
    check_discount_below_one(discount)?;
    let shape = (mdp.states(), mdp.actions());
    let mut largest = Array2::zeros(shape);
    for ((state, action), entry) in largest.indexed_iter_mut() {
        if !mdp.is_terminal(state) {
            let mut reward = Array2::zeros(shape);
            reward[[state, action]] = 1.0;
            let optimum = policy_iteration_for(mdp, discount, &reward)?;
            *entry = (1.0 - discount) * optimum.expected_return(mdp);
        }
    }
    Ok(largest)
}

/// The concentrability coefficient over all policies, max_π max_{s,a} d^π(s, a)/data(s, a).
///
/// `data` is a distribution over states and actions. Ranges and errors as [`largest_occupancy`],
/// and when the shapes differ.
pub fn all_policy_concentrability(
    mdp: &FiniteMdp,
    data: &ArrayRef2<f64>,
    discount: f64,
) -> Result<f64, Error> {
    concentrability(&largest_occupancy(mdp, discount)?, data)
}
