//! Finite decision processes with their exact tables.
//!
//! [`FiniteMdp`] holds the tables (transition probabilities, rewards, initial distribution,
//! terminal states, horizon) and is an [`Environment`](crate::Environment) that samples from them.
//! Exact methods read the same tables, so what a learner reaches can be compared with what is
//! optimal. The problems here are small structs with their parameters and a `build`.
//!
//! [`Tabular`] is the ability to hand out such a table.

mod finite_mdp;

pub use finite_mdp::{FiniteMdp, Transition};

/// An environment whose exact tables are known.
///
/// [`Environment::tabular`](crate::Environment::tabular) tells whether an environment is one.
pub trait Tabular {
    /// The decision process that the environment samples from. A time limit around it is not part
    /// of the process: it only interrupts episodes. Cheap where the tables already exist.
    fn finite_mdp(&self) -> FiniteMdp;
}
