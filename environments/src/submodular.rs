//! Exploration whose return is a monotone submodular function of the set of states visited.
//!
//! The second visit of a state brings nothing, and a state brings less the more has been visited
//! before: Prajapat et al. 2024 (arXiv 2307.13372) call such a problem a submodular decision process.
//! The reward is the marginal gain F(s_{h+1}|τ_{0:h}) = F(τ_{0:h} ∪ {s_{h+1}}) − F(τ_{0:h}), so that the
//! return of an episode is F(τ), and every algorithm that takes a reward runs here. A state is a place
//! without its time.
//!
//! | part | what |
//! |---|---|
//! | [`SetFunction`], [`VisitedSet`] | F by its definition, and its gains at the cost of the increment |
//! | [`Coverage`], [`Information`], [`ItemCollection`], [`Modular`] | set functions as plain structs |
//! | [`Moves`] | where an action leads on a grid or a graph, and how reliably |
//! | [`Exploration`] | the environment: moves, a set function and a horizon |
//! | [`GridCoverage`], [`RoomExploration`], [`ItemGrid`], [`InformativePath`], [`ExperimentDesign`], [`GraphExploration`], [`Trap`] | the problems, as parameters with a `build` |
//!
//! [`Submodular`] is the ability to tell the set function and the moves, for learners and planners that
//! need more than rewards.

mod coverage;
mod drawing;
mod exploration;
mod gaussian_process;
mod information;
mod item_collection;
mod modular;
mod moves;
mod problems;
mod set_function;
#[cfg(test)]
mod tests;

pub use coverage::Coverage;
pub use exploration::{Exploration, Observation, Reward};
pub use gaussian_process::Kernel;
pub use information::Information;
pub use item_collection::ItemCollection;
pub use modular::Modular;
pub use moves::{Moves, Shape, action};
pub use problems::{
    Disc, ExperimentDesign, GraphExploration, GridCoverage, InformativePath, ItemGrid, RoomExploration, Trap,
    Weights,
};
pub use set_function::{Look, SetFunction, VisitedSet, singles};

use crate::picture::Picture;

/// An environment whose reward is the marginal gain of a set function.
///
/// [`Environment::submodular`](crate::Environment::submodular) tells whether an environment is one.
pub trait Submodular {
    /// F, on the places.
    fn set_function(&self) -> &dyn SetFunction;
    /// Where actions lead.
    fn moves(&self) -> &Moves;
    /// Where episodes start: s_0.
    fn start(&self) -> usize;
    /// H: how many actions an episode has. It visits H + 1 places, the start included.
    fn horizon(&self) -> usize;
    /// Whether an observation tells what has been visited, beside the step and the place.
    fn observes_history(&self) -> bool;
    /// The step and the place that an observation, as features, tells of. `None` where it is none.
    fn observed(&self, features: &[f32]) -> Option<(usize, usize)>;
    /// The map with a path of places on it and what the path has covered.
    fn draw_path(&self, path: &[usize]) -> Picture;
}
