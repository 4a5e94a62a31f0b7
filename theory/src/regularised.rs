//! Values and optima with an entropy bonus: every step earns, besides its reward, the temperature τ
//! times the policy's entropy in that state.
//!
//! Q(s, a) = r(s, a) + γ E V(s') does not contain the entropy of the current state;
//! V(s) = Σ π (Q − τ log π) does, and the optimum is V(s) = τ log Σ exp(Q(s, a)/τ) with
//! π ∝ exp(Q/τ) (Ziebart, 2010; Nachum et al., 2017, arXiv 1702.08892). As τ tends to zero,
//! everything tends to the values without the bonus.

use assay_environments::{
    parameters::{ParameterError, require},
    tabular::FiniteMdp,
};
use ndarray::{ArrayRef2, ArrayRef3};

use crate::{
    Error,
    evaluation::{Evaluation, HorizonEvaluation, evaluate_horizon_soft, evaluate_soft},
    planning::{HorizonOptimum, Optimum, backward_induction_soft, value_iteration_soft},
};

fn check_temperature(temperature: f64) -> Result<(), ParameterError> {
    let allowed = temperature > 0.0 && temperature.is_finite();
    require("temperature", temperature, allowed, "positive and finite")
}

/// [`evaluate`](crate::evaluation::evaluate) with an entropy bonus. The advantage is
/// Q − τ log π − V, which averages to zero under the policy and is infinite for an action that the
/// policy never takes. `temperature` is positive; errors as there.
pub fn evaluate(
    mdp: &FiniteMdp,
    policy: &ArrayRef2<f64>,
    discount: f64,
    temperature: f64,
) -> Result<Evaluation, Error> {
    check_temperature(temperature)?;
    evaluate_soft(mdp, policy, discount, temperature)
}

/// [`evaluate_horizon`](crate::evaluation::evaluate_horizon) with an entropy bonus; see
/// [`evaluate`].
pub fn evaluate_horizon(
    mdp: &FiniteMdp,
    policy: &ArrayRef3<f64>,
    discount: f64,
    temperature: f64,
) -> Result<HorizonEvaluation, Error> {
    check_temperature(temperature)?;
    evaluate_horizon_soft(mdp, policy, discount, temperature)
}

/// [`value_iteration`](crate::planning::value_iteration) with an entropy bonus; the optimal policy
/// is the softmax of Q/τ. `temperature` is positive; errors as there.
pub fn value_iteration(
    mdp: &FiniteMdp,
    discount: f64,
    temperature: f64,
    tolerance: f64,
) -> Result<Optimum, Error> {
    check_temperature(temperature)?;
    value_iteration_soft(mdp, discount, temperature, tolerance)
}

/// [`backward_induction`](crate::planning::backward_induction) with an entropy bonus.
/// `temperature` is positive; errors as there.
pub fn backward_induction(mdp: &FiniteMdp, discount: f64, temperature: f64) -> Result<HorizonOptimum, Error> {
    check_temperature(temperature)?;
    backward_induction_soft(mdp, discount, temperature)
}
