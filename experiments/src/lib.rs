//! experiments

pub mod claims;
pub mod statistics;
pub mod tables;
