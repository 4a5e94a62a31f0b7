//! Mirror Descent Policy Optimization (MDPO).
//!
//! Manan Tomar, Lior Shani, Yonathan Efroni and Mohammad Ghavamzadeh, *Mirror Descent Policy
//! Optimization*, ICLR 2022, arXiv 2005.09814.
//!
//! Every iteration approximately maximises the linearised return minus a Bregman divergence to the
//! policy πₖ that it starts from,
//!
//! ```text
//! πₖ₊₁ ≈ argmax_π  E_{s ~ ρₖ} [ E_{a ~ π} Aₖ(s, a) − (1/tₖ) B(π(·|s), πₖ(·|s)) ],
//! ```
//!
//! by several plain gradient steps: no line search, no clipping, no hard constraint. The paper's
//! divergence is KL(π, πₖ), with the new policy first; TRPO bounds KL(πₖ, π).
//!
//! The parts that the variants share are here: the divergences ([`Divergence`]) and the step-size
//! schedules ([`StepSize`]).

mod divergence;
pub mod off_policy;
pub mod on_policy;
mod step_size;
pub mod tabular;

pub use divergence::{Divergence, exp_q, log_q};
pub use step_size::StepSize;
