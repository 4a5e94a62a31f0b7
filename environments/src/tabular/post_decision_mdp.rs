//! A finite decision process whose steps are a deterministic half and a random one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    FiniteMdp, Layout, Tabular,
    tables::{Tables, Transition, invalid},
};
use crate::{Action, Environment, Error, Outcome, PostDecision, Space, picture::Picture, random::Stream};

/// Where an action leads before chance has its turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The post-decision state.
    pub post: usize,
    /// The reward r^x of getting there.
    pub reward: f64,
}

/// A finite decision process by its two halves, and an environment that samples from them.
///
/// States, actions and post-decision states are numbered from 0, each on their own. A state and an
/// action lead to a [`Decision`]; a post-decision state has a list of [`Transition`]s whose rewards are
/// the random ones r^w. A terminal state ends the episode when it is entered.
///
/// As an environment, observations are the numbers of states and of post-decision states, and the
/// action space is discrete. [`Tabular::finite_mdp`] has the two halves composed to whole steps. Copies
/// share their tables in memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Snapshot", into = "Snapshot")]
pub struct PostDecisionMdp {
    tables: Arc<Halves>,
    layout: Option<Arc<Layout>>,
    state: usize,
}

/// Both halves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Halves {
    states: usize,
    actions: usize,
    /// Of state s and action a at s · actions + a; means nothing where s is terminal.
    decisions: Vec<Decision>,
    /// The random half, with one action: row `states` + x belongs to post-decision state x. The rows of
    /// the states themselves are loops that nothing reads.
    random: Tables,
}

/// What a serialised process holds; it is checked when it is read.
#[derive(Clone, Serialize, Deserialize)]
struct Snapshot {
    tables: Arc<Halves>,
    layout: Option<Arc<Layout>>,
    state: usize,
}

impl Halves {
    fn checked(mut self) -> Result<Self, Error> {
        let Halves { states, actions, .. } = self;
        self.random = self.random.checked()?;
        let posts = self.random.states.saturating_sub(states);
        let rows = states.checked_mul(actions);
        if states == 0 || actions == 0 || posts == 0 || rows != Some(self.decisions.len()) {
            return invalid(format!(
                "{} decisions for {states} states and {actions} actions, with {posts} post-decision states",
                self.decisions.len()
            ));
        }
        for (row, decision) in self.decisions.iter().enumerate() {
            if decision.post >= posts || !decision.reward.is_finite() {
                let (state, action) = (row / actions, row % actions);
                return invalid(format!(
                    "state {state}, action {action} leads to post-decision state {} of {posts} with reward {}",
                    decision.post, decision.reward
                ));
            }
        }
        Ok(self)
    }
}

impl PostDecisionMdp {
    /// A process with so many states, actions and post-decision states. `initial` has one probability
    /// per state, `terminal` lists the terminal states, `decide(state, action)` gives the deterministic
    /// half of a step, and `outcomes(post)` the random one. `decide` is not asked about terminal states.
    ///
    /// Errors where [`FiniteMdp::new`] does, and when a decision leads to a post-decision state that
    /// does not exist or its reward is not finite.
    pub fn new(
        [states, actions, posts]: [usize; 3],
        initial: &[f64],
        terminal: &[usize],
        mut decide: impl FnMut(usize, usize) -> Decision,
        mut outcomes: impl FnMut(usize) -> Vec<Transition>,
    ) -> Result<Self, Error> {
        let mut padded = initial.to_vec();
        if padded.len() != states {
            return invalid(format!("{} initial probabilities for {states} states", initial.len()));
        }
        if let Some(state) = terminal.iter().find(|state| **state >= states) {
            return invalid(format!("state {state} is terminal, but there are {states} states"));
        }
        padded.resize(states + posts, 0.0);
        let mut wrong = None;
        let random = Tables::new(states + posts, 1, 1, &padded, terminal, |_, row, _| {
            if row < states {
                return Transition::certain(row, 0.0);
            }
            let outcomes = outcomes(row - states);
            wrong = wrong.or(outcomes.iter().find(|t| t.next >= states).map(|t| (row - states, t.next)));
            outcomes
        })?;
        if let Some((post, next)) = wrong {
            return invalid(format!("post-decision state {post} leads to state {next} of {states}"));
        }
        let mut decisions = Vec::with_capacity(states * actions);
        for state in 0..states {
            for action in 0..actions {
                let over = random.terminal[state];
                decisions.push(if over { Decision::default() } else { decide(state, action) });
            }
        }
        let tables = Halves { states, actions, decisions, random }.checked()?;
        Ok(PostDecisionMdp { tables: Arc::new(tables), layout: None, state: 0 })
    }

