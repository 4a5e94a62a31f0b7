//! Environments around environments.
//!
//! A wrapper owns the environment inside it and is an [`Environment`](crate::Environment) itself,
//! so wrappers nest, and a snapshot of the outermost one holds everything.

mod time_limit;

pub use time_limit::TimeLimit;
