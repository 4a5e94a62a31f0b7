//! Statistics for a handful of runs: what was measured, how sure that is, and when to stop.
//!
//! Deep reinforcement learning is compared on few, heavy-tailed runs, where a mean of three says
//! little. Everything here follows Agarwal, Schwarzer, Castro, Courville and Bellemare 2021, *Deep
//! Reinforcement Learning at the Edge of the Statistical Precipice* (arXiv 2108.13264): scores of
//! runs × tasks ([`Scores`]), robust aggregates ([`Aggregate`]), stratified bootstrap intervals
//! ([`Bootstrap`]), probability of improvement ([`probability_of_improvement`]) and performance
//! profiles ([`performance_profile`]). Beside them stand differences between two algorithms
//! ([`difference`], [`paired_difference`]), learning curves ([`Curves`]), score normalisation
//! ([`Reference`]) and a rule for adding seeds until a question is decided without paying for
//! having looked often ([`Spending`]).
//!
//! Input is checked once, when [`Scores`] or [`Curves`] are built; what is computed from them
//! cannot fail. A bootstrap depends on its seed alone, not on the number of threads.

mod aggregate;
mod bootstrap;
mod curves;
mod difference;
mod error;
mod improvement;
mod normalisation;
mod profile;
mod scores;
mod sequential;

pub use aggregate::Aggregate;
pub use bootstrap::{Bootstrap, Estimate};
pub use curves::Curves;
pub use difference::{difference, paired_difference};
pub use error::StatisticsError;
pub use improvement::{probability_of_improvement, probability_of_improvement_interval};
pub use normalisation::Reference;
pub use profile::performance_profile;
pub use scores::Scores;
pub use sequential::Spending;
