//! Exact answers for finite decision problems, in `f64`.
//!
//! Everything here is computed from the tables of a
//! [`FiniteMdp`](assay_environments::tabular::FiniteMdp), never from samples, so that what a learner
//! reaches can be compared with what is true. Discounted problems have stationary policies: arrays
//! state × action whose rows sum to one. Problems with a horizon H have policies step × state ×
//! action; a stationary policy is used on them through
//! [`broadcast`](ndarray::ArrayRef::broadcast).
//!
//! | module | what |
//! |---|---|
//! | [`policy`] | uniform, softmax and greedy policies |
//! | [`evaluation`] | values, action values and advantages of a policy |
//! | [`planning`] | optimal policies: value iteration, policy iteration, backward induction |
//! | [`occupancy`] | how often a policy is where, and the performance-difference lemma |
//! | [`mixture`] | mixtures of two policies, by step and by episode |
//! | [`constrained`] | the best policy under constraints, by linear programs |
//! | [`confidence`] | confidence widths of counted transitions |
//! | [`post_decision`] | values of post-decision states, and planning with them |
//! | [`robust`] | worst cases over sets of processes, and robust value iteration |
//! | [`regularised`] | the same with an entropy bonus |
//! | [`gradient`] | policy gradient, Fisher information and natural gradient of a softmax policy |
//! | [`normal_actions`] | the same for Gaussian policies, where expectations are known in closed form |
//! | [`regret`] | how much worse than optimal |
//! | [`coverage`] | concentrability and distribution mismatch |
//! | [`submodular`] | plans, policies and gradients where the return is a set function of the states visited |
//! | [`rate`] | the slope of a convergence curve on log-log axes, with its interval |

pub mod confidence;
pub mod constrained;
pub mod coverage;
pub mod evaluation;
pub mod gradient;
pub mod mixture;
pub mod normal_actions;
pub mod occupancy;
pub mod planning;
pub mod policy;
pub mod post_decision;
pub mod rate;
pub mod regret;
pub mod regularised;
pub mod robust;
pub mod submodular;

mod bellman;
mod error;

pub use error::Error;
