//! experiments

pub mod statistics;
