//! What can go wrong between an experiment file and its records.

use std::path::{Path, PathBuf};

use assay_environments::parameters::ParameterError;
use thiserror::Error as ThisError;

use crate::{claims::ClaimError, statistics::StatisticsError};

/// An error of an experiment, of a run's records, or of the run itself.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused: no such file, no permission, disk full, …
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was attempted: `read`, `write`, `create`, …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file's content is not what it should be.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A record of another version of the format.
    #[error("{} has format version {found}; this program reads version {expected}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
        /// The version of this program.
        expected: u32,
    },
    /// A folder that holds the run of another configuration.
    #[error(
        "{} already holds a run with `{field}` = {recorded}, not {wanted}; give the experiment another name \
         or choose another root folder",
        path.display()
    )]
    Conflict {
        /// The run's folder.
        path: PathBuf,
        /// The first field that differs.
        field: String,
        /// Its value in the folder.
        recorded: String,
        /// Its value now.
        wanted: String,
    },
    /// Another process is at work on the same run.
    #[error("{} is in use by another process", path.display())]
    Busy {
        /// The run's folder.
        path: PathBuf,
    },
    /// Text that is not TOML.
    #[error("{file}: {message}")]
    Syntax {
        /// The file, or what else the text is from.
        file: String,
        /// What the parser says, with line and column.
        message: String,
    },
    /// A field that is unknown, of the wrong type or out of range.
    #[error("{place}: {source}")]
    Parameter {
        /// File and section.
        place: String,
        /// What is wrong.
        source: Box<ParameterError>,
    },
    /// The environment cannot be made.
    #[error("{place}: {source}")]
    Environment {
        /// File and section, or the run.
        place: String,
        /// What is wrong.
        source: Box<assay_environments::Error>,
    },
    /// The algorithm cannot be made, or failed.
    #[error("{place}: {source}")]
    Algorithm {
        /// File and section, or the run.
        place: String,
        /// What is wrong.
        source: Box<assay_algorithms::Error>,
    },
    /// A learner broke its contract.
    #[error("{place}: {reason}")]
    Contract {
        /// The run.
        place: String,
        /// Which rule, and how.
        reason: String,
    },
    /// An override that cannot be understood.
    #[error("override `{given}`: {reason}")]
    Override {
        /// The override as given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Records that do not allow what is asked of them.
    #[error("{0}")]
    Records(String),
    /// Scores that statistics cannot be computed of.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// A claim that is unknown or wrong.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A figure that cannot be drawn or written.
    #[error(transparent)]
    Figure(#[from] assay_plots::Error),
    /// A picture that cannot be drawn or written.
    #[error(transparent)]
    Picture(#[from] assay_environments::picture::PictureError),
    /// Ctrl-C cannot be caught.
    #[error("cannot catch signals: {0}")]
    Signal(String),
    /// A run panicked: a defect of the program.
    #[error("{place} panicked: {message}")]
    Panicked {
        /// The run.
        place: String,
        /// The panic's message.
        message: String,
    },
}

impl Error {
    /// Wraps an error of the operating system.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::File { action, path, source }
    }

    /// Adds the place to an error of a parameter.
    pub(crate) fn parameter(place: impl Into<String>) -> impl FnOnce(ParameterError) -> Error {
        let place = place.into();
        move |source| Error::Parameter { place, source: Box::new(source) }
    }

    /// Adds the place to an error of an environment.
    pub(crate) fn environment(place: impl Into<String>) -> impl FnOnce(assay_environments::Error) -> Error {
        let place = place.into();
        move |source| match source {
            assay_environments::Error::Parameter(source) => Error::parameter(place)(source),
            source => Error::Environment { place, source: Box::new(source) },
        }
    }

    /// Adds the place to an error of an algorithm.
    pub(crate) fn algorithm(place: impl Into<String>) -> impl FnOnce(assay_algorithms::Error) -> Error {
        let place = place.into();
        move |source| match source {
            assay_algorithms::Error::Parameter(source) => Error::parameter(place)(source),
            source => Error::Algorithm { place, source: Box::new(source) },
        }
    }

    /// A file whose content is wrong.
    pub(crate) fn damaged(path: &Path, reason: impl std::fmt::Display) -> Error {
        Error::Damaged { path: path.to_owned(), reason: reason.to_string() }
    }
}
