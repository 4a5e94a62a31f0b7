//! How often every transition was seen.

use assay_environments::tabular::FiniteMdp;
use assay_theory::{confidence::Size, constrained::Transitions};
use ndarray::{Array4, s};
use serde::{Deserialize, Serialize};

use super::Problem;

/// n_h(s, a) and n_h(s, a, s′): visits and successors, by step. Kept as floating-point numbers, which
/// count exactly up to 2⁵³ and need no conversion in averages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Counts {
    size: Size,
    /// By (step, state, action).
    visits: Vec<f64>,
    /// By (step, state, action, next state).
    successors: Vec<f64>,
}

/// What is serialised.
#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    size: [usize; 3],
    visits: Vec<f64>,
    successors: Vec<f64>,
}

impl From<Counts> for Stored {
    fn from(Counts { size, visits, successors }: Counts) -> Self {
        Stored { size: [size.states, size.actions, size.horizon], visits, successors }
    }
}

impl TryFrom<Stored> for Counts {
    type Error = String;

    fn try_from(Stored { size, visits, successors }: Stored) -> Result<Self, String> {
        let [states, actions, horizon] = size;
        let size = Size { states, actions, horizon };
        let pairs = states.checked_mul(actions).and_then(|pairs| pairs.checked_mul(horizon));
        let entries = pairs.and_then(|pairs| pairs.checked_mul(states));
        if pairs != Some(visits.len()) || entries != Some(successors.len()) {
            return Err(format!("{} visits for {size:?}", visits.len()));
        }
        Ok(Counts { size, visits, successors })
    }
}

impl Counts {
    /// Nothing seen yet.
    pub fn new(size: Size) -> Self {
        let pairs = size.states * size.actions * size.horizon;
        Counts { size, visits: vec![0.0; pairs], successors: vec![0.0; pairs * size.states] }
    }

    /// As if every pair of `mdp` had been visited `visits` times, with successors in exactly the
    /// proportions of their probabilities. For problems with a horizon; `None` for others.
    pub fn exact(mdp: &FiniteMdp, visits: f64) -> Option<Self> {
        let size = Size { states: mdp.states(), actions: mdp.actions(), horizon: mdp.horizon()? };
        let mut counts = Counts::new(size);
        for step in 0..size.horizon {
            for state in 0..size.states {
                for action in 0..size.actions {
                    let pair = counts.pair(step, state, action);
                    counts.visits[pair] = visits;
                    for t in mdp.transitions(step, state, action) {
                        counts.successors[pair * size.states + t.next] += visits * t.probability;
                    }
                }
            }
        }
        Some(counts)
    }

    /// The sizes of the problem.
    pub fn size(&self) -> Size {
        self.size
    }

    fn pair(&self, step: usize, state: usize, action: usize) -> usize {
        (step * self.size.states + state) * self.size.actions + action
    }

    /// Counts one transition. At the last step the next state may be unknown: nothing follows it.
    pub fn add(&mut self, step: usize, state: usize, action: usize, next: Option<usize>) {
        let pair = self.pair(step, state, action);
        self.visits[pair] += 1.0;
        if let Some(next) = next {
            self.successors[pair * self.size.states + next] += 1.0;
        }
    }

    /// n_h(s, a).
    pub fn visits(&self, step: usize, state: usize, action: usize) -> f64 {
        self.visits[self.pair(step, state, action)]
    }

    /// n_h(s, a, s′) for every s′.
    pub fn successors(&self, step: usize, state: usize, action: usize) -> &[f64] {
        let pair = self.pair(step, state, action);
        &self.successors[pair * self.size.states..(pair + 1) * self.size.states]
    }

    /// The empirical transitions P̂ = n_h(s, a, s′)/n_h(s, a), as linear programs take them. Pairs never
    /// visited lead everywhere alike; terminal states keep the episode.
    pub fn estimate(&self, problem: &Problem) -> Transitions {
        let Size { states, actions, horizon } = self.size;
        let mut probabilities = Array4::zeros((horizon, states, actions, states));
        for step in 0..horizon {
            for state in 0..states {
                for action in 0..actions {
                    let mut row = probabilities.slice_mut(s![step, state, action, ..]);
                    let visits = self.visits(step, state, action);
                    let successors = self.successors(step, state, action);
                    if problem.terminal[state] {
                        row[state] = 1.0;
                    } else if visits > 0.0 && step + 1 < horizon {
                        row.iter_mut().zip(successors).for_each(|(p, n)| *p = n / visits);
                    } else {
                        row.fill(1.0 / states as f64);
                    }
                }
            }
        }
        Transitions { initial: problem.initial.clone(), probabilities }
    }

    /// n_h(s, a) of all pairs, in the order of step, state and action.
    pub fn all_visits(&self) -> &[f64] {
        &self.visits
    }
}
