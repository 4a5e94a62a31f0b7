//! Collecting enough of every kind of item.

use serde::{Deserialize, Serialize};

use super::{Look, SetFunction, set_function::distinct};
use crate::Error;

/// F(A) = Σ_k min(|A ∩ G_k|, d_k): of each group of places G_k, visits count up to a quota d_k.
///
/// Called Steiner covering in Prajapat et al. 2024.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemCollection {
    /// By state.
    groups: Vec<Option<u32>>,
    /// By group.
    quotas: Vec<f64>,
}

impl ItemCollection {
    /// State s has an item of the group `groups[s]`, if of any; `quotas` are the d_k. Errors when a
    /// group has no quota.
    pub fn new(groups: &[Option<usize>], quotas: &[usize]) -> Result<Self, Error> {
        if let Some(group) = groups.iter().flatten().find(|group| **group >= quotas.len()) {
            let reason = format!("an item of group {group} with {} quotas", quotas.len());
            return Err(Error::InvalidProcess { reason });
        }
        Ok(ItemCollection {
            groups: groups.iter().map(|group| group.map(|group| group as u32)).collect(),
            quotas: quotas.iter().map(|&quota| quota as f64).collect(),
        })
    }

    /// The group of a state's item, if it has one. Panics when there is no such state.
    pub fn group(&self, state: usize) -> Option<usize> {
        self.groups[state].map(|group| group as usize)
    }
}

/// What is remembered: how many items of each group there are.
impl SetFunction for ItemCollection {
    fn states(&self) -> usize {
        self.groups.len()
    }

    fn value(&self, set: &[usize]) -> f64 {
        let mut counts = vec![0.0; self.quotas.len()];
        distinct(set).iter().filter_map(|&state| self.group(state)).for_each(|group| counts[group] += 1.0);
        counts.iter().zip(&self.quotas).map(|(count, quota): (&f64, _)| count.min(*quota)).sum()
    }

    fn memory(&self, _capacity: usize) -> usize {
        self.quotas.len()
    }

    fn gain(&self, _members: &[usize], counts: &mut [f64], state: usize) -> f64 {
        match self.group(state) {
            Some(group) if counts[group] < self.quotas[group] => 1.0,
            _ => 0.0,
        }
    }

    fn include(&self, members: &[usize], counts: &mut [f64], state: usize) -> f64 {
        let gain = self.gain(members, counts, state);
        if let Some(group) = self.group(state) {
            counts[group] += 1.0;
        }
        gain
    }

    fn look(&self, members: &[usize], _counts: &[f64], state: usize) -> Look {
        let group = self.group(state);
        Look { value: 0.0, done: group.is_some() && members.contains(&state), group }
    }
}
