//! The tables of a finite decision process, checked, and how to draw from them.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{Error, random::Stream};

/// Observations are `f32`, which count exactly up to here.
const MOST_STATES: usize = 1 << 24;
/// How far a distribution's sum may be from one before it is an error; within it, the distribution
/// is normalised.
const TOLERANCE: f64 = 1e-9;

/// One possible outcome of an action in a state.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// How likely it is, from 0 to 1.
    pub probability: f64,
    /// The state that follows.
    pub next: usize,
    /// The reward that it brings.
    pub reward: f64,
}

impl Transition {
    /// The only outcome of a deterministic action.
    pub fn certain(next: usize, reward: f64) -> Vec<Transition> {
        vec![Transition { probability: 1.0, next, reward }]
    }
}

/// The tables. What is derived from others is not stored with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tables {
    pub(super) states: usize,
    pub(super) actions: usize,
    #[serde(skip)]
    pub(super) stages: usize,
    /// Row r = (stage · states + state) · actions + action lies at starts[r]..starts[r + 1].
    starts: Vec<usize>,
    transitions: Vec<Transition>,
    /// Running sums of the probabilities within each row.
    #[serde(skip)]
    cumulative: Vec<f64>,
    /// Expected reward of each row.
    #[serde(skip)]
    rewards: Vec<f64>,
    pub(super) initial: Vec<f64>,
    #[serde(skip)]
    cumulative_initial: Vec<f64>,
    pub(super) terminal: Vec<bool>,
}

pub(super) fn invalid<T>(reason: String) -> Result<T, Error> {
    Err(Error::InvalidProcess { reason })
}

/// Scales `probabilities` to a sum of one, up to rounding; errors when they are not a distribution.
fn normalise<'a>(
    what: impl Fn() -> String,
    probabilities: impl Iterator<Item = &'a mut f64>,
) -> Result<(), Error> {
    let mut all: Vec<&mut f64> = probabilities.collect();
    if let Some(p) = all.iter().find(|p| !p.is_finite() || ***p < 0.0) {
        return invalid(format!("{} has a probability of {p}", what()));
    }
    let total = all.iter().fold(0.0, |sum, p| sum + **p);
    if (total - 1.0).abs() > TOLERANCE {
        return invalid(format!("the probabilities of {} sum to {total}", what()));
    }
    // A sum that is one up to rounding stays, so that a restored table keeps its very bits.
    if (total - 1.0).abs() > all.len() as f64 * f64::EPSILON {
        all.iter_mut().for_each(|p| **p /= total);
    }
    Ok(())
}

/// The running sums of a distribution; the last ones are exactly one, so that a uniform number
/// below one always falls on something that is possible.
fn running_sums(probabilities: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sums: Vec<f64> = probabilities
        .scan(0.0, |sum, p| {
            *sum += p;
            Some(*sum)
        })
        .collect();
    let total = sums.last().copied().unwrap_or(1.0);
    sums.iter_mut().filter(|sum| **sum == total).for_each(|sum| *sum = 1.0);
    sums
}

/// The index at which a uniform number falls into a distribution with these running sums.
fn draw(cumulative: &[f64], rng: &mut Stream) -> usize {
    if cumulative.len() == 1 {
        return 0;
    }
    let uniform: f64 = rng.random();
    cumulative.partition_point(|sum| *sum <= uniform)
}

impl Tables {
    /// Tables from the rows of `stages` stages, checked; `row` is not asked about terminal states.
    pub(super) fn new(
        states: usize,
        actions: usize,
        stages: usize,
        initial: &[f64],
        terminal: &[usize],
        mut row: impl FnMut(usize, usize, usize) -> Vec<Transition>,
    ) -> Result<Self, Error> {
        if let Some(state) = terminal.iter().find(|state| **state >= states) {
            return invalid(format!("state {state} is terminal, but there are {states} states"));
        }
        let mut is_terminal = vec![false; states];
        terminal.iter().for_each(|&state| is_terminal[state] = true);
        let mut starts = vec![0];
        let mut transitions = Vec::new();
        for stage in 0..stages {
            for (state, is_terminal) in is_terminal.iter().enumerate() {
                for action in 0..actions {
                    if *is_terminal {
                        transitions.extend(Transition::certain(state, 0.0));
                    } else {
                        // What cannot happen is not stored; what is not a number is, to be found.
                        let row = row(stage, state, action);
                        transitions.extend(row.into_iter().filter(|t| t.probability != 0.0));
                    }
                    starts.push(transitions.len());
                }
            }
        }
        let tables = Tables {
            states,
            actions,
            stages,
            starts,
            transitions,
            initial: initial.to_vec(),
            terminal: is_terminal,
            cumulative: Vec::new(),
            rewards: Vec::new(),
            cumulative_initial: Vec::new(),
        };
        tables.checked()
    }

