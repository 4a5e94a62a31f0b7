//! Sets of decision processes, one of which is the true one.

use rand::Rng;
use rand_distr::Exp1;
use serde::{Deserialize, Serialize};

use super::{FiniteMdp, Tabular, Transition, tables::invalid};
use crate::{
    Action, Environment, Error, Outcome, Space,
    parameters::require,
    picture::Picture,
    random::{Seed, Stream},
};

/// A finite set of processes with the same states, actions, start and terminal states. The first one is
/// the nominal one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Snapshot", into = "Snapshot")]
pub enum UncertaintySet {
    /// A list of whole processes: what is true of one state and action says something about the others.
    Coupled(Vec<FiniteMdp>),
    /// sa-rectangular (Iyengar 2005): each state and action has alternatives of its own, and every
    /// combination of them is possible.
    Rectangular(RectangularSet),
}

#[derive(Clone, Serialize, Deserialize)]
enum Snapshot {
    Coupled(Vec<FiniteMdp>),
    Rectangular(RectangularSet),
}

impl From<UncertaintySet> for Snapshot {
    fn from(set: UncertaintySet) -> Self {
        match set {
            UncertaintySet::Coupled(models) => Snapshot::Coupled(models),
            UncertaintySet::Rectangular(set) => Snapshot::Rectangular(set),
        }
    }
}

impl TryFrom<Snapshot> for UncertaintySet {
    type Error = Error;

    fn try_from(snapshot: Snapshot) -> Result<Self, Error> {
        match snapshot {
            Snapshot::Coupled(models) => UncertaintySet::coupled(models),
            Snapshot::Rectangular(set) => Ok(UncertaintySet::Rectangular(set)),
        }
    }
}

impl UncertaintySet {
    /// A list of processes. Errors when it is empty or they do not have the same states, actions, start
    /// and terminal states, or one of them has a horizon.
    pub fn coupled(models: Vec<FiniteMdp>) -> Result<Self, Error> {
        check_alike(&models)?;
        Ok(UncertaintySet::Coupled(models))
    }

    /// The process that holds unless something else is said.
    pub fn nominal(&self) -> FiniteMdp {
        match self {
            UncertaintySet::Coupled(models) => models[0].clone(),
            UncertaintySet::Rectangular(set) => set.nominal.clone(),
        }
    }

    /// The smallest sa-rectangular set that contains this one.
    pub fn hull(&self) -> Result<RectangularSet, Error> {
        match self {
            UncertaintySet::Coupled(models) => RectangularSet::hull(models),
            UncertaintySet::Rectangular(set) => Ok(set.clone()),
        }
    }
}

/// An sa-rectangular set: alternatives for each state and action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RectangularSnapshot")]
pub struct RectangularSet {
    nominal: FiniteMdp,
    /// alternatives[state · actions + action][k], k = 0 being the nominal one.
    alternatives: Vec<Vec<Vec<Transition>>>,
}

#[derive(Deserialize)]
struct RectangularSnapshot {
    nominal: FiniteMdp,
    alternatives: Vec<Vec<Vec<Transition>>>,
}

impl TryFrom<RectangularSnapshot> for RectangularSet {
    type Error = Error;

    fn try_from(snapshot: RectangularSnapshot) -> Result<Self, Error> {
        let RectangularSnapshot { nominal, alternatives } = snapshot;
        RectangularSet { nominal, alternatives }.checked()
    }
}

