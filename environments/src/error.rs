//! What can go wrong in an environment or between an environment and its user.

use thiserror::Error as ThisError;

use crate::{conformance::ConformanceError, parameters::ParameterError};

/// An error of an environment, of a batch of environments, or of the catalogue.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The action is of another kind, or has another length, than the action space.
    #[error("the action is {given}, but the action space is {space}")]
    ActionMismatch {
        /// The action, in words.
        given: String,
        /// The action space, in words.
        space: String,
    },
    /// A number that must be finite is not.
    #[error("{what} of environment copy {copy} is {value} at step {step} of its episode")]
    NonFinite {
        /// Which quantity, for example `reward` or `observation[3]`.
        what: String,
        /// The offending value.
        value: f64,
        /// The copy's index in the batch.
        copy: usize,
        /// Steps taken in the episode before this one.
        step: u64,
    },
    /// A buffer handed in has the wrong length.
    #[error("{what} has {given} elements; {expected} are needed")]
    Length {
        /// Which buffer.
        what: &'static str,
        /// Its length.
        given: usize,
        /// The length that is needed.
        expected: usize,
    },
    /// A snapshot that cannot be restored into this environment.
    #[error("the snapshot cannot be restored: {reason}")]
    Snapshot {
        /// What does not fit.
        reason: String,
    },
    /// A space with contradictory or missing bounds.
    #[error("invalid space: {reason}")]
    InvalidSpace {
        /// What is wrong with it.
        reason: String,
    },
    /// Steps that have no known deterministic half.
    #[error("the environment has no post-decision states")]
    NoPostDecision,
    /// The simulation broke down.
    #[error("{environment} became unstable: {reason}")]
    Unstable {
        /// The environment's name.
        environment: String,
        /// What broke, and when.
        reason: String,
    },
    /// A simulator outside this crate cannot be used.
    #[error("{simulator} cannot be used: {reason}")]
    Simulator {
        /// The simulator's name.
        simulator: &'static str,
        /// What is missing or does not fit.
        reason: String,
    },
    /// An environment whose physical parameters are fixed.
    #[error("copy {copy} of the environment has no physical parameters that can be set")]
    Unchangeable {
        /// The copy's index in the batch.
        copy: usize,
    },
    /// A table that is not a decision process.
    #[error("invalid decision process: {reason}")]
    InvalidProcess {
        /// What is wrong with it.
        reason: String,
    },
    /// An unknown name, or a parameter that is unknown, of the wrong type or out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// An environment that breaks its contract.
    #[error(transparent)]
    Conformance(#[from] ConformanceError),
}

/// Errors unless the buffer called `what` has `expected` elements.
pub(crate) fn check_length(what: &'static str, given: usize, expected: usize) -> Result<(), Error> {
    if given == expected { Ok(()) } else { Err(Error::Length { what, given, expected }) }
}
