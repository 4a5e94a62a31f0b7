//! The robots, one file of numbers each.

pub mod hopper;
