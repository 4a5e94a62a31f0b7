//! Learners for episodic tabular problems: what they share beside the choice of a policy.
//!
//! The setting is that of regret minimisation: an episode has H steps, transitions are unknown and may
//! differ from step to step, rewards are known. Before every episode an algorithm chooses a policy
//! from what it has counted so far; the episode is played and counted. That loop is here
//! ([`Episodic`]), and the choice, which is what a paper is about, is a [`Strategy`] in the
//! algorithm's own file. One call of [`advance`](crate::Learner::advance) is one episode.
//!
//! | part | what |
//! |---|---|
//! | [`Problem`] | what a strategy knows: sizes, rewards, the baseline policy and the threshold of the conservative constraint |
//! | [`Counts`] | how often every transition was seen |
//! | [`ConfidenceBounds`] | upper and lower bounds of what a policy is worth, from the counts |
//!
//! # The environment
//!
//! Any environment with exact tables and a horizon, in one copy, whose observations tell the step
//! (`parameters = { horizon = 20 }` for those of the catalogue that have none of their own). The
//! tables give the rewards and the start, which the algorithms know, and serve to measure; the
//! transitions in them are read by nobody who learns. Rewards outside of [0, 1] are scaled to it,
//! and everything that is reported is scaled back. An episode counts as H steps also where it ends
//! early in a terminal state, which is a state to rest in: so all algorithms play the same number of
//! episodes with the same budget.
//!
//! # Metrics
//!
//! All strategies report, beside what their own pages name:
//!
//! | metric | meaning |
//! |---|---|
//! | `expected_return` | what the policy played is worth, exactly, in the true problem; for a policy drawn by a coin, the mean over the coin |
//! | `regret` | the sum over all episodes so far of the optimal return less `expected_return` |
//! | `violations` | episodes so far whose `expected_return` was below the threshold (by more than 1e-9 of its size, for rounding) |
//! | `shortfall` | by how much, summed over these episodes |
//! | `replanned` | 1 in episodes after which a new policy was chosen, else 0 |
//!
//! Values are computed by dynamic programming on the true tables, never estimated from returns.
//! Records hold the mean of a metric over the episodes since the last row, so the last row of a
//! cumulative one lags by half a row.

mod bounds;
mod counts;
mod problem;

pub use bounds::{Bounds, ConfidenceBounds};
pub use counts::Counts;
pub use problem::{Baseline, Constraint, Problem, Threshold};

use assay_environments::{
    Actions, BatchedEnvironment, BatchedStep, Episode, Space,
    parameters::{ParameterError, require},
    random::{Seed, Stream},
    tabular::FiniteMdp,
};
use assay_theory::{evaluation::evaluate_horizon, mixture::markov_equivalent, planning::backward_induction};
use ndarray::{Array3, ArrayView1, s};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{Checkpoint, Error, Learner, Mode, Report};

/// An algorithm's choice of a policy for the next episode.
pub trait Strategy: Send {
    /// The algorithm's name.
    const NAME: &'static str;
    /// What it measures in a choice, in the order of [`Choice::metrics`].
    const METRICS: &'static [&'static str];

    /// Chooses the policy after `episodes` episodes, counted in `counts`. Errors where an exact
    /// computation fails.
    fn choose(&self, problem: &Problem, counts: &Counts, episodes: u64) -> Result<Choice, Error>;
}

/// What a strategy chose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// What is played.
    pub policy: EpisodePolicy,
    /// The values of [`Strategy::METRICS`]; NaN where there is none.
    pub metrics: Vec<f64>,
}

/// What is played in an episode. Policies are arrays H × states × actions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum EpisodePolicy {
    /// One policy.
    Markov(Array3<f64>),
    /// `first` with probability `weight` and else `second`, drawn before the episode.
    Coin {
        /// Played with probability `weight`.
        first: Array3<f64>,
        /// Played otherwise.
        second: Array3<f64>,
        /// Between 0 and 1.
        weight: f64,
    },
}

