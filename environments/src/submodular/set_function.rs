//! Set functions with incremental gains, and the set that they are evaluated on.

use serde::{Deserialize, Serialize};

/// A monotone submodular function F of sets of states 0 … n − 1, with F(∅) = 0.
///
/// Gains are incremental: what the function needs to remember of a set is a buffer of numbers that
/// [`VisitedSet`] keeps, and that is all zero for the empty set. A [`VisitedSet`] asks only about states
/// that are not in the set yet, and revisits gain nothing whatever the function.
pub trait SetFunction: Send + Sync {
    /// n, the size of the ground set.
    fn states(&self) -> usize;

    /// F of a set, by definition and from nothing: what increments are checked against. A state that
    /// occurs twice counts once.
    fn value(&self, set: &[usize]) -> f64;

    /// How many numbers must be remembered of a set of at most `capacity` states.
    fn memory(&self, capacity: usize) -> usize;

    /// F(state | members). What `memory` holds of the set stays as it is; room beyond may be written.
    fn gain(&self, members: &[usize], memory: &mut [f64], state: usize) -> f64;

    /// Takes `state` into what `memory` holds and returns F(state | members).
    fn include(&self, members: &[usize], memory: &mut [f64], state: usize) -> f64;

    /// How a state looks in a picture when `members` have been visited.
    fn look(&self, members: &[usize], _memory: &[f64], state: usize) -> Look {
        Look { done: members.contains(&state), ..Look::default() }
    }
}

/// How a state looks in a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// How valuable it is: 0 to 1.
    pub value: f64,
    /// Whether it has been covered, collected or measured.
    pub done: bool,
    /// The group that it belongs to, where there are groups.
    pub group: Option<usize>,
}

/// A set of states, with what a set function remembers of it.
///
/// Adding a state costs what the function's increment costs; nothing is allocated after
/// [`new`](Self::new).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VisitedSet {
    /// The first `count` are the members, in the order in which they were added.
    members: Vec<usize>,
    count: usize,
    contains: Vec<bool>,
    memory: Vec<f64>,
    value: f64,
}

impl VisitedSet {
    /// The empty set, with room for `capacity` states or all that there are.
    pub fn new<F: SetFunction + ?Sized>(function: &F, capacity: usize) -> Self {
        let capacity = capacity.min(function.states());
        VisitedSet {
            members: vec![0; capacity],
            count: 0,
            contains: vec![false; function.states()],
            memory: vec![0.0; function.memory(capacity)],
            value: 0.0,
        }
    }

    /// Empties the set.
    pub fn clear(&mut self) {
        for &state in &self.members[..self.count] {
            self.contains[state] = false;
        }
        self.memory.fill(0.0);
        (self.count, self.value) = (0, 0.0);
    }

    /// The states in the order in which they were first added.
    pub fn members(&self) -> &[usize] {
        &self.members[..self.count]
    }

    /// Whether a state is in the set. Panics when there is no such state.
    pub fn contains(&self, state: usize) -> bool {
        self.contains[state]
    }

    /// For every state, whether it is in the set.
    pub fn indicator(&self) -> &[bool] {
        &self.contains
    }

    /// F of the set: the sum of the gains.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// F(state | set), without adding it. The function must be the one that the set was made for.
    /// Panics when there is no such state, or no room for one more.
    pub fn gain<F: SetFunction + ?Sized>(&mut self, function: &F, state: usize) -> f64 {
        if self.contains[state] {
            return 0.0;
        }
        function.gain(&self.members[..self.count], &mut self.memory, state)
    }

    /// Adds a state and returns F(state | set before). The function must be the one that the set was
    /// made for. Panics when there is no such state, or no room for one more.
    pub fn add<F: SetFunction + ?Sized>(&mut self, function: &F, state: usize) -> f64 {
        if self.contains[state] {
            return 0.0;
        }
        let gain = function.include(&self.members[..self.count], &mut self.memory, state);
        self.members[self.count] = state;
        self.count += 1;
        self.contains[state] = true;
        self.value += gain;
        gain
    }

    /// How a state looks in a picture.
    pub fn look<F: SetFunction + ?Sized>(&self, function: &F, state: usize) -> Look {
        function.look(&self.members[..self.count], &self.memory, state)
    }
}

/// F({s}) of every state: the values of the modular surrogate.
pub fn singles<F: SetFunction + ?Sized>(function: &F) -> Vec<f64> {
    let mut set = VisitedSet::new(function, 1);
    let single = |state| {
        set.clear();
        set.add(function, state)
    };
    (0..function.states()).map(single).collect()
}

/// The states of a set, each once, in order.
pub(super) fn distinct(set: &[usize]) -> Vec<usize> {
    let mut states = set.to_vec();
    states.sort_unstable();
    states.dedup();
    states
}
