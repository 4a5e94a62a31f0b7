//! How much worse than optimal a policy, or a sequence of them, is.

use assay_environments::tabular::FiniteMdp;
use ndarray::{Array2, ArrayRef2, ArrayRef3, Axis};

use crate::{
    Error,
    evaluation::{evaluate, evaluate_horizon},
    planning::{Optimum, backward_induction, policy_iteration},
};

/// J* − J(π) from the problem's start; never negative, up to rounding.
///
/// Ranges and errors as [`policy_iteration`] and [`evaluate`].
pub fn optimality_gap(mdp: &FiniteMdp, policy: &ArrayRef2<f64>, discount: f64) -> Result<f64, Error> {
    let best = policy_iteration(mdp, discount)?.expected_return(mdp);
    Ok(best - evaluate(mdp, policy, discount)?.expected_return(mdp))
}

/// J* − J(π) in a problem with a horizon, for a policy step × state × action.
///
/// Ranges and errors as [`backward_induction`] and [`evaluate_horizon`].
pub fn horizon_optimality_gap(mdp: &FiniteMdp, policy: &ArrayRef3<f64>, discount: f64) -> Result<f64, Error> {
    let best = backward_induction(mdp, discount)?.expected_return(mdp);
    Ok(best - evaluate_horizon(mdp, policy, discount)?.expected_return(mdp))
}

/// The gaps V*(s) − Q*(s, a) (states × actions): what taking an action once, and acting optimally
/// afterwards, costs.
pub fn action_gaps(optimum: &Optimum) -> Array2<f64> {
    &optimum.values.view().insert_axis(Axis(1)) - &optimum.action_values
}

/// The cumulative regret Σₖ (J* − J(πₖ)) of a sequence of policies, as it grows.
#[derive(Clone, Debug, PartialEq)]
pub struct Regret {
    optimal: f64,
    cumulative: Vec<f64>,
}

impl Regret {
    /// No regret yet, in a problem whose largest expected return is `optimal`.
    pub fn new(optimal: f64) -> Self {
        Regret { optimal, cumulative: Vec::new() }
    }

    /// Adds an episode played with a policy whose expected return is `expected_return`.
    pub fn record(&mut self, expected_return: f64) {
        self.cumulative.push(self.total() + self.optimal - expected_return);
    }

    /// The regret of all episodes so far.
    pub fn total(&self) -> f64 {
        self.cumulative.last().copied().unwrap_or(0.0)
    }

    /// The regret after each episode.
    pub fn curve(&self) -> &[f64] {
        &self.cumulative
    }
}
