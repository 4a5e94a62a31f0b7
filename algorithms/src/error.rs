//! What can go wrong while learning.

use assay_environments::parameters::ParameterError;
use thiserror::Error as ThisError;

/// An error of a learner, its configuration or its checkpoint.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The environment failed.
    #[error(transparent)]
    Environment(#[from] assay_environments::Error),
    /// An unknown name, or a field that is unknown or out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// An exact computation failed.
    #[error(transparent)]
    Theory(#[from] assay_theory::Error),
    /// The algorithm cannot act in this environment.
    #[error("{algorithm} needs {needed}; the environment has {found}")]
    Unsupported {
        /// The algorithm's name.
        algorithm: &'static str,
        /// What the algorithm needs, in words.
        needed: String,
        /// What the environment offers, in words.
        found: String,
    },
    /// A loss, gradient or parameter is not finite: the run cannot go on.
    #[error("{what} is {value} after {steps} environment steps")]
    NonFinite {
        /// Which quantity, for example `policy loss`.
        what: &'static str,
        /// Its value.
        value: f64,
        /// Environment steps taken so far.
        steps: u64,
    },
    /// A checkpoint that is damaged, or belongs to something else.
    #[error("the checkpoint cannot be used: {reason}")]
    Checkpoint {
        /// What does not fit.
        reason: String,
    },
    /// The compute device failed.
    #[error("{device}: {reason}")]
    Device {
        /// The device's name.
        device: &'static str,
        /// What it reports.
        reason: String,
    },
}

impl Error {
    /// The same error, with the number of environment steps taken where it has none of its own:
    /// networks and optimisers do not know it.
    pub fn after(self, steps: u64) -> Self {
        match self {
            Error::NonFinite { what, value, .. } => Error::NonFinite { what, value, steps },
            other => other,
        }
    }
}

/// Errors with the first number that is not finite; `what` is what the numbers are. The error's
/// number of steps is zero: [`Error::after`] tells it.
pub(crate) fn require_finite(what: &'static str, values: &[f32]) -> Result<(), Error> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(&value) => Err(Error::NonFinite { what, value: f64::from(value), steps: 0 }),
        None => Ok(()),
    }
}