impl EpisodePolicy {
    /// The expected return in `mdp`, over the coin where there is one. Errors when a policy is none
    /// or the problem has no horizon.
    pub fn value(&self, mdp: &FiniteMdp) -> Result<f64, Error> {
        let value =
            |policy: &Array3<f64>| Ok::<_, Error>(evaluate_horizon(mdp, policy, 1.0)?.expected_return(mdp));
        match self {
            EpisodePolicy::Markov(policy) => value(policy),
            EpisodePolicy::Coin { first, second, weight } => {
                Ok(weight * value(first)? + (1.0 - weight) * value(second)?)
            }
        }
    }

    /// The shape of its policies.
    fn shape(&self) -> &[usize] {
        match self {
            EpisodePolicy::Markov(policy) => policy.shape(),
            EpisodePolicy::Coin { first, .. } => first.shape(),
        }
    }
}

/// Errors unless `growth` can be a strategy's `replan_growth`: how much a count must have grown since
/// the last choice, relatively, before a new one is made. With 0 every episode has its own choice.
pub fn check_growth(growth: f64) -> Result<(), ParameterError> {
    require("replan_growth", growth, growth >= 0.0 && growth.is_finite(), "0 and more")
}

/// Errors unless `delta` is between 0 and 1.
pub fn check_delta(delta: f64) -> Result<(), ParameterError> {
    require("delta", delta, delta > 0.0 && delta < 1.0, "between 0 and 1")
}

/// What changes from episode to episode; all of it is saved.
#[derive(Clone, Serialize, Deserialize)]
struct State {
    counts: Counts,
    /// The policy of the next episode.
    choice: Choice,
    /// What it is worth.
    value: f64,
    /// How often each pair had been visited when it was chosen.
    visits_at_choice: Vec<f64>,
    /// Number of the state in which the next episode starts.
    start: usize,
    episodes: u64,
    regret: f64,
    violations: f64,
    shortfall: f64,
    stream: Stream,
}

/// The loop around a [`Strategy`].
pub struct Episodic<S> {
    strategy: S,
    problem: Problem,
    /// The true problem, for measuring.
    mdp: FiniteMdp,
    /// The largest expected return.
    optimal: f64,
    /// The threshold in the problem's own unit.
    threshold: f64,
    replan_growth: f64,
    environment: Box<dyn BatchedEnvironment>,
    actions: Actions,
    step: BatchedStep,
    state: State,
}

impl<S: Strategy> Episodic<S> {
    /// The learner before its first episode.
    ///
    /// # Errors
    /// [`Error::Parameter`] when the constraint or `replan_growth` is out of range,
    /// [`Error::Unsupported`] when the environment is not one copy of a problem with exact tables and
    /// a horizon whose observations tell the step.
    pub fn new(
        strategy: S,
        constraint: &Constraint,
        replan_growth: f64,
        mut environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
    ) -> Result<Self, Error> {
        constraint.validate()?;
        check_growth(replan_growth)?;
        let mdp = suitable(S::NAME, &*environment)?;
        let mut actions = Actions::zeros(environment.action_space(), 1);
        let mut step = BatchedStep::new(&*environment);
        let (problem, counts) = constraint.pose(&mdp, &mut |policy, episodes, counts| {
            // Data from before the first episode: an environment and a stream of their own.
            let seed = seed.child("offline data");
            let mut environment = environment.replicate(1, seed);
            let mut stream = seed.stream("policy");
            environment.reset(&mut step.observations)?;
            let mut start = number(&step.observations);
            for _ in 0..episodes {
                play(&mut *environment, policy, &mut start, &mut stream, &mut actions, &mut step, counts)?;
            }
            Ok(())
        })?;
        environment.reset(&mut step.observations)?;
        let choice = strategy.choose(&problem, &counts, 0)?;
        let state = State {
            value: choice.policy.value(&mdp)?,
            choice,
            visits_at_choice: counts.all_visits().to_vec(),
            counts,
            start: number(&step.observations),
            episodes: 0,
            regret: 0.0,
            violations: 0.0,
            shortfall: 0.0,
            stream: seed.stream("policy"),
        };
        Ok(Episodic {
            strategy,
            optimal: backward_induction(&mdp, 1.0)?.expected_return(&mdp),
            threshold: problem.unscaled(problem.threshold),
            problem,
            mdp,
            replan_growth,
            environment,
            actions,
            step,
            state,
        })
    }

