//! The robots, one file of numbers each.

pub mod ant;
pub mod half_cheetah;
pub mod hopper;
pub mod inverted_double_pendulum;
pub mod inverted_pendulum;
pub mod point;
pub mod reacher;
pub mod swimmer;
pub mod walker2d;
