//! Sets without moves: curvature, and the best set of a size.

use assay_environments::submodular::{SetFunction, VisitedSet, singles};

use crate::Error;

/// c = 1 − min_s F(s|V∖s)/F({s}), over states of positive value: 0 for a modular function, 1 where some
/// state can become worthless. 0 where no state has a value. Needs n evaluations of F by definition.
pub fn curvature(function: &dyn SetFunction) -> f64 {
    let all: Vec<usize> = (0..function.states()).collect();
    let everything = function.value(&all);
    let ratios = singles(function).into_iter().enumerate().filter(|(_, single)| *single > 0.0).map(
        |(state, single)| {
            let others: Vec<usize> = all.iter().copied().filter(|&other| other != state).collect();
            (everything - function.value(&others)) / single
        },
    );
    1.0 - ratios.fold(1.0, f64::min).clamp(0.0, 1.0)
}

/// The best set that contains `given` and `count` more states, with its value, by branch and bound over
/// at most `limit` beginnings: by submodularity, a set gains at most the sum of the largest gains. Errors
/// with [`Error::NoConvergence`] when the limit does not suffice.
pub fn optimal_set(
    function: &dyn SetFunction,
    given: &[usize],
    count: usize,
    limit: usize,
) -> Result<(Vec<usize>, f64), Error> {
    let mut set = VisitedSet::new(function, given.len() + count);
    for &state in given {
        set.add(function, state);
    }
    // The greedy set to begin with.
    let mut best = set.clone();
    for _ in 0..count {
        let gains = (0..function.states()).map(|state| (best.gain(function, state), state));
        let largest = gains.fold((f64::NEG_INFINITY, 0), |a, b| if b.0 > a.0 { b } else { a });
        best.add(function, largest.1);
    }
    let mut nodes = 0;
    if extend(function, &set, 0, count, &mut best, &mut nodes, limit) {
        return Ok((best.members().to_vec(), best.value()));
    }
    let residual = bound(function, &mut set, 0, count).0 - best.value();
    Err(Error::NoConvergence { what: "branch and bound", iterations: nodes, residual })
}

/// The value of the set and its `count` largest gains among the states from `first` on; and the gains.
fn bound(function: &dyn SetFunction, set: &mut VisitedSet, first: usize, count: usize) -> (f64, Vec<f64>) {
    let mut gains: Vec<f64> = (first..function.states()).map(|state| set.gain(function, state)).collect();
    gains.sort_by(|a, b| b.total_cmp(a));
    (set.value() + gains.iter().take(count).sum::<f64>(), gains)
}

/// Looks for better sets: those with `count` more states from `first` on. False when the limit was
/// reached.
fn extend(
    function: &dyn SetFunction,
    set: &VisitedSet,
    first: usize,
    count: usize,
    best: &mut VisitedSet,
    nodes: &mut usize,
    limit: usize,
) -> bool {
    *nodes += 1;
    if *nodes > limit {
        return false;
    }
    if set.value() > best.value() {
        *best = set.clone();
    }
    if count == 0 {
        return true;
    }
    let mut here = set.clone();
    for state in first..function.states() {
        if bound(function, &mut here, state, count).0 <= best.value() * (1.0 + 1e-12) + 1e-12 {
            break;
        }
        let mut with = set.clone();
        with.add(function, state);
        if !extend(function, &with, state + 1, count - 1, best, nodes, limit) {
            return false;
        }
    }
    true
}