    /// The same process, drawn as `layout`. Errors when that is of another number of states.
    pub fn with_layout(self, layout: Layout) -> Result<Self, Error> {
        let layout = Some(Arc::new(layout.checked(self.states())?));
        Ok(PostDecisionMdp { layout, ..self })
    }

    /// Number of states.
    pub fn states(&self) -> usize {
        self.tables.states
    }

    /// Number of actions.
    pub fn actions(&self) -> usize {
        self.tables.actions
    }

    /// Number of post-decision states.
    pub fn post_states(&self) -> usize {
        self.tables.random.states - self.tables.states
    }

    /// Probability of each state at the start of an episode.
    pub fn initial(&self) -> &[f64] {
        &self.tables.random.initial[..self.states()]
    }

    /// Whether entering `state` ends the episode. Panics when there is no such state.
    pub fn is_terminal(&self, state: usize) -> bool {
        assert!(state < self.states(), "state {state} of {}", self.states());
        self.tables.random.terminal[state]
    }

    /// Where `action` leads from `state` before chance has its turn; means nothing where the state is
    /// terminal. Panics when state or action do not exist.
    pub fn decision(&self, state: usize, action: usize) -> Decision {
        assert!(action < self.actions(), "action {action} of {}", self.actions());
        self.tables.decisions[state * self.actions() + action]
    }

    /// What may happen in a post-decision state, with the rewards r^w; the probabilities are positive
    /// and sum to one. Panics when there is no such post-decision state.
    pub fn outcomes(&self, post: usize) -> &[Transition] {
        self.tables.random.transitions(0, self.states() + post, 0)
    }

    /// Where the states lie on a grid, if they do.
    pub fn layout(&self) -> Option<&Layout> {
        self.layout.as_deref()
    }

    /// The state that the environment is in.
    pub fn state(&self) -> usize {
        self.state
    }

    /// Puts the environment into `state`. Errors when there is no such state.
    pub fn set_state(&mut self, state: usize) -> Result<(), Error> {
        if state >= self.states() {
            return invalid(format!("state {state} of {}", self.states()));
        }
        self.state = state;
        Ok(())
    }
}

impl Tabular for PostDecisionMdp {
    fn finite_mdp(&self) -> FiniteMdp {
        let terminal: Vec<usize> = (0..self.states()).filter(|&state| self.is_terminal(state)).collect();
        let mdp =
            FiniteMdp::new(self.states(), self.actions(), self.initial(), &terminal, |state, action| {
                let Decision { post, reward } = self.decision(state, action);
                self.outcomes(post).iter().map(|t| Transition { reward: reward + t.reward, ..*t }).collect()
            })
            .expect("both halves have been checked");
        match &self.layout {
            Some(layout) => mdp.with_layout(Layout::clone(layout)).expect("the layout has been checked"),
            None => mdp,
        }
    }
}

impl PostDecision for PostDecisionMdp {
    fn post_decision_space(&self) -> Space {
        Space::discrete(self.post_states())
    }

