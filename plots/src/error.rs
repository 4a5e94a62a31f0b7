//! What can go wrong when a figure is drawn or written.

use std::path::PathBuf;

use assay_environments::picture::PictureError;
use thiserror::Error as ThisError;

/// A figure that cannot be drawn or written. `part` says where the trouble is, for example
/// ``series `PPO` of panel `Pendulum-v1` ``.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing to draw.
    #[error("{part} is empty")]
    Empty {
        /// Where.
        part: String,
    },
    /// Buffers that belong together have different lengths.
    #[error("{part} has {given} {what}, but {expected} are needed")]
    Length {
        /// Where.
        part: String,
        /// Which buffer, for example `low ends`.
        what: &'static str,
        /// Its length.
        given: usize,
        /// The length that is needed.
        expected: usize,
    },
    /// A number that is not finite.
    #[error("{what} {index} of {part} is {value}")]
    NonFinite {
        /// Where.
        part: String,
        /// Which number, for example `y`.
        what: &'static str,
        /// Its index in the buffer, from 0.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// A number that a logarithmic axis cannot show.
    #[error("{what} {index} of {part} is {value}; a logarithmic axis shows positive numbers only")]
    NotPositive {
        /// Where.
        part: String,
        /// Which number, for example `y`.
        what: &'static str,
        /// Its index in the buffer, from 0.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// The points of a curve do not run from left to right.
    #[error("x {index} of {part} is {value}, less than the one before")]
    Disordered {
        /// Where.
        part: String,
        /// Index of the point, from 0.
        index: usize,
        /// Its x.
        value: f64,
    },
    /// A fitted rate on axes that are not both logarithmic.
    #[error("{part} has a fitted rate, which takes two logarithmic axes")]
    RateNeedsLogarithms {
        /// Where.
        part: String,
    },
    /// A cell that does not exist.
    #[error("{part} lies in row {row}, column {column} of a grid of {rows} × {columns} cells")]
    OutsideGrid {
        /// Where.
        part: String,
        /// The cell's row, from 0 at the top.
        row: usize,
        /// The cell's column, from 0 at the left.
        column: usize,
        /// Rows of the grid.
        rows: usize,
        /// Columns of the grid.
        columns: usize,
    },
    /// The figure is too narrow for its panels and their labels, or too wide for a page.
    #[error(
        "a figure {width} inches wide, with {columns} columns of panels, is too narrow or wider than 50 inches"
    )]
    Width {
        /// Width of the figure, in inches.
        width: f64,
        /// Panels side by side.
        columns: usize,
    },
    /// The plotting library failed.
    #[error("the figure could not be drawn: {reason}")]
    Drawing {
        /// What it says.
        reason: String,
    },
    /// The finished drawing could not be turned into a file's bytes.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