    /// What the strategy knows.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The true problem.
    pub fn mdp(&self) -> &FiniteMdp {
        &self.mdp
    }

    /// The threshold γ in the problem's own unit.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// What has been counted.
    pub fn counts(&self) -> &Counts {
        &self.state.counts
    }

    /// The policy of the next episode.
    pub fn policy(&self) -> &EpisodePolicy {
        &self.state.choice.policy
    }

    /// Plays one episode with the policy chosen for it and counts it.
    pub fn play_episode(&mut self) -> Result<Episode, Error> {
        let State { counts, choice, start, stream, episodes, .. } = &mut self.state;
        let policy = match &choice.policy {
            EpisodePolicy::Markov(policy) => policy,
            EpisodePolicy::Coin { first, second, weight } => {
                if stream.random::<f64>() < *weight {
                    first
                } else {
                    second
                }
            }
        };
        let episode =
            play(&mut *self.environment, policy, start, stream, &mut self.actions, &mut self.step, counts)?;
        *episodes += 1;
        Ok(episode)
    }

    /// Chooses the policy of the next episode.
    pub fn plan(&mut self) -> Result<(), Error> {
        let state = &mut self.state;
        state.choice = self.strategy.choose(&self.problem, &state.counts, state.episodes)?;
        state.value = state.choice.policy.value(&self.mdp)?;
        state.visits_at_choice.copy_from_slice(state.counts.all_visits());
        Ok(())
    }

    /// Whether some count has grown enough since the policy was chosen.
    fn outdated(&self) -> bool {
        let factor = 1.0 + self.replan_growth;
        let mut visits = self.state.counts.all_visits().iter().zip(&self.state.visits_at_choice);
        visits.any(|(now, then)| *now > *then && *now >= factor * then)
    }
}

/// The true problem. Errors when an episodic learner cannot act in the environment.
fn suitable(algorithm: &'static str, environment: &dyn BatchedEnvironment) -> Result<FiniteMdp, Error> {
    let unsupported =
        |needed: &str, found: String| Error::Unsupported { algorithm, needed: needed.into(), found };
    let Some(tabular) = environment.tabular() else {
        return Err(unsupported("an environment with exact tables", "none".into()));
    };
    let mdp = tabular.finite_mdp();
    if mdp.horizon().is_none() {
        return Err(unsupported("a problem with a horizon", "none (set its parameter `horizon`)".into()));
    }
    if !mdp.observes_step() {
        let found = "the state alone (set its parameter `horizon`)".into();
        return Err(unsupported("observations that tell the step", found));
    }
    if environment.copies() != 1 {
        return Err(unsupported(
            "one copy: it plans between any two episodes",
            environment.copies().to_string(),
        ));
    }
    Ok(mdp)
}

/// The number whose one-hot code this is.
fn number(one_hot: &[f32]) -> usize {
    one_hot.iter().position(|x| *x == 1.0).unwrap_or(0)
}

/// An action drawn from these probabilities.
fn draw(probabilities: ArrayView1<'_, f64>, rng: &mut Stream) -> usize {
    let mut left: f64 = rng.random();
    let mut last = 0;
    for (action, p) in probabilities.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        left -= p;
        last = action;
        if left < 0.0 {
            break;
        }
    }
    last
}

