//! Distributions over actions, and networks that parametrise them.
//!
//! A [`Policy`] is made for an environment's spaces: a network from observations to the parameters
//! of a distribution, and the [`Distribution`] that the action space asks for. It is used in two
//! ways. [`Policy::record`] gives distributions on the tape, for losses made of log-probabilities,
//! entropies and divergences; [`Policy::act`] draws actions on the host, one row or many, without
//! tape or allocation. Off-policy learners with bounded actions have a [`SquashedPolicy`] instead.
//!
//! A Gaussian policy of either kind can have [`StateDependentNoise`]: its noise is then a function
//! of the state that stays the same for several steps. [`Policy::explore`] and
//! [`SquashedPolicy::explore`] act with it in the copies of an environment; what they keep from
//! step to step is an [`Exploration`].

mod action_box;
mod categorical;
mod diagonal_gaussian;
mod distribution;
mod fisher;
mod maximum_likelihood;
mod ornstein_uhlenbeck;
mod policy;
mod score;
pub mod squashed_gaussian;
mod squashed_policy;
mod state_dependent_noise;
#[cfg(test)]
mod tests;

pub use action_box::{ActionBox, uniform};
pub use categorical::Categorical;
pub use diagonal_gaussian::DiagonalGaussian;
pub use distribution::Distribution;
pub use fisher::FisherProduct;
pub use ornstein_uhlenbeck::OrnsteinUhlenbeck;
pub use policy::{Modules, NetworkConfig, Policy};
pub use score::Score;
pub use squashed_gaussian::SquashedGaussian;
pub use squashed_policy::SquashedPolicy;
pub use state_dependent_noise::{Exploration, StateDependentNoise};
