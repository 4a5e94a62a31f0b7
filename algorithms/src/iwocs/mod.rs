#![doc = include_str!("../../docs/iwocs.md")]

pub mod cma_es;
pub mod deep;
pub mod meta;
pub mod robust_policy;
pub mod search;
pub mod static_agent;
pub mod tabular;
