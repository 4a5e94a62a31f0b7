//! What an agent acts in.
//!
//! [`Environment`] is the contract that every environment here keeps and that a user's own
//! environment implements; [`Batch`] steps several copies of one as a single unit, with
//! auto-reset, and hides the environment's type behind [`BatchedEnvironment`], which is all that
//! a learner sees. [`Space`] says what observations and actions look like, [`random`] where every
//! random number comes from, and [`conformance`] checks an implementation against the contract.
//!
//! | module | environments |
//! |---|---|
//! | [`classic`] | CartPole, MountainCar, MountainCarContinuous, Pendulum, Acrobot |
//! | [`tabular`] | finite decision processes with their exact tables |
//! | `physics` (a feature, on by default) | robots on rapier: Gymnasium's MuJoCo robots and D4RL's mazes |
//! | [`submodular`] | exploration whose return is a submodular function of the states visited |
//! | [`hills`] | states with a real action and closed forms, for policy-gradient theory |
//! | [`operations`] | lot-sizing, inventory and energy storage, with post-decision states |
//! | [`probe`] | five tiny problems with known values, for finding faults in learners |
//! | [`wrappers`] | time limits, normalisation, rescaled and clipped actions, around any environment |
//!
//! [`catalogue`] makes any of them by name. With the feature `gym-rs`, the module `gym_rs` runs the
//! environments of the crate of that name; with the feature `mujoco`, the module `mujoco` runs
//! Gymnasium's robots in MuJoCo.

pub mod catalogue;
pub mod classic;
pub mod conformance;
pub mod domain_randomisation;
#[cfg(feature = "gym-rs")]
pub mod gym_rs;
pub mod hills;
#[cfg(feature = "mujoco")]
pub mod mujoco;
pub mod operations;
pub mod parameters;
#[cfg(feature = "physics")]
pub mod physics;
pub mod picture;
pub mod probe;
pub mod random;
pub mod submodular;
pub mod tabular;
pub mod wrappers;

mod batch;
mod environment;
mod error;
pub mod physical_parameters;
mod post_decision;
mod space;
mod statistics;
mod vector_reward;

pub use batch::{Batch, BatchedEnvironment, BatchedStep, Episode};
pub use environment::{Environment, Outcome};
pub use error::Error;
pub use physical_parameters::{PhysicalParameter, PhysicalParameters};
pub use post_decision::PostDecision;
pub use space::{Action, Actions, Space};
pub use statistics::RunningStatistics;
pub use vector_reward::VectorReward;