impl RectangularSet {
    /// `alternatives(state, action)` gives the possible rows of a state and action, the nominal one
    /// first; it is not asked about terminal states. Errors as [`FiniteMdp::new`], and when a state and
    /// action have no row.
    pub fn new(
        states: usize,
        actions: usize,
        initial: &[f64],
        terminal: &[usize],
        mut alternatives: impl FnMut(usize, usize) -> Vec<Vec<Transition>>,
    ) -> Result<Self, Error> {
        let mut all = Vec::with_capacity(states * actions);
        for state in 0..states {
            for action in 0..actions {
                let rest = || vec![Transition::certain(state, 0.0)];
                all.push(if terminal.contains(&state) { rest() } else { alternatives(state, action) });
            }
        }
        if let Some(row) = all.iter().position(Vec::is_empty) {
            return invalid(format!("state {}, action {} has no rows", row / actions, row % actions));
        }
        let first = |state: usize, action: usize| all[state * actions + action][0].clone();
        let nominal = FiniteMdp::new(states, actions, initial, terminal, first)?;
        RectangularSet { nominal, alternatives: all }.checked()
    }

    /// The smallest sa-rectangular set that contains all `models`: what any of them says of a state and
    /// action is possible, whatever holds elsewhere. Errors as [`UncertaintySet::coupled`].
    pub fn hull(models: &[FiniteMdp]) -> Result<Self, Error> {
        check_alike(models)?;
        let nominal = &models[0];
        let rows = |row: usize| {
            let (state, action) = (row / nominal.actions(), row % nominal.actions());
            let mut rows: Vec<Vec<Transition>> = Vec::new();
            for model in models {
                let candidate = model.transitions(0, state, action);
                if !rows.iter().any(|row| row == candidate) {
                    rows.push(candidate.to_vec());
                }
            }
            rows
        };
        let alternatives = (0..nominal.states() * nominal.actions()).map(rows).collect();
        Ok(RectangularSet { nominal: nominal.clone(), alternatives })
    }

    /// Every alternative is checked, and normalised, as a row of a process.
    fn checked(mut self) -> Result<Self, Error> {
        let (states, actions) = (self.nominal.states(), self.nominal.actions());
        if self.alternatives.len() != states * actions || self.alternatives.iter().any(Vec::is_empty) {
            return invalid(format!(
                "{} rows for {states} states, {actions} actions",
                self.alternatives.len()
            ));
        }
        if self.nominal.horizon().is_some() {
            return invalid("an uncertainty set of processes with a horizon".into());
        }
        let most = self.alternatives.iter().map(Vec::len).max().unwrap_or(0);
        for k in 0..most {
            let choice: Vec<usize> = self.alternatives.iter().map(|rows| k.min(rows.len() - 1)).collect();
            let model = self.model(&choice)?;
            for (row, rows) in self.alternatives.iter_mut().enumerate() {
                if let Some(alternative) = rows.get_mut(k) {
                    *alternative = model.transitions(0, row / actions, row % actions).to_vec();
                }
            }
        }
        Ok(self)
    }

    /// The process in which the first alternative holds everywhere.
    pub fn nominal(&self) -> &FiniteMdp {
        &self.nominal
    }

    /// The alternatives of a state and action. Panics when they do not exist.
    pub fn alternatives(&self, state: usize, action: usize) -> &[Vec<Transition>] {
        &self.alternatives[state * self.nominal.actions() + action]
    }

    /// The process in which alternative `choice[state · actions + action]` holds. Errors when there is
    /// no such alternative.
    pub fn model(&self, choice: &[usize]) -> Result<FiniteMdp, Error> {
        let (states, actions) = (self.nominal.states(), self.nominal.actions());
        let fits = choice.len() == self.alternatives.len()
            && choice.iter().zip(&self.alternatives).all(|(&k, rows)| k < rows.len());
        if !fits {
            return invalid(format!("there is no choice {choice:?} among the alternatives"));
        }
        let terminal: Vec<usize> = (0..states).filter(|&state| self.nominal.is_terminal(state)).collect();
        FiniteMdp::new(states, actions, self.nominal.initial(), &terminal, |state, action| {
            let row = state * actions + action;
            self.alternatives[row][choice[row]].clone()
        })
    }

    /// How many alternatives there are, over all states and actions.
    pub fn rows(&self) -> usize {
        self.alternatives.iter().map(Vec::len).sum()
    }
}

