#![doc = include_str!("../../docs/mdpo.md")]

mod actor_objective;
mod divergence;
pub mod off_policy;
pub mod on_policy;
mod step_size;
pub mod tabular;

pub use divergence::{Divergence, exp_q, log_q};
pub use step_size::StepSize;
