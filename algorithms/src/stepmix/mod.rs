#![doc = include_str!("../../docs/stepmix.md")]

mod epsmix;
mod step_mixture;

pub use epsmix::{Config as EpsMixConfig, EpsMix};
pub use step_mixture::{Config, StepMix};
