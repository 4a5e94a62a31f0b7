//! experiments

pub mod claims;
pub mod statistics;
