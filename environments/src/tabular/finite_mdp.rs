//! A finite decision process: its tables, and sampling from them.

use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};
use serde::{Deserialize, Serialize};

use super::{
    Layout, Tabular,
    tables::{Tables, Transition, invalid},
};
use crate::{Action, Environment, Error, Outcome, Space, picture::Picture, random::Stream};

/// A finite Markov decision process with exact tables, and an environment that samples from them.
///
/// States and actions are numbered from 0. Every state and action has a list of possible
/// [`Transition`]s (a row of a sparse table: grids and chains have a handful of successors, so
/// memory and the cost of exact methods follow the transitions that exist, not the square of the
/// number of states). Two transitions of a row may lead to the same state with different rewards.
///
/// A terminal state ends the episode when it is entered; its value is zero, and its row is a loop
/// without reward. With a horizon H, the episode ends after H steps, as part of the problem
/// (`terminated`): the value of what comes after is zero. With a horizon, the tables may differ
/// from step to step; see [`layered`](Self::layered).
///
/// As an environment, the observation is the number of the state and the action space is discrete.
/// With a horizon that is not all that a policy needs to know: see
/// [`observing_step`](Self::observing_step). Copies share their tables in memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Snapshot", into = "Snapshot")]
pub struct FiniteMdp {
    tables: Arc<Tables>,
    layout: Option<Arc<Layout>>,
    horizon: Option<usize>,
    observes_step: bool,
    state: usize,
    elapsed: usize,
}

/// What a serialised process holds; everything derived from it is made anew and checked.
#[derive(Clone, Serialize, Deserialize)]
struct Snapshot {
    tables: Arc<Tables>,
    layout: Option<Arc<Layout>>,
    horizon: Option<usize>,
    observes_step: bool,
    state: usize,
    elapsed: usize,
}

impl FiniteMdp {
    /// A process whose tables are the same at every step. `initial` has one probability per state,
    /// `terminal` lists the terminal states, and `transitions(state, action)` gives the possible
    /// outcomes; it is not asked about terminal states.
    ///
    /// Errors when there are no states or actions, a distribution does not sum to one (up to 1e-9)
    /// or holds a negative number, a reward is not finite, a successor does not exist, or an
    /// episode may start in a terminal state.
    pub fn new(
        states: usize,
        actions: usize,
        initial: &[f64],
        terminal: &[usize],
        mut transitions: impl FnMut(usize, usize) -> Vec<Transition>,
    ) -> Result<Self, Error> {
        let row = |_: usize, state: usize, action: usize| transitions(state, action);
        let tables = Tables::new(states, actions, 1, initial, terminal, row)?;
        Ok(FiniteMdp::at_start(tables, None))
    }

    /// A process that ends after `horizon` steps and has tables of its own for each of them:
    /// `transitions(stage, state, action)` with stages 0 … `horizon` − 1. Errors as
    /// [`new`](Self::new), and when the horizon is zero.
    pub fn layered(
        horizon: usize,
        states: usize,
        actions: usize,
        initial: &[f64],
        transitions: impl FnMut(usize, usize, usize) -> Vec<Transition>,
    ) -> Result<Self, Error> {
        if horizon == 0 {
            return invalid("a horizon of 0 steps".into());
        }
        let tables = Tables::new(states, actions, horizon, initial, &[], transitions)?;
        Ok(FiniteMdp::at_start(tables, Some(horizon)))
    }

    fn at_start(tables: Tables, horizon: Option<usize>) -> Self {
        FiniteMdp {
            tables: Arc::new(tables),
            layout: None,
            horizon,
            observes_step: false,
            state: 0,
            elapsed: 0,
        }
    }

    /// A process without terminal states from dense tables: `transitions` (state × action × next
    /// state), `rewards` (state × action). Errors as [`new`](Self::new), and when shapes disagree.
    pub fn from_arrays(
        transitions: ArrayView3<'_, f64>,
        rewards: ArrayView2<'_, f64>,
        initial: &[f64],
    ) -> Result<Self, Error> {
        let (states, actions, successors) = transitions.dim();
        if successors != states || rewards.dim() != (states, actions) {
            return invalid(format!(
                "transitions of shape {:?} with rewards of shape {:?}",
                transitions.dim(),
                rewards.dim()
            ));
        }
        FiniteMdp::new(states, actions, initial, &[], |state, action| {
            let row = (0..states).map(|next| Transition {
                probability: transitions[[state, action, next]],
                next,
                reward: rewards[[state, action]],
            });
            row.collect()
        })
    }

