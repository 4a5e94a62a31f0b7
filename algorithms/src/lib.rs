//! Policy-optimisation algorithms that read like their papers.
//!
//! Every algorithm is a [`Learner`]: a state machine whose [`advance`](Learner::advance) is one
//! iteration of its paper's outer loop. A learner prints, draws and writes nothing; budget,
//! evaluation, logging and checkpoints belong to whoever drives it.
//!
//! | where | what |
//! |---|---|
//! | one module per algorithm | configuration, learner and page of each |
//! | [`tensor`], [`networks`], [`optimisers`] | the only place that knows which crate holds the numbers, and what is built on it |
//! | [`policies`] | distributions over actions, and networks that parametrise them |
//! | [`rollout`], [`replay`] | experience: on-policy with advantages, off-policy |
//! | [`episodic`] | what learners with counted transitions share: the loop, confidence bounds, the conservative constraint |
//! | [`on_policy`], [`value_function`] | what learners with a policy and a value function share |
//! | [`off_policy`] | what off-policy learners with continuous actions share |
//! | [`uncertainty`] | what learners with a set of physical parameters share |
//! | [`trajectory_gradient`] | policy gradients and their derivatives from whole trajectories |
//! | [`catalogue`] | any algorithm by name |

pub mod baseline_only;
pub mod bpi_ucbvi;
pub mod catalogue;
pub mod conjugate_gradient;
pub mod domain_randomisation;
pub mod dope;
pub mod episodic;
pub mod hapg;
pub mod is_mbpg;
pub mod iwocs;
pub mod m2td3;
pub mod mdpo;
pub mod n_harpg;
pub mod networks;
pub mod normalised_policy_gradient;
pub mod off_policy;
pub mod on_policy;
pub mod optimisers;
pub mod optpess_lp;
pub mod pdppo;
pub mod planned;
pub mod policies;
pub mod ppo;
pub mod props;
pub mod random;
pub mod rarl;
pub mod reinforce;
pub mod replay;
pub mod rollout;
pub mod sac;
pub mod srvr_pg;
pub mod stepmix;
pub mod storm_pg;
pub mod subpo;
pub mod td3;
pub mod tensor;
pub mod trajectory_gradient;
pub mod trpo;
pub mod ucbvi;
pub mod uncertainty;
pub mod value_function;

mod checkpoint;

mod error;
mod learner;
#[cfg(test)]
mod testing;

pub use checkpoint::Checkpoint;
pub use error::Error;
pub use learner::{Learner, Mode, PreviousStep, Report};
