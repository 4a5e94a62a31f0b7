//! Does an environment keep the contract?
//!
//! [`check`] runs an environment through everything that [`Environment`] promises and lists what it
//! breaks. Call it in a test of your own environment; it runs on every environment here too.
//!
//! ```
//! use assay_environments::{classic::CartPole, conformance};
//!
//! conformance::check(&CartPole::new()).unwrap();
//! ```
//!
//! That steps allocate nothing can only be seen by whoever counts allocations, which is the
//! program's global allocator: see [`check_allocations`].

use std::fmt;

use crate::{
    Action, Actions, Environment, Error, Outcome, Space,
    random::{Seed, Stream},
};

/// Steps in one run.
const STEPS: usize = 300;
/// Steps after which a run is copied and snapshotted.
const INTERRUPTIONS: [usize; 4] = [0, 1, 17, 150];
/// Runs, each from a seed of its own.
const RUNS: u64 = 3;

/// A rule of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The spaces are valid: [`Space::validate`].
    ValidSpaces,
    /// The spaces stay the same.
    ConstantSpaces,
    /// `reset` and `step` succeed for every action in the action space, and for continuous actions
    /// beyond its bounds.
    AcceptsActions,
    /// An action of another kind or length, or out of a discrete range, is an error.
    RefusesActions,
    /// Observations are written in full and lie in the observation space.
    Observations,
    /// Rewards are finite.
    Rewards,
    /// The same state, actions and generator give the same outcomes, bit for bit.
    Deterministic,
    /// A clone continues as the original does, and neither disturbs the other.
    Clone,
    /// A serialised copy continues as the original does.
    Snapshot,
    /// The deterministic half of a step changes nothing, is the same whenever it is asked for, and
    /// gives finite rewards and observations in its space; see
    /// [`PostDecision`](crate::PostDecision).
    PostDecision,
    /// `reset` and `step` allocate nothing, nor does the deterministic half of a step.
    NoAllocation,
}

/// A rule that is broken, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What was found, and when.
    pub found: String,
}

/// All rules that an environment breaks, each with the first place where it does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConformanceError {
    /// At least one.
    pub violations: Vec<Violation>,
}

impl ConformanceError {
    fn add(&mut self, rule: Rule, found: impl Into<String>) {
        if self.violations.iter().all(|violation| violation.rule != rule) {
            self.violations.push(Violation { rule, found: found.into() });
        }
    }

