//! Exact answers for submodular exploration: what a policy is worth and its gradient by enumeration,
//! optimal plans by branch and bound, and the constants of the guarantees.
//!
//! Problems are anything that is [`Submodular`]. The return is F of the set of places visited, so no
//! table of values exists: exact means enumerating trajectories, or searching them with a bound.
//!
//! | part | what |
//! |---|---|
//! | [`expected_value`], [`expected_gains`], [`estimator_moments`] | J(π) and the exact mean and second moment of a gradient estimator, for small problems |
//! | [`optimal_value`] | the best history-dependent policy, moves may be noisy, for small problems |
//! | [`greedy_plan`], [`beam_plan`], [`optimal_plan`] | open-loop plans where moves are reliable: one step ahead, many at once, the best |
//! | [`optimal_set`] | the best set of a given size, where every place can always be reached |
//! | [`curvature`] | c, from which J(π) ≥ (1 − c) J* at the stationary points of the policy gradient |

mod enumeration;
mod plans;
mod sets;
#[cfg(test)]
mod tests;

pub use enumeration::{Moments, estimator_moments, expected_gains, expected_value, optimal_value, softmax};
pub use plans::{Plan, beam_plan, greedy_plan, optimal_plan};
pub use sets::{curvature, optimal_set};

use assay_environments::submodular::Submodular;

use crate::Error;

/// Errors where moves are not reliable.
fn check_reliable(what: &'static str, problem: &dyn Submodular) -> Result<(), Error> {
    let noise = problem.moves().noise();
    if noise == 0.0 {
        return Ok(());
    }
    Err(Error::Unreliable { what, noise })
}
