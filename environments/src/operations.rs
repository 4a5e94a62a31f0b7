//! Problems of operations management, whose steps have a known half.
//!
//! In each of them the agent decides, what it decides happens at once, and only then does chance strike:
//! demand, prices, a load. They therefore have [post-decision states](crate::PostDecision).
//!
//! | problem | decision | chance |
//! |---|---|---|
//! | [`LotSizing`] | what every machine makes | demand for every item |
//! | [`Inventory`] | how much to order, for later | demand |
//! | [`EnergyStorage`] | how much to buy or sell | price and load |
//!
//! A problem is a small struct of parameters with a `build`, which gives the environment. An environment
//! of a small size also has `exact`: the same problem as a
//! [`PostDecisionMdp`](crate::tabular::PostDecisionMdp), on which exact methods work.
//! [`Plan`] records what an agent did in a [`Plant`] and draws it.

mod demand;
mod energy_storage;
mod inventory;
mod lot_sizing;
mod plan;
mod plant;
#[cfg(test)]
mod tests;

pub use demand::Demand;
pub use energy_storage::{EnergyStorage, EnergyStore};
pub use inventory::{Inventory, Warehouse};
pub use lot_sizing::{Family, Instance, LotSizing, ObservedSetups};
pub use plan::{Flow, Plan};
pub use plant::Plant;

use crate::{Error, tabular::Transition};

/// Most transitions of the random half that an exact table may have.
const MOST_TRANSITIONS: usize = 1 << 24;

/// Errors when the table of a problem called `problem` would be too large.
fn require_small(problem: &str, size: f64) -> Result<(), Error> {
    if size <= MOST_TRANSITIONS as f64 {
        return Ok(());
    }
    let reason =
        format!("the table of {problem} would have {size:.0} transitions; at most {MOST_TRANSITIONS}");
    Err(Error::InvalidProcess { reason })
}

/// Adds an outcome to those of a post-decision state, in which each next state has one reward.
fn add_outcome(outcomes: &mut Vec<Transition>, outcome: Transition) {
    match outcomes.iter_mut().find(|t| t.next == outcome.next && t.reward == outcome.reward) {
        Some(same) => same.probability += outcome.probability,
        None => outcomes.push(outcome),
    }
}