    fn into_result(self) -> Result<(), Self> {
        if self.violations.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for ConformanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the environment breaks its contract")?;
        for Violation { rule, found } in &self.violations {
            write!(f, "\n  {rule:?}: {found}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConformanceError {}

/// Checks an environment against all rules but [`Rule::NoAllocation`]; takes a few thousand steps
/// of copies of it.
pub fn check<E: Environment>(environment: &E) -> Result<(), ConformanceError> {
    let mut report = ConformanceError::default();
    for space in [environment.observation_space(), environment.action_space()] {
        if let Err(error) = space.validate() {
            report.add(Rule::ValidSpaces, error.to_string());
        }
    }
    if report.violations.is_empty() {
        for seed in 0..RUNS {
            check_run(environment, Seed::new(seed), &mut report);
        }
        check_post_decisions(environment, &mut report);
        check_actions(environment, &mut report);
    }
    report.into_result()
}

/// Checks that `reset` and `step` allocate nothing once an environment has run for a while.
///
/// `count` runs what it is given and returns how many allocations that made. With the crate
/// `allocation-counter` it is `|steps| allocation_counter::measure(steps).count_total`; with a
/// counting global allocator, the difference of its counter before and after.
pub fn check_allocations<E: Environment>(
    environment: &E,
    count: impl FnOnce(&mut dyn FnMut()) -> u64,
) -> Result<(), ConformanceError> {
    let mut report = ConformanceError::default();
    let mut run = Run::new(environment.clone(), Seed::new(0));
    let mut actions = Actions::zeros(&run.action_space, STEPS);
    run.action_space.sample(&mut run.choices, &mut actions);
    let mut failure = None;
    let half = environment.post_decision().map_or(0, |half| half.post_decision_space().width());
    let mut post = vec![0.0; half];
    let mut steps = || {
        for i in 0..actions.len() {
            let decided = run.environment.post_decision().map(|half| half.decide(actions.row(i), &mut post));
            if let Some(Err(error)) = decided {
                failure = Some(error);
                return;
            }
            if let Err(error) = run.act(actions.row(i)) {
                failure = Some(error);
                return;
            }
        }
    };
    steps();
    let allocations = count(&mut steps);
    if let Some(error) = failure {
        report.add(Rule::AcceptsActions, error.to_string());
    } else if allocations > 0 {
        report.add(Rule::NoAllocation, format!("{allocations} allocations in {STEPS} steps"));
    }
    report.into_result()
}

/// An environment under way, with everything that its future depends on.
#[derive(Clone)]
struct Run<E> {
    environment: E,
    action_space: Space,
    /// The environment's generator.
    stream: Stream,
    /// The generator of the actions.
    choices: Stream,
    action: Actions,
    observation: Vec<f32>,
    /// Whether the next thing to do is a reset.
    over: bool,
}

/// What one reset or step brought, as bits.
#[derive(Clone, Debug, PartialEq)]
struct Event {
    observation: Vec<u32>,
    outcome: Option<(u64, bool, bool)>,
}

impl<E: Environment> Run<E> {
    fn new(environment: E, seed: Seed) -> Self {
        let action_space = environment.action_space();
        Run {
            action: Actions::zeros(&action_space, 1),
            observation: vec![0.0; environment.observation_space().width()],
            stream: seed.stream("environment"),
            choices: seed.stream("actions"),
            over: true,
            action_space,
            environment,
        }
    }

    /// Takes a step, after a reset where one is due.
    fn act(&mut self, action: Action<'_>) -> Result<Outcome, Error> {
        if self.over {
            self.reset()?;
        }
        self.observation.fill(f32::NAN);
        let outcome = self.environment.step(action, &mut self.stream, &mut self.observation)?;
        self.over = outcome.done();
        Ok(outcome)
    }

    fn reset(&mut self) -> Result<(), Error> {
        self.observation.fill(f32::NAN);
        self.over = false;
        self.environment.reset(&mut self.stream, &mut self.observation)
    }

    /// Resets or takes a random step, whichever is due.
    fn advance(&mut self) -> Result<Event, Error> {
        let outcome = if self.over {
            self.reset()?;
            None
        } else {
            self.action_space.sample(&mut self.choices, &mut self.action);
            let action = std::mem::replace(&mut self.action, Actions::Discrete(Vec::new()));
            let outcome = self.act(action.row(0));
            self.action = action;
            Some(outcome?)
        };
        Ok(Event {
            observation: self.observation.iter().map(|x| x.to_bits()).collect(),
            outcome: outcome.map(|o| (o.reward.to_bits(), o.terminated, o.truncated)),
        })
    }
}

/// Runs from one seed: with every result checked, again, and with interruptions.
fn check_run<E: Environment>(environment: &E, seed: Seed, report: &mut ConformanceError) {
    let (observation_space, action_space) = (environment.observation_space(), environment.action_space());
    let mut run = Run::new(environment.clone(), seed);
    let mut events = Vec::with_capacity(STEPS);
    for t in 0..STEPS {
        match run.advance() {
            Ok(event) => {
                check_event(&event, &observation_space, &format!("event {t} of {seed:?}"), report);
                events.push(event);
            }
            Err(error) => {
                return report.add(Rule::AcceptsActions, format!("event {t} of {seed:?} failed: {error}"));
            }
        }
    }
    if (run.environment.observation_space(), run.environment.action_space())
        != (observation_space, action_space)
    {
        report.add(Rule::ConstantSpaces, format!("they have changed after {STEPS} steps"));
    }
    compare(Rule::Deterministic, Run::new(environment.clone(), seed), &events, 0, report);

    for interruption in INTERRUPTIONS {
        let mut run = Run::new(environment.clone(), seed);
        let replayed = (0..interruption).all(|_| run.advance().is_ok());
        match snapshot(&run.environment) {
            Ok(environment) => {
                let restored = Run { environment, ..run.clone() };
                compare(Rule::Snapshot, restored, &events, interruption, report);
            }
            Err(reason) => report.add(Rule::Snapshot, reason),
        }
        compare(Rule::Clone, run.clone(), &events, interruption, report);
        if replayed {
            compare(Rule::Clone, run, &events, interruption, report);
        }
    }
}

/// An environment that has been written and read again.
fn snapshot<E: Environment>(environment: &E) -> Result<E, String> {
    let bytes = postcard::to_allocvec(environment).map_err(|e| format!("it cannot be written: {e}"))?;
    let restored: E = postcard::from_bytes(&bytes).map_err(|e| format!("it cannot be read: {e}"))?;
    match postcard::to_allocvec(&restored) {
        Ok(again) if again == bytes => Ok(restored),
        _ => Err("what was read is not what was written".into()),
    }
}

/// Checks that `run` brings `events[from..]`.
fn compare<E: Environment>(
    rule: Rule,
    mut run: Run<E>,
    events: &[Event],
    from: usize,
    report: &mut ConformanceError,
) {
    for (t, expected) in events.iter().enumerate().skip(from) {
        match run.advance() {
            Ok(event) if event == *expected => {}
            other => {
                let found = format!("event {t}, continued from {from}, is {other:?}, not {expected:?}");
                return report.add(rule, found);
            }
        }
    }
}

fn check_event(event: &Event, space: &Space, when: &str, report: &mut ConformanceError) {
    let observation: Vec<f32> = event.observation.iter().map(|bits| f32::from_bits(*bits)).collect();
    if !space.contains(&observation) {
        report.add(Rule::Observations, format!("{observation:?} is not in {space}, at {when}"));
    }
    if let Some((bits, ..)) = event.outcome
        && !f64::from_bits(bits).is_finite()
    {
        report.add(Rule::Rewards, format!("{} at {when}", f64::from_bits(bits)));
    }
}

/// Asks for the deterministic half of every step before it is taken.
fn check_post_decisions<E: Environment>(environment: &E, report: &mut ConformanceError) {
    let Some(space) = environment.post_decision().map(|half| half.post_decision_space()) else { return };
    if let Err(error) = space.validate() {
        return report.add(Rule::ValidSpaces, error.to_string());
    }
    let mut run = Run::new(environment.clone(), Seed::new(0));
    let mut actions = Actions::zeros(&run.action_space, STEPS);
    run.action_space.sample(&mut run.choices, &mut actions);
    for t in 0..STEPS {
        let when = format!("step {t}");
        if run.over && run.reset().is_err() {
            return;
        }
        let before = postcard::to_allocvec(&run.environment);
        let decide = |environment: &E| {
            let mut observation = vec![f32::NAN; space.width()];
            let reward =
                environment.post_decision().map(|half| half.decide(actions.row(t), &mut observation));
            (reward, observation)
        };
        let (first, observation) = decide(&run.environment);
        let (again, same) = decide(&run.environment.clone());
        match &first {
            Some(Ok(reward)) if reward.is_finite() => {}
            other => return report.add(Rule::PostDecision, format!("the reward is {other:?} at {when}")),
        }
        let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        if again != first || bits(&same) != bits(&observation) {
            report.add(Rule::PostDecision, format!("asked again, it differs, at {when}"));
        }
        if !space.contains(&observation) {
            report.add(Rule::PostDecision, format!("{observation:?} is not in {space}, at {when}"));
        }
        if postcard::to_allocvec(&run.environment) != before {
            report.add(Rule::PostDecision, format!("it has changed the environment, at {when}"));
        }
        if run.act(actions.row(t)).is_err() {
            return;
        }
    }
}

/// Tries actions beyond the bounds, and actions that are none.
fn check_actions<E: Environment>(environment: &E, report: &mut ConformanceError) {
    let mut run = Run::new(environment.clone(), Seed::new(0));
    let space = run.action_space.clone();
    if let Space::Box { low, .. } = &space {
        for value in [-1e3, 1e3] {
            let beyond = vec![value; low.len()];
            match run.act(Action::Continuous(&beyond)) {
                Ok(_) => {
                    let observation = run.observation.iter().map(|x| x.to_bits()).collect();
                    let event = Event { observation, outcome: None };
                    let when = format!("a step with action {value}");
                    check_event(&event, &environment.observation_space(), &when, report);
                }
                Err(error) => report.add(Rule::AcceptsActions, format!("{value}: {error}")),
            }
        }
    }

    let (no_numbers, not_a_number) = ([], vec![f32::NAN; space.width()]);
    let too_large = match &space {
        Space::Discrete { n } => Action::Discrete(*n),
        Space::MultiDiscrete { sizes } => Action::MultiDiscrete(sizes),
        Space::Box { .. } => Action::Continuous(&not_a_number),
    };
    let wrong_kind = match &space {
        Space::Discrete { .. } => Action::Continuous(&[0.0]),
        _ => Action::Discrete(0),
    };
    let wrong_length = match &space {
        Space::MultiDiscrete { .. } => Action::MultiDiscrete(&[]),
        _ => Action::Continuous(&no_numbers),
    };
    for action in [too_large, wrong_kind, wrong_length] {
        run.over = true;
        if run.act(action).is_ok() {
            report.add(Rule::RefusesActions, format!("{action:?} was accepted; the space is {space}"));
        }
    }
}