    /// Checks everything, normalises, and fills in what is derived.
    pub(super) fn checked(mut self) -> Result<Self, Error> {
        let Tables { states, actions, .. } = self;
        if states == 0 || actions == 0 {
            return invalid(format!("{states} states and {actions} actions"));
        }
        if states > MOST_STATES {
            return invalid(format!("{states} states; at most {MOST_STATES} can be told apart"));
        }
        let rows = self.starts.len().saturating_sub(1);
        let fits = rows > 0
            && states.checked_mul(actions).is_some_and(|per_stage| rows.is_multiple_of(per_stage))
            && self.starts.is_sorted()
            && self.starts[0] == 0
            && self.starts[rows] == self.transitions.len()
            && self.terminal.len() == states;
        if !fits {
            return invalid(format!("tables of inconsistent lengths for {states} states, {actions} actions"));
        }
        if self.initial.len() != states {
            return invalid(format!("{} initial probabilities for {states} states", self.initial.len()));
        }
        normalise(|| "the initial state".into(), self.initial.iter_mut())?;
        if let Some(state) = (0..states).find(|&s| self.terminal[s] && self.initial[s] > 0.0) {
            return invalid(format!("an episode may start in state {state}, which is terminal"));
        }
        self.cumulative.clear();
        self.rewards.clear();
        for r in 0..rows {
            let (stage, state, action) = (r / (states * actions), r / actions % states, r % actions);
            let name = || format!("state {state}, action {action}, stage {stage}");
            let row = &mut self.transitions[self.starts[r]..self.starts[r + 1]];
            if let Some(t) = row.iter().find(|t| t.next >= states) {
                return invalid(format!("{} leads to state {} of {states}", name(), t.next));
            }
            if let Some(t) = row.iter().find(|t| !t.reward.is_finite()) {
                return invalid(format!("{} has a reward of {}", name(), t.reward));
            }
            if self.terminal[state] && row.iter().any(|t| t.next != state || t.reward != 0.0) {
                return invalid(format!("{} goes on from a terminal state", name()));
            }
            normalise(name, row.iter_mut().map(|t| &mut t.probability))?;
            self.cumulative.extend(running_sums(row.iter().map(|t| t.probability)));
            self.rewards.push(row.iter().map(|t| t.probability * t.reward).sum());
        }
        self.stages = rows / (states * actions);
        self.cumulative_initial = running_sums(self.initial.iter().copied());
        Ok(self)
    }

    /// Index of the row of a state and action.
    fn row(&self, stage: usize, state: usize, action: usize) -> usize {
        (stage * self.states + state) * self.actions + action
    }

    /// The possible outcomes of an action.
    pub(super) fn transitions(&self, stage: usize, state: usize, action: usize) -> &[Transition] {
        let row = self.row(stage, state, action);
        &self.transitions[self.starts[row]..self.starts[row + 1]]
    }

    /// The expected reward of an action.
    pub(super) fn reward(&self, stage: usize, state: usize, action: usize) -> f64 {
        self.rewards[self.row(stage, state, action)]
    }

    /// Draws the state in which an episode starts.
    pub(super) fn draw_start(&self, rng: &mut Stream) -> usize {
        draw(&self.cumulative_initial, rng)
    }

    /// Draws what an action brings.
    pub(super) fn draw(&self, stage: usize, state: usize, action: usize, rng: &mut Stream) -> Transition {
        let row = self.row(stage, state, action);
        let range = self.starts[row]..self.starts[row + 1];
        self.transitions[range.start + draw(&self.cumulative[range], rng)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_always_falls_on_something_possible() {
        // Ten tenths sum to a hair less than one, and what comes after them is impossible.
        let mut probabilities = vec![0.1; 10];
        assert!(probabilities.iter().sum::<f64>() < 1.0);
        probabilities.push(0.0);
        let sums = running_sums(probabilities.into_iter());
        assert_eq!(sums[9..], [1.0, 1.0]);
        assert!(sums.partition_point(|sum| *sum <= 1.0 - f64::EPSILON / 2.0) == 9);
    }
}
