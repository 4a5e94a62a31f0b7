//! Finite decision processes with their exact tables.
//!
//! [`FiniteMdp`] holds the tables (transition probabilities, rewards, initial distribution,
//! terminal states, horizon) and is an [`Environment`](crate::Environment) that samples from them.
//! Exact methods read the same tables, so what a learner reaches can be compared with what is
//! optimal. The problems here are small structs with their parameters and a `build`.
//!
//! [`Tabular`] is the ability to hand out such a table.

mod chain;
mod cliff_walking;
mod deep_sea;
mod finite_mdp;
mod frozen_lake;
mod garnet;
mod grid;
mod grid_world;
mod layered_random;
mod layout;
mod post_decision_mdp;
mod river_swim;
mod stochastic_frozen_lake;
mod tables;
#[cfg(test)]
mod tests;
mod uncertainty;
mod windy_walk;

pub use chain::Chain;
pub use cliff_walking::CliffWalking;
pub use deep_sea::DeepSea;
pub use finite_mdp::FiniteMdp;
pub use frozen_lake::{FrozenLake, LakeMap};
pub use garnet::Garnet;
pub use grid_world::GridWorld;
pub use layered_random::LayeredRandom;
pub use layout::{Cell, Layout};
pub use post_decision_mdp::{Decision, PostDecisionMdp};
pub use river_swim::RiverSwim;
pub use stochastic_frozen_lake::StochasticFrozenLake;
pub use tables::Transition;
pub use uncertainty::{RandomUncertainty, RectangularSet, UncertainMdp, UncertaintySet};
pub use windy_walk::WindyWalk;

/// An environment whose exact tables are known.
///
/// [`Environment::tabular`](crate::Environment::tabular) tells whether an environment is one.
pub trait Tabular {
    /// The decision process that the environment samples from. A time limit around it is not part
    /// of the process: it only interrupts episodes. Cheap where the tables already exist.
    fn finite_mdp(&self) -> FiniteMdp;

    /// The processes that may be the true one instead, for robust problems; `None` where there is no
    /// doubt.
    fn uncertainty_set(&self) -> Option<&UncertaintySet> {
        None
    }
}
