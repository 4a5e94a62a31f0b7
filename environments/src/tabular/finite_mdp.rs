//! A finite decision process: its tables, and sampling from them.

use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{Layout, Tabular};
use crate::{Action, Environment, Error, Outcome, Space, picture::Picture, random::Stream};

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
/// Copies share their tables in memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Snapshot", into = "Snapshot")]
pub struct FiniteMdp {
    tables: Arc<Tables>,
    layout: Option<Arc<Layout>>,
    horizon: Option<usize>,
    state: usize,
    elapsed: usize,
}

/// What a serialised process holds; everything derived from it is made anew and checked.
#[derive(Clone, Serialize, Deserialize)]
struct Snapshot {
    tables: Arc<Tables>,
    layout: Option<Arc<Layout>>,
    horizon: Option<usize>,
    state: usize,
    elapsed: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tables {
    states: usize,
    actions: usize,
    #[serde(skip)]
    stages: usize,
    /// Row r = (stage · states + state) · actions + action lies at starts[r]..starts[r + 1].
    starts: Vec<usize>,
    transitions: Vec<Transition>,
    /// Running sums of the probabilities within each row.
    #[serde(skip)]
    cumulative: Vec<f64>,
    /// Expected reward of each row.
    #[serde(skip)]
    rewards: Vec<f64>,
    initial: Vec<f64>,
    #[serde(skip)]
    cumulative_initial: Vec<f64>,
    terminal: Vec<bool>,
}

fn invalid<T>(reason: String) -> Result<T, Error> {
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

/// The index at which a uniform number falls into a distribution with these running sums.
fn draw(cumulative: &[f64], rng: &mut Stream) -> usize {
    if cumulative.len() == 1 {
        return 0;
    }
    let uniform: f64 = rng.random();
    // Rounding may leave the last running sum a hair below one.
    cumulative.partition_point(|c| *c <= uniform).min(cumulative.len() - 1)
}

fn running_sums(probabilities: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
    probabilities.scan(0.0, |sum, p| {
        *sum += p;
        Some(*sum)
    })
}

impl Tables {
    fn new(
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
    fn checked(mut self) -> Result<Self, Error> {
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
        self.cumulative_initial = running_sums(self.initial.iter().copied()).collect();
        Ok(self)
    }

    fn row(&self, stage: usize, state: usize, action: usize) -> std::ops::Range<usize> {
        let r = (stage * self.states + state) * self.actions + action;
        self.starts[r]..self.starts[r + 1]
    }
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
        FiniteMdp { tables: Arc::new(tables), layout: None, horizon, state: 0, elapsed: 0 }
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
        &self.tables.transitions[self.tables.row(self.stage(step), state, action)]
    }

    /// The expected reward of `action` in `state` at step `step`. Panics when state or action do
    /// not exist.
    pub fn reward(&self, step: usize, state: usize, action: usize) -> f64 {
        let Tables { states, actions, .. } = *self.tables;
        self.tables.rewards[(self.stage(step) * states + state) * actions + action]
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
}

impl Tabular for FiniteMdp {
    fn finite_mdp(&self) -> FiniteMdp {
        self.clone()
    }
}

impl Environment for FiniteMdp {
    fn observation_space(&self) -> Space {
        Space::discrete(self.states())
    }

    fn action_space(&self) -> Space {
        Space::discrete(self.actions())
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.state = draw(&self.tables.cumulative_initial, rng);
        self.elapsed = 0;
        observation[0] = self.state as f32;
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let action = action.discrete(self.actions())?;
        let row = self.tables.row(self.stage(self.elapsed), self.state, action);
        let drawn = row.start + draw(&self.tables.cumulative[row], rng);
        let Transition { next, reward, .. } = self.tables.transitions[drawn];
        self.state = next;
        self.elapsed = self.elapsed.saturating_add(1);
        observation[0] = next as f32;
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
        let FiniteMdp { tables, layout, horizon, state, elapsed } = mdp;
        Snapshot { tables, layout, horizon, state, elapsed }
    }
}

impl TryFrom<Snapshot> for FiniteMdp {
    type Error = Error;

    fn try_from(snapshot: Snapshot) -> Result<Self, Error> {
        let Snapshot { tables, layout, horizon, state, elapsed } = snapshot;
        let tables = Arc::new(Arc::unwrap_or_clone(tables).checked()?);
        let stages = tables.stages;
        if state >= tables.states || horizon == Some(0) || (stages > 1 && horizon != Some(stages)) {
            return invalid(format!(
                "state {state} of {}, horizon {horizon:?} with {stages} stages",
                tables.states
            ));
        }
        let layout =
            layout.map(|l| Arc::unwrap_or_clone(l).checked(tables.states).map(Arc::new)).transpose()?;
        Ok(FiniteMdp { tables, layout, horizon, state, elapsed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seed;
    use ndarray::{Array, arr2};

    fn two_way(state: usize) -> Vec<Transition> {
        let go = |probability, next, reward| Transition { probability, next, reward };
        match state {
            0 => vec![go(0.25, 0, 1.0), go(0.5, 1, 2.0), go(0.25, 1, -2.0)],
            _ => vec![go(0.75, 0, 0.0), go(0.25, 2, 5.0)],
        }
    }

    /// Three states, the last one terminal; action 1 stays, action 0 is `two_way`.
    fn example() -> FiniteMdp {
        FiniteMdp::new(3, 2, &[0.5, 0.5, 0.0], &[2], |state, action| match action {
            0 => two_way(state),
            _ => Transition::certain(state, -1.0),
        })
        .unwrap()
    }

    fn message(result: Result<FiniteMdp, Error>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn tables_read_back_as_they_were_given() {
        let mdp = example();
        assert_eq!((mdp.states(), mdp.actions(), mdp.stages(), mdp.horizon()), (3, 2, 1, None));
        assert_eq!(mdp.transitions(0, 0, 0), two_way(0));
        assert_eq!(mdp.transitions(7, 1, 0), two_way(1));
        assert_eq!(mdp.transitions(0, 2, 1), Transition::certain(2, 0.0));
        assert_eq!(mdp.rewards(0), arr2(&[[0.75, -1.0], [1.25, -1.0], [0.0, 0.0]]));
        let dense = mdp.dense_transitions(0);
        assert_eq!(dense[[0, 0, 1]], 0.75);
        assert_eq!(dense.sum_axis(ndarray::Axis(2)), Array::ones((3, 2)));
    }

    #[test]
    fn dense_tables_give_the_same_process() {
        let mdp = example();
        let dense = mdp.dense_transitions(0);
        let read = FiniteMdp::from_arrays(dense.view(), mdp.rewards(0).view(), mdp.initial()).unwrap();
        assert_eq!(read.dense_transitions(0), dense);
        assert_eq!(read.rewards(0), mdp.rewards(0));
        let wrong = FiniteMdp::from_arrays(dense.view(), Array::zeros((3, 1)).view(), mdp.initial());
        assert!(message(wrong).contains("shape"));
    }

    #[test]
    fn what_is_not_a_decision_process_is_an_error_that_names_the_place() {
        let with = |t: Transition| FiniteMdp::new(2, 1, &[1.0, 0.0], &[], |_, _| vec![t]);
        let fine = Transition { probability: 1.0, next: 0, reward: 0.0 };
        assert!(with(fine).is_ok());
        let m = message(with(Transition { probability: 0.9, ..fine }));
        assert!(m.contains("state 0, action 0, stage 0 sum to 0.9"), "{m}");
        assert!(message(with(Transition { probability: f64::NAN, ..fine })).contains("NaN"));
        assert!(message(with(Transition { probability: -1.0, ..fine })).contains("-1"));
        assert!(message(with(Transition { next: 2, ..fine })).contains("leads to state 2 of 2"));
        assert!(message(with(Transition { reward: f64::INFINITY, ..fine })).contains("reward of inf"));

        let loops = |states, initial: &[f64], terminal: &[usize]| {
            FiniteMdp::new(states, 1, initial, terminal, |s, _| Transition::certain(s, 0.0))
        };
        assert!(message(loops(0, &[], &[])).contains("0 states"));
        assert!(message(loops(2, &[1.0], &[])).contains("1 initial probabilities for 2 states"));
        assert!(message(loops(2, &[0.5, 0.6], &[])).contains("the initial state sum to 1.1"));
        assert!(message(loops(2, &[0.5, 0.5], &[1])).contains("state 1, which is terminal"));
        assert!(message(loops(2, &[1.0, 0.0], &[5])).contains("state 5 is terminal"));
        assert!(message(example().with_horizon(0)).contains("horizon of 0"));
        assert!(message(example().unrolled()).contains("no horizon"));
        let empty = FiniteMdp::new(1, 1, &[1.0], &[], |_, _| vec![]);
        assert!(message(empty).contains("sum to 0"));
        let layered = FiniteMdp::layered(2, 1, 1, &[1.0], |_, _, _| Transition::certain(0, 0.0)).unwrap();
        assert!(message(layered.with_horizon(3)).contains("tables of 2 stages"));
    }

    #[test]
    fn sampling_follows_the_table() {
        let mut mdp = example();
        let mut rng = Seed::new(3).stream("environment");
        let mut observation = [f32::NAN];
        let draws = 40_000;
        let mut starts = [0u32; 3];
        let mut outcomes = [0u32; 3];
        for _ in 0..draws {
            mdp.reset(&mut rng, &mut observation).unwrap();
            starts[mdp.state()] += 1;
            mdp.set_state(0).unwrap();
            let outcome = mdp.step(Action::Discrete(0), &mut rng, &mut observation).unwrap();
            assert_eq!(observation[0] as usize, mdp.state());
            let which = two_way(0).iter().position(|t| t.reward == outcome.reward).unwrap();
            outcomes[which] += 1;
        }
        // Five standard deviations.
        let close = |count: u32, p: f64| {
            let deviation = 5.0 * (p * (1.0 - p) * f64::from(draws)).sqrt();
            (f64::from(count) - p * f64::from(draws)).abs() <= deviation
        };
        assert!(close(starts[0], 0.5) && starts[2] == 0, "{starts:?}");
        assert!(close(outcomes[0], 0.25) && close(outcomes[1], 0.5), "{outcomes:?}");
    }

    #[test]
    fn an_episode_terminates_in_a_terminal_state_and_at_the_horizon() {
        let mut rng = Seed::new(0).stream("environment");
        let mut observation = [0.0];
        let chain = FiniteMdp::new(3, 1, &[1.0, 0.0, 0.0], &[2], |s, _| Transition::certain(s + 1, 1.0));
        let mut chain = chain.unwrap();
        chain.reset(&mut rng, &mut observation).unwrap();
        let mut step = |mdp: &mut FiniteMdp| {
            let outcome = mdp.step(Action::Discrete(0), &mut rng, &mut observation).unwrap();
            assert!(!outcome.truncated);
            (outcome.terminated, outcome.reward)
        };
        assert_eq!(step(&mut chain), (false, 1.0));
        assert_eq!(step(&mut chain), (true, 1.0));
        assert_eq!(step(&mut chain), (true, 0.0));

        let mut layered =
            FiniteMdp::layered(2, 1, 1, &[1.0], |h, _, _| Transition::certain(0, h as f64)).unwrap();
        assert_eq!(step(&mut layered), (false, 0.0));
        assert_eq!(step(&mut layered), (true, 1.0));
        layered.set_state(0).unwrap();
        assert_eq!(step(&mut layered), (false, 0.0));
    }

    #[test]
    fn an_action_that_does_not_exist_is_an_error() {
        let mut rng = Seed::new(0).stream("environment");
        for action in [Action::Discrete(2), Action::Continuous(&[0.0])] {
            assert!(matches!(
                example().step(action, &mut rng, &mut [0.0]),
                Err(Error::ActionMismatch { .. })
            ));
        }
        assert!(example().set_state(3).is_err());
    }

    #[test]
    fn a_restored_process_has_the_same_bits_and_a_damaged_one_is_an_error() {
        let third = 1.0 / 3.0;
        let thirds = FiniteMdp::new(3, 1, &[third, third, third], &[], |_, _| {
            (0..3).map(|next| Transition { probability: third, next, reward: 0.1 }).collect()
        });
        let mut mdp = thirds.unwrap().with_horizon(9).unwrap();
        let mut rng = Seed::new(0).stream("environment");
        for _ in 0..3 {
            mdp.step(Action::Discrete(0), &mut rng, &mut [0.0]).unwrap();
        }
        let bytes = postcard::to_allocvec(&mdp).unwrap();
        assert_eq!(postcard::from_bytes::<FiniteMdp>(&bytes).unwrap(), mdp);
        for i in 0..bytes.len() {
            assert!(postcard::from_bytes::<FiniteMdp>(&bytes[..i]).is_err());
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[i] ^= 1 << bit;
                // Another process, or an error; never one that fails when it is used.
                if let Ok(mut other) = postcard::from_bytes::<FiniteMdp>(&damaged) {
                    let _ = other.step(Action::Discrete(0), &mut rng, &mut [0.0]);
                    other.reset(&mut rng, &mut [0.0]).unwrap();
                }
            }
        }
    }

    #[test]
    fn copies_share_their_tables() {
        let mdp = example();
        assert!(Arc::ptr_eq(&mdp.clone().tables, &mdp.tables));
        assert_eq!(mdp.tabular().unwrap().finite_mdp(), mdp);
    }

    #[test]
    fn an_unrolled_process_takes_the_same_steps() {
        let mdp = FiniteMdp::layered(3, 2, 2, &[0.5, 0.5], |h, s, a| {
            let reward = (100 * h + 10 * s + a) as f64;
            (0..2).map(|next| Transition { probability: 0.5, next, reward }).collect()
        });
        let mut mdp = mdp.unwrap();
        let mut unrolled = mdp.unrolled().unwrap();
        assert_eq!((unrolled.states(), unrolled.horizon()), (7, None));
        let mut streams = [(); 2].map(|()| Seed::new(4).stream("environment"));
        for episode in 0..20 {
            mdp.reset(&mut streams[0], &mut [0.0]).unwrap();
            unrolled.reset(&mut streams[1], &mut [0.0]).unwrap();
            for step in 0..3 {
                assert_eq!(unrolled.state(), 2 * step + mdp.state());
                let action = Action::Discrete((episode + step) % 2);
                let outcome = mdp.step(action, &mut streams[0], &mut [0.0]).unwrap();
                assert_eq!(outcome, unrolled.step(action, &mut streams[1], &mut [0.0]).unwrap());
                assert_eq!(outcome.terminated, step == 2);
            }
            // The copies must draw alike to stay together: both streams are at the same place.
            assert_eq!(streams[0], streams[1]);
        }
    }
}