    /// The same process, ending after `horizon` steps. Errors when the horizon is zero, or when
    /// the tables are layered, which fixes it.
    pub fn with_horizon(self, horizon: usize) -> Result<Self, Error> {
        if horizon == 0 {
            return invalid("a horizon of 0 steps".into());
        }
        if self.stages() > 1 && horizon != self.stages() {
            return invalid(format!("a horizon of {horizon} for tables of {} stages", self.stages()));
        }
        Ok(FiniteMdp { horizon: Some(horizon), ..self })
    }

    /// The same process with another initial distribution (one probability per state). Errors when
    /// it is not a distribution or starts in a terminal state.
    pub fn with_initial(self, initial: &[f64]) -> Result<Self, Error> {
        let mut tables = Arc::unwrap_or_clone(self.tables);
        tables.initial = initial.to_vec();
        Ok(FiniteMdp { tables: Arc::new(tables.checked()?), ..self })
    }

    /// The same process, drawn as `layout`. Errors when that is of another number of states.
    pub fn with_layout(self, layout: Layout) -> Result<Self, Error> {
        let layout = Some(Arc::new(layout.checked(self.states())?));
        Ok(FiniteMdp { layout, ..self })
    }

    /// The same process, whose observations tell the step beside the state: step · states + state,
    /// and steps · states after the last step, as in [`unrolled`](Self::unrolled). What is best in a
    /// state depends on how many steps are left, so a policy that sees the state alone is in general
    /// not optimal. Errors when there is no horizon.
    pub fn observing_step(self) -> Result<Self, Error> {
        if self.horizon.is_none() {
            return invalid("it has no horizon, so the step tells nothing".into());
        }
        Ok(FiniteMdp { observes_step: true, ..self })
    }

    /// A process with a horizon, as one without: its states are pairs (step, state), numbered
    /// step · states + state, and after the last step comes one terminal state. Ordinary methods
    /// then apply to it with a discount of one. Errors when there is no horizon.
    pub fn unrolled(&self) -> Result<Self, Error> {
        let Some(horizon) = self.horizon else {
            return invalid("it has no horizon to unroll".into());
        };
        let states = self.states();
        let end = horizon * states;
        let mut initial = vec![0.0; end + 1];
        initial[..states].copy_from_slice(self.initial());
        let mut terminal: Vec<usize> = (0..end).filter(|index| self.is_terminal(index % states)).collect();
        terminal.push(end);
        FiniteMdp::new(end + 1, self.actions(), &initial, &terminal, |index, action| {
            let (step, state) = (index / states, index % states);
            let follow = |t: &Transition| {
                let next = if step + 1 == horizon { end } else { (step + 1) * states + t.next };
                Transition { next, ..*t }
            };
            self.transitions(step, state, action).iter().map(follow).collect()
        })
    }

    /// Number of states.
    pub fn states(&self) -> usize {
        self.tables.states
    }

    /// Number of actions.
    pub fn actions(&self) -> usize {
        self.tables.actions
    }

    /// After how many steps an episode ends at the latest, if the problem has a horizon.
    pub fn horizon(&self) -> Option<usize> {
        self.horizon
    }

    /// How many tables there are: one that holds at every step, or one for each step up to the
    /// horizon.
    pub fn stages(&self) -> usize {
        self.tables.stages
    }

    /// Whether observations tell the step beside the state; see
    /// [`observing_step`](Self::observing_step).
    pub fn observes_step(&self) -> bool {
        self.observes_step
    }

    /// Probability of each state at the start of an episode.
    pub fn initial(&self) -> &[f64] {
        &self.tables.initial
    }

    /// Whether entering `state` ends the episode. Panics when there is no such state.
    pub fn is_terminal(&self, state: usize) -> bool {
        self.tables.terminal[state]
    }

    /// The possible outcomes of `action` in `state` at step `step`; their probabilities are
    /// positive and sum to one. Where one table holds at every step, `step` does not matter.
    /// Panics when state or action do not exist.
    pub fn transitions(&self, step: usize, state: usize, action: usize) -> &[Transition] {
        self.tables.transitions(self.stage(step), state, action)
    }

