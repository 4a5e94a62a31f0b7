#![doc = include_str!("../../docs/n_harpg.md")]

mod harpg;
mod igt;

pub use harpg::{Harpg, HarpgConfig, NHarpgConfig};
pub use igt::{NPgIgt, NPgIgtConfig};
