//! What is wrong with numbers handed to the statistics.

use assay_environments::parameters::ParameterError;
use thiserror::Error as ThisError;

/// Input that no statistic can be computed from.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum StatisticsError {
    /// There is nothing to compute from.
    #[error("there are no {what}")]
    Empty {
        /// What is missing: `runs`, `tasks` or `evaluation points`.
        what: &'static str,
    },
    /// Rows of different lengths.
    #[error("{row} {index} has {given} {elements}; the first has {expected}")]
    Ragged {
        /// What a row is: `run` or `task`.
        row: &'static str,
        /// The offending row, counted from 0.
        index: usize,
        /// What its elements are: `tasks`, `runs` or `evaluation points`.
        elements: &'static str,
        /// How many it has.
        given: usize,
        /// How many the first row has.
        expected: usize,
    },
    /// A score that is not a finite number.
    #[error("the score of run {run} on task {task} is {value}")]
    NonFinite {
        /// The run, counted from 0.
        run: usize,
        /// The task, counted from 0.
        task: usize,
        /// The score.
        value: f64,
    },
    /// Two sets of scores that cannot be compared.
    #[error("{first} {what} cannot be compared with {second}")]
    Mismatch {
        /// What differs in number: `tasks` or `runs`.
        what: &'static str,
        /// The number in the first set.
        first: usize,
        /// The number in the second set.
        second: usize,
    },
    /// Evaluation points that do not increase.
    #[error("evaluation points must increase; {next} follows {previous}")]
    Unordered {
        /// A point, in environment steps.
        previous: u64,
        /// The one after it.
        next: u64,
    },
    /// A setting out of its range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}