    /// The expected reward of `action` in `state` at step `step`. Panics when state or action do
    /// not exist.
    pub fn reward(&self, step: usize, state: usize, action: usize) -> f64 {
        self.tables.reward(self.stage(step), state, action)
    }

    /// The expected rewards at step `step` (state × action).
    pub fn rewards(&self, step: usize) -> Array2<f64> {
        Array2::from_shape_fn((self.states(), self.actions()), |(s, a)| self.reward(step, s, a))
    }

    /// The transition probabilities at step `step`, dense (state × action × next state).
    pub fn dense_transitions(&self, step: usize) -> Array3<f64> {
        let mut dense = Array3::zeros((self.states(), self.actions(), self.states()));
        for state in 0..self.states() {
            for action in 0..self.actions() {
                for t in self.transitions(step, state, action) {
                    dense[[state, action, t.next]] += t.probability;
                }
            }
        }
        dense
    }

    /// Where the states lie on a grid, if they do.
    pub fn layout(&self) -> Option<&Layout> {
        self.layout.as_deref()
    }

    /// The state that the environment is in.
    pub fn state(&self) -> usize {
        self.state
    }

    /// Puts the environment into `state`, at the beginning of an episode. Errors when there is no
    /// such state.
    pub fn set_state(&mut self, state: usize) -> Result<(), Error> {
        if state >= self.states() {
            return invalid(format!("state {state} of {}", self.states()));
        }
        (self.state, self.elapsed) = (state, 0);
        Ok(())
    }

    fn stage(&self, step: usize) -> usize {
        step.min(self.stages() - 1)
    }

    /// What is observed now.
    fn observation(&self) -> f32 {
        let steps = self.horizon.filter(|_| self.observes_step);
        let index = match steps {
            None => self.state,
            Some(horizon) if self.elapsed >= horizon => horizon * self.states(),
            Some(_) => self.elapsed * self.states() + self.state,
        };
        index as f32
    }
}

impl Tabular for FiniteMdp {
    fn finite_mdp(&self) -> FiniteMdp {
        self.clone()
    }
}

impl Environment for FiniteMdp {
    fn observation_space(&self) -> Space {
        match self.horizon {
            Some(horizon) if self.observes_step => Space::discrete(horizon * self.states() + 1),
            _ => Space::discrete(self.states()),
        }
    }

    fn action_space(&self) -> Space {
        Space::discrete(self.actions())
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.state = self.tables.draw_start(rng);
        self.elapsed = 0;
        observation[0] = self.observation();
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let action = action.discrete(self.actions())?;
        let Transition { next, reward, .. } =
            self.tables.draw(self.stage(self.elapsed), self.state, action, rng);
        self.state = next;
        self.elapsed = self.elapsed.saturating_add(1);
        observation[0] = self.observation();
        let over = self.horizon.is_some_and(|horizon| self.elapsed >= horizon);
        Ok(Outcome { reward, terminated: over || self.tables.terminal[next], truncated: false })
    }

    fn draw(&self) -> Option<Picture> {
        self.layout().map(|layout| layout.draw(self.state))
    }

    fn tabular(&self) -> Option<&dyn Tabular> {
        Some(self)
    }
}

impl From<FiniteMdp> for Snapshot {
    fn from(mdp: FiniteMdp) -> Self {
        let FiniteMdp { tables, layout, horizon, observes_step, state, elapsed } = mdp;
        Snapshot { tables, layout, horizon, observes_step, state, elapsed }
    }
}

impl TryFrom<Snapshot> for FiniteMdp {
    type Error = Error;

    fn try_from(snapshot: Snapshot) -> Result<Self, Error> {
        let Snapshot { tables, layout, horizon, observes_step, state, elapsed } = snapshot;
        let tables = Arc::new(Arc::unwrap_or_clone(tables).checked()?);
        let stages = tables.stages;
        let wrong_horizon = match horizon {
            None => stages > 1 || observes_step,
            Some(horizon) => horizon == 0 || (stages > 1 && horizon != stages),
        };
        if state >= tables.states || wrong_horizon {
            return invalid(format!(
                "state {state} of {}, horizon {horizon:?} with {stages} stages",
                tables.states
            ));
        }
        let layout =
            layout.map(|l| Arc::unwrap_or_clone(l).checked(tables.states).map(Arc::new)).transpose()?;
        Ok(FiniteMdp { tables, layout, horizon, observes_step, state, elapsed })
    }
}
