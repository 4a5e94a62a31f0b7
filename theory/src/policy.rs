//! Policies as tables: state × action, or step × state × action, with rows that sum to one.

use assay_environments::tabular::FiniteMdp;
use ndarray::{Array2, ArrayRef, ArrayRef1, ArrayRef2, ArrayRef3, Axis, Dimension};

use crate::Error;

/// How far a row's sum may be from one.
const TOLERANCE: f64 = 1e-9;

/// The uniformly random policy (states × actions).
pub fn uniform(states: usize, actions: usize) -> Array2<f64> {
    Array2::from_elem((states, actions), 1.0 / actions as f64)
}

/// The policy that takes one action in each state. Panics when an action is not below `actions`.
pub fn deterministic(chosen: &[usize], actions: usize) -> Array2<f64> {
    let mut policy = Array2::zeros((chosen.len(), actions));
    for (state, &action) in chosen.iter().enumerate() {
        policy[[state, action]] = 1.0;
    }
    policy
}

/// π(a|s) ∝ exp(logit(s, a)); rows of any shift give the same policy.
pub fn softmax(logits: &ArrayRef2<f64>) -> Array2<f64> {
    let mut policy = logits.to_owned();
    for mut row in policy.rows_mut() {
        let largest = row.fold(f64::NEG_INFINITY, |m, &x| m.max(x));
        row.mapv_inplace(|x| (x - largest).exp());
        let total = row.sum();
        row /= total;
    }
    policy
}

/// The policy that takes the action of largest value in each state, the first of several.
pub fn greedy(action_values: &ArrayRef2<f64>) -> Array2<f64> {
    let chosen: Vec<usize> = action_values.rows().into_iter().map(|row| best(&row)).collect();
    deterministic(&chosen, action_values.ncols())
}

/// The index of the largest number, the first of several.
pub(crate) fn best(values: &ArrayRef1<f64>) -> usize {
    let larger = |a: usize, b: usize| if values[b] > values[a] { b } else { a };
    (0..values.len()).reduce(larger).unwrap_or(0)
}

/// Errors unless `policy` is a stationary policy for `mdp`.
pub(crate) fn check_policy(mdp: &FiniteMdp, policy: &ArrayRef2<f64>) -> Result<(), Error> {
    check_shape("policy's probabilities", policy, &[mdp.states(), mdp.actions()])?;
    check_rows("policy", policy)
}

/// Errors unless `policy` is a policy for `mdp` and its horizon, which is returned.
pub(crate) fn check_staged_policy(mdp: &FiniteMdp, policy: &ArrayRef3<f64>) -> Result<usize, Error> {
    let horizon = crate::bellman::horizon(mdp, "an evaluation step by step")?;
    check_shape("policy's probabilities", policy, &[horizon, mdp.states(), mdp.actions()])?;
    check_rows("policy", policy)?;
    Ok(horizon)
}

pub(crate) fn check_shape<D: Dimension>(
    what: &'static str,
    array: &ArrayRef<f64, D>,
    expected: &[usize],
) -> Result<(), Error> {
    if array.shape() == expected {
        Ok(())
    } else {
        Err(Error::Shape { what, given: array.shape().to_vec(), expected: expected.to_vec() })
    }
}

/// Errors unless every row along the last axis is a distribution.
pub(crate) fn check_rows<D: Dimension>(what: &'static str, array: &ArrayRef<f64, D>) -> Result<(), Error> {
    for (index, row) in array.rows().into_iter().enumerate() {
        let total = row.sum();
        let negative = row.iter().find(|p| **p < 0.0);
        // A sum that is not a number fails the comparison, too.
        let sums = (total - 1.0).abs() <= TOLERANCE;
        if sums && negative.is_none() {
            continue;
        }
        let reason = match negative {
            Some(p) => format!("it holds {p}"),
            None => format!("it sums to {total}"),
        };
        // The place among the rows, written out per axis.
        let axes = &array.shape()[..array.ndim() - 1];
        let mut rest = index;
        let mut place: Vec<usize> = axes
            .iter()
            .rev()
            .map(|length| {
                let at = rest % length;
                rest /= length;
                at
            })
            .collect();
        place.reverse();
        return Err(Error::NotADistribution { what, row: place, reason });
    }
    Ok(())
}

/// Σₐ π(a|s) x(s, a) for every s.
pub(crate) fn average(policy: &ArrayRef2<f64>, x: &ArrayRef2<f64>) -> ndarray::Array1<f64> {
    (policy * x).sum_axis(Axis(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{arr2, arr3};

    #[test]
    fn softmax_does_not_depend_on_a_shift_and_survives_large_logits() {
        let p = softmax(&arr2(&[[0.0, 3f64.ln()], [1e300, 1e300]]));
        assert!((p[[0, 1]] - 0.75).abs() < 1e-15);
        assert_eq!(p.row(1).to_vec(), [0.5, 0.5]);
        assert!(
            (&p - &softmax(&arr2(&[[7.0, 7.0 + 3f64.ln()], [0.0, 0.0]]))).iter().all(|d| d.abs() < 1e-15)
        );
    }

    #[test]
    fn greedy_takes_the_first_of_the_best_actions() {
        assert_eq!(greedy(&arr2(&[[1.0, 2.0, 2.0], [3.0, 0.0, 1.0]])), deterministic(&[1, 0], 3));
    }

    #[test]
    fn a_table_that_is_no_policy_is_an_error_that_names_the_row() {
        let message = |e: Result<(), Error>| e.unwrap_err().to_string();
        let m = message(check_rows("policy", &arr3(&[[[1.0, 0.0], [0.5, 0.5]], [[0.5, 0.5], [0.7, 0.7]]])));
        assert!(m.contains("[1, 1]") && m.contains("sums to 1.4"), "{m}");
        let m = message(check_rows("policy", &arr2(&[[1.5, -0.5]])));
        assert!(m.contains("[0]") && m.contains("-0.5"), "{m}");
        let m = message(check_rows("policy", &arr2(&[[f64::NAN, 0.5]])));
        assert!(m.contains("NaN"), "{m}");
    }
}