    fn decide(&self, action: Action<'_>, observation: &mut [f32]) -> Result<f64, Error> {
        let Decision { post, reward } = self.decision(self.state, action.discrete(self.actions())?);
        observation[0] = post as f32;
        Ok(reward)
    }
}

impl Environment for PostDecisionMdp {
    fn observation_space(&self) -> Space {
        Space::discrete(self.states())
    }

    fn action_space(&self) -> Space {
        Space::discrete(self.actions())
    }

    fn reset(&mut self, rng: &mut Stream, observation: &mut [f32]) -> Result<(), Error> {
        self.state = self.tables.random.draw_start(rng);
        observation[0] = self.state as f32;
        Ok(())
    }

    fn step(
        &mut self,
        action: Action<'_>,
        rng: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, Error> {
        let Decision { post, reward } = self.decision(self.state, action.discrete(self.actions())?);
        let random = self.tables.random.draw(0, self.states() + post, 0, rng);
        self.state = random.next;
        observation[0] = self.state as f32;
        let terminated = self.is_terminal(self.state);
        Ok(Outcome { reward: reward + random.reward, terminated, truncated: false })
    }

    fn draw(&self) -> Option<Picture> {
        self.layout.as_ref().map(|layout| layout.draw(self.state))
    }

    fn tabular(&self) -> Option<&dyn Tabular> {
        Some(self)
    }

    fn post_decision(&self) -> Option<&dyn PostDecision> {
        Some(self)
    }
}

impl From<PostDecisionMdp> for Snapshot {
    fn from(mdp: PostDecisionMdp) -> Self {
        let PostDecisionMdp { tables, layout, state } = mdp;
        Snapshot { tables, layout, state }
    }
}

impl TryFrom<Snapshot> for PostDecisionMdp {
    type Error = Error;

    fn try_from(snapshot: Snapshot) -> Result<Self, Error> {
        let Snapshot { tables, layout, state } = snapshot;
        let tables = Arc::new(Arc::unwrap_or_clone(tables).checked()?);
        if state >= tables.states {
            return invalid(format!("state {state} of {}", tables.states));
        }
        let layout =
            layout.map(|l| Arc::unwrap_or_clone(l).checked(tables.states).map(Arc::new)).transpose()?;
        Ok(PostDecisionMdp { tables, layout, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certain(next: usize) -> Vec<Transition> {
        Transition::certain(next, 1.0)
    }

    fn small(post: usize, reward: f64, next: usize) -> Result<PostDecisionMdp, Error> {
        PostDecisionMdp::new(
            [3, 2, 2],
            &[1.0, 0.0, 0.0],
            &[2],
            |_, _| Decision { post, reward },
            |_| certain(next),
        )
    }

    #[test]
    fn whole_steps_are_the_halves_one_after_the_other() {
        let coin = |next: [usize; 2]| {
            next.map(|next| Transition { probability: 0.5, next, reward: next as f64 }).to_vec()
        };
        let decide = |state: usize, action: usize| Decision { post: action, reward: 10.0 * state as f64 };
        let mdp =
            PostDecisionMdp::new([3, 2, 2], &[1.0, 0.0, 0.0], &[2], decide, |post| coin([post, post + 1]));
        let composed = mdp.unwrap().finite_mdp();
        let found = composed.transitions(0, 1, 1);
        let expected =
            [(1, 11.0), (2, 12.0)].map(|(next, reward)| Transition { probability: 0.5, next, reward });
        assert_eq!(found, expected);
        assert!(composed.is_terminal(2));
    }

    #[test]
    fn tables_that_do_not_fit_are_errors_that_say_where() {
        assert!(small(1, 0.0, 2).is_ok());
        for (mdp, expected) in [
            (small(2, 0.0, 0), "state 0, action 0 leads to post-decision state 2 of 2"),
            (small(0, f64::NAN, 0), "with reward NaN"),
            (small(0, 0.0, 3), "post-decision state 0 leads to state 3 of 3"),
        ] {
            let message = mdp.unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
