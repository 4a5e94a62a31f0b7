//! What can go wrong in an exact computation.

use assay_environments::parameters::ParameterError;
use thiserror::Error as ThisError;

/// An error of an exact computation.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The decision process could not be made.
    #[error(transparent)]
    Environment(#[from] assay_environments::Error),
    /// A number, such as a discount, out of its range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// An array of another shape than the decision process needs.
    #[error("the {what} have shape {given:?}; {expected:?} is needed")]
    Shape {
        /// Which array.
        what: &'static str,
        /// Its shape.
        given: Vec<usize>,
        /// The shape that is needed.
        expected: Vec<usize>,
    },
    /// Probabilities that are negative, not finite, or do not sum to one.
    #[error("row {row:?} of the {what} is no distribution: {reason}")]
    NotADistribution {
        /// Which array.
        what: &'static str,
        /// Where in it.
        row: Vec<usize>,
        /// What is wrong.
        reason: String,
    },
    /// A computation for problems without a horizon was given one that has it, or the reverse.
    #[error("{what} needs a problem {needed}; this one has {found}")]
    Horizon {
        /// Which computation.
        what: &'static str,
        /// With or without a horizon.
        needed: &'static str,
        /// What the problem has.
        found: String,
    },
    /// Without discounting, values exist only where every episode ends.
    #[error("without discounting the policy must end every episode, but from state {state} it never does")]
    NeverEnds {
        /// A state from which no terminal state is reached.
        state: usize,
    },
    /// Values so large that they cannot be told from infinite: episodes end too rarely.
    #[error("the values cannot be computed: the policy ends an episode too rarely")]
    Singular,
    /// An iteration that did not reach its tolerance.
    #[error("{what} is still {residual:e} off after {iterations} iterations")]
    NoConvergence {
        /// Which computation.
        what: &'static str,
        /// Iterations done.
        iterations: usize,
        /// Change in the last one.
        residual: f64,
    },
    /// The solver of a linear program gave up.
    #[error("the linear program was not solved: {reason}")]
    LinearProgram {
        /// What it reports.
        reason: String,
    },
    /// A plan was asked for where actions do not do what they should.
    #[error("{what} needs reliable moves; here an action is replaced with probability {noise}")]
    Unreliable {
        /// Which computation.
        what: &'static str,
        /// The probability of another action.
        noise: f64,
    },
    /// Numbers that no rate can be fitted to.
    #[error("no rate can be fitted: {reason}")]
    NoRate {
        /// Why not.
        reason: String,
    },
}
