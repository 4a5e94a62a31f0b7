//! The problems, as parameters with a `build`. Their sizes are those of the authors' code, in which an
//! episode of 40 places has 39 actions.

mod graph;
mod grid_coverage;
mod items;
mod measurements;
mod rooms;
mod trap;

pub use graph::GraphExploration;
pub use grid_coverage::{Disc, GridCoverage, Weights};
pub use items::ItemGrid;
pub use measurements::{ExperimentDesign, InformativePath};
pub use rooms::RoomExploration;
pub use trap::Trap;

use crate::parameters::{ParameterError, require};

/// Rows, columns and nodes up to which a problem is built: instances with a Gaussian process take time
/// that grows with the cube of their cells.
const LARGEST: usize = 60;
/// Steps up to which one is built.
const LONGEST: usize = 1000;

/// Where the cells of a grid lie: 0.1 apart, from (1, 1).
fn plane(rows: usize, columns: usize) -> Vec<[f64; 2]> {
    let at = |i: usize| 1.0 + 0.1 * i as f64;
    (0..rows * columns).map(|cell| [at(cell / columns), at(cell % columns)]).collect()
}

/// Errors unless a size is from 1 to `most`.
fn check_size(field: &str, size: usize, most: usize) -> Result<(), ParameterError> {
    require(field, size, (1..=most).contains(&size), &format!("1 to {most}"))
}

/// Errors unless a grid of this size is built.
fn check_grid(rows: usize, columns: usize) -> Result<(), ParameterError> {
    check_size("rows", rows, LARGEST)?;
    check_size("columns", columns, LARGEST)
}

/// Errors unless episodes of so many steps are built.
fn check_horizon(horizon: usize) -> Result<(), ParameterError> {
    check_size("horizon", horizon, LONGEST)
}