/// Plays one episode with `policy` from the state `start`, counts it, and leaves in `start` where the
/// next one begins.
fn play(
    environment: &mut dyn BatchedEnvironment,
    policy: &Array3<f64>,
    start: &mut usize,
    stream: &mut Stream,
    actions: &mut Actions,
    step: &mut BatchedStep,
    counts: &mut Counts,
) -> Result<Episode, Error> {
    let (horizon, states, _) = policy.dim();
    let mut state = *start;
    for h in 0..horizon {
        let action = draw(policy.slice(s![h, state, ..]), stream);
        if let Actions::Discrete(row) = &mut *actions {
            row[0] = action;
        }
        environment.step(actions, step)?;
        if let Some(episode) = step.episodes.first() {
            // After step H the observation tells no state, and none is needed.
            let seen = number(&step.final_observations);
            counts.add(h, state, action, (seen < horizon * states).then_some(seen % states));
            *start = number(&step.observations);
            return Ok(*episode);
        }
        let next = number(&step.observations) % states;
        counts.add(h, state, action, Some(next));
        state = next;
    }
    Err(Error::Environment(assay_environments::Error::InvalidProcess {
        reason: format!("an episode goes on after its horizon of {horizon} steps"),
    }))
}

impl<S: Strategy> Learner for Episodic<S> {
    fn advance(&mut self) -> Result<Report, Error> {
        let episode = self.play_episode()?;
        let (threshold, optimal) = (self.threshold, self.optimal);
        let state = &mut self.state;
        state.regret += optimal - state.value;
        if state.value < threshold - 1e-9 * (1.0 + threshold.abs()) {
            state.violations += 1.0;
            state.shortfall += threshold - state.value;
        }
        let mut metrics = vec![
            ("expected_return", state.value),
            ("regret", state.regret),
            ("violations", state.violations),
            ("shortfall", state.shortfall),
        ];
        metrics.extend(S::METRICS.iter().copied().zip(state.choice.metrics.iter().copied()));
        let outdated = self.outdated();
        metrics.push(("replanned", f64::from(u8::from(outdated))));
        if outdated {
            self.plan()?;
        }
        Ok(Report { metrics, episodes: vec![episode] })
    }

    fn steps(&self) -> u64 {
        self.state.episodes * self.problem.size.horizon as u64
    }

    /// Observations are one-hot codes of step and state. A policy that tosses a coin is replaced by
    /// the Markov policy that acts alike: a row alone does not tell how the coin fell.
    fn act(
        &self,
        observations: &[f32],
        mode: Mode,
        rng: &mut Stream,
        actions: &mut Actions,
    ) -> Result<(), Error> {
        let features = self.environment.observation_space().features();
        self.environment.action_space().check_buffer(actions, observations.len() / features)?;
        let equivalent;
        let policy = match self.policy() {
            EpisodePolicy::Markov(policy) => policy,
            EpisodePolicy::Coin { first, second, weight } => {
                equivalent = markov_equivalent(&self.mdp, first, second, *weight)?;
                &equivalent
            }
        };
        let (horizon, states, _) = policy.dim();
        let Actions::Discrete(actions) = actions else {
            return Err(Error::Unsupported {
                algorithm: S::NAME,
                needed: Space::discrete(self.mdp.actions()).to_string(),
                found: "actions of another kind".into(),
            });
        };
        for (row, action) in observations.chunks_exact(features).zip(actions) {
            let seen = number(row).min(horizon * states - 1);
            let probabilities = policy.slice(s![seen / states, seen % states, ..]);
            *action = match mode {
                Mode::Sample => draw(probabilities, rng),
                Mode::Greedy => {
                    let better = |a: usize, b: usize| if probabilities[b] > probabilities[a] { b } else { a };
                    (0..probabilities.len()).reduce(better).unwrap_or(0)
                }
            };
        }
        Ok(())
    }

    fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), Error> {
        checkpoint.put_record("environment", &self.environment.snapshot()?)?;
        checkpoint.put_record("episodic", &self.state)
    }

    fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let environment: Vec<u8> = checkpoint.record("environment")?;
        let state: State = checkpoint.record("episodic")?;
        let fits = state.counts.size() == self.problem.size
            && state.visits_at_choice.len() == state.counts.all_visits().len()
            && state.choice.metrics.len() == S::METRICS.len()
            && state.choice.policy.shape() == self.problem.baseline.shape()
            && state.start < self.problem.size.states;
        if !fits {
            return Err(Error::Checkpoint { reason: "it is of a problem of another size".into() });
        }
        self.environment.restore(&environment)?;
        self.state = state;
        Ok(())
    }
}