fn check_alike(models: &[FiniteMdp]) -> Result<(), Error> {
    let Some(first) = models.first() else { return invalid("an uncertainty set without a process".into()) };
    for (i, model) in models.iter().enumerate() {
        let alike = model.states() == first.states()
            && model.actions() == first.actions()
            && model.initial() == first.initial()
            && (0..first.states()).all(|state| model.is_terminal(state) == first.is_terminal(state));
        if !alike || model.horizon().is_some() {
            return invalid(format!("process {i} of an uncertainty set does not fit the first one"));
        }
    }
    Ok(())
}

/// An environment that samples from the nominal process of an uncertainty set, which it hands out
/// beside the tables ([`Tabular::uncertainty_set`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UncertainMdp {
    mdp: FiniteMdp,
    set: std::sync::Arc<UncertaintySet>,
}

impl UncertainMdp {
    /// The nominal process of `set`.
    pub fn new(set: UncertaintySet) -> Self {
        UncertainMdp { mdp: set.nominal(), set: std::sync::Arc::new(set) }
    }
}

impl Tabular for UncertainMdp {
    fn finite_mdp(&self) -> FiniteMdp {
        self.mdp.clone()
    }

    fn uncertainty_set(&self) -> Option<&UncertaintySet> {
        Some(&self.set)
    }
}

impl Environment for UncertainMdp {
    fn observation_space(&self) -> Space {
        self.mdp.observation_space()
    }

    fn action_space(&self) -> Space {
        self.mdp.action_space()
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.mdp.reset(rng, observation)
    }

    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        self.mdp.step(action, rng, observation)
    }

    fn draw(&self) -> Option<Picture> {
        self.mdp.draw()
    }

    fn tabular(&self) -> Option<&dyn Tabular> {
        Some(self)
    }
}

/// A random set of processes: rewards of a state and action uniform in [0, 1] and known, transitions
/// uniform on the simplex and uncertain.
///
/// **Start**: state 0. **End**: never.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomUncertainty {
    /// Number of states; 1 to 1,000.
    pub states: usize,
    /// Number of actions; 1 to 1,000.
    pub actions: usize,
    /// Alternatives: of each state and action, or of the whole process. 1 to 1,000.
    pub models: usize,
    /// Whether each state and action has alternatives of its own.
    pub rectangular: bool,
    /// What determines the set.
    pub seed: u64,
}

impl Default for RandomUncertainty {
    fn default() -> Self {
        RandomUncertainty { states: 5, actions: 3, models: 4, rectangular: true, seed: 0 }
    }
}

impl RandomUncertainty {
    /// The set. Errors when a parameter is out of range.
    pub fn build(&self) -> Result<UncertaintySet, Error> {
        let RandomUncertainty { states, actions, models, rectangular, seed } = *self;
        for (field, value) in [("states", states), ("actions", actions), ("models", models)] {
            require(field, value, (1..=1000).contains(&value), "1 to 1000")?;
        }
        let mut rng = Seed::new(seed).stream("random uncertainty");
        let mut initial = vec![0.0; states];
        initial[0] = 1.0;
        let rewards: Vec<f64> = (0..states * actions).map(|_| rng.random()).collect();
        let mut row = |state: usize, action: usize| -> Vec<Transition> {
            let weights: Vec<f64> = (0..states).map(|_| rng.sample(Exp1)).collect();
            let total: f64 = weights.iter().sum();
            let reward = rewards[state * actions + action];
            let transition = |(next, weight)| Transition { probability: weight / total, next, reward };
            weights.into_iter().enumerate().map(transition).collect()
        };
        if rectangular {
            let rows = |state, action| (0..models).map(|_| row(state, action)).collect();
            return Ok(UncertaintySet::Rectangular(RectangularSet::new(
                states,
                actions,
                &initial,
                &[],
                rows,
            )?));
        }
        let models = (0..models).map(|_| FiniteMdp::new(states, actions, &initial, &[], &mut row));
        UncertaintySet::coupled(models.collect::<Result<_, _>>()?)
    }
}
