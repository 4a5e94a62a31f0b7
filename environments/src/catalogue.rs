//! Every environment, by name.
//!
//! An [`Entry`] is a name, a sentence, the parameters with their defaults, and how to make the
//! environment from a table of parameters. [`make`] is what experiments use.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Batch, BatchedEnvironment, Environment, Error,
    classic::{Acrobot, CartPole, MountainCar, MountainCarContinuous, Pendulum},
    parameters::{ParameterError, read, unknown},
    probe::{ActionForm, Probe, Question},
    random::Seed,
    tabular::{
        Chain, CliffWalking, DeepSea, FiniteMdp, FrozenLake, Garnet, GridWorld, LayeredRandom, RiverSwim,
    },
    wrappers::TimeLimit,
};

/// An environment that can be made by name.
pub struct Entry {
    name: &'static str,
    summary: &'static str,
    parameters: toml::Table,
    make: Box<Make>,
}

type Make = dyn Fn(&toml::Table, usize, Seed) -> Result<Box<dyn BatchedEnvironment>, Error> + Send + Sync;

impl Entry {
    /// The name to make it by.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it is, in one line.
    pub fn summary(&self) -> &'static str {
        self.summary
    }

    /// The parameters and their defaults. A parameter that is absent by default is not listed.
    pub fn parameters(&self) -> &toml::Table {
        &self.parameters
    }

    /// Makes a batch of `copies` with the given parameters over the defaults; see [`make`].
    pub fn make(
        &self,
        parameters: &toml::Table,
        copies: usize,
        seed: Seed,
    ) -> Result<Box<dyn BatchedEnvironment>, Error> {
        (self.make)(parameters, copies, seed)
    }
}

/// All environments, in the order in which they are best listed.
pub fn entries() -> Vec<Entry> {
    let mut entries = classic();
    entries.extend(tabular());
    entries.extend(probes());
    entries
}

fn classic() -> Vec<Entry> {
    vec![
        entry("CartPole-v1", "balance a pole on a cart by pushing it left or right", |p: CartPoleTask| {
            TimeLimit::new(CartPole::new(), p.time_limit)
        }),
        entry("MountainCar-v0", "rock a weak car out of a valley", |p: MountainCarTask| {
            TimeLimit::new(MountainCar::with_goal_velocity(p.goal_velocity)?, p.time_limit)
        }),
        entry(
            "MountainCarContinuous-v0",
            "rock a weak car out of a valley with a throttle, sparingly",
            |p: MountainCarContinuousTask| {
                TimeLimit::new(MountainCarContinuous::with_goal_velocity(p.goal_velocity)?, p.time_limit)
            },
        ),
        entry("Pendulum-v1", "swing a pendulum up with a weak motor and hold it there", |p: PendulumTask| {
            TimeLimit::new(Pendulum::with_gravity(p.gravity)?, p.time_limit)
        }),
        entry("Acrobot-v1", "swing up two links by the joint between them", |p: AcrobotTask| {
            TimeLimit::new(Acrobot::new(), p.time_limit)
        }),
    ]
}

fn tabular() -> Vec<Entry> {
    vec![
        limited("GridWorld", "reach a goal on a grid with walls, pits and slips", 100, GridWorld::build),
        limited("CliffWalking", "walk along a cliff without falling", 1000, CliffWalking::build),
        limited("FrozenLake", "cross a slippery lake with holes", 100, FrozenLake::build),
        limited("RiverSwim", "swim against a current for a distant reward", 1000, RiverSwim::build),
        limited("Chain", "walk to the end of a chain instead of turning back", 1000, Chain::build),
        entry("DeepSea", "find a treasure that only one plan reaches", |p: DeepSea| p.build()),
        limited("Garnet", "a random decision process", 1000, Garnet::build),
        entry("LayeredRandom", "a random episodic process with tables of its own at every step", {
            |p: LayeredRandom| p.build()
        }),
    ]
}

fn probes() -> Vec<Entry> {
    vec![
        entry("ProbeConstantReward", "does the value converge at all?", |p: ProbeTask| {
            Ok(Probe::new(Question::ConstantReward, p.actions))
        }),
        entry("ProbeRewardByObservation", "does the value depend on the observation?", |p: ProbeTask| {
            Ok(Probe::new(Question::RewardByObservation, p.actions))
        }),
        entry("ProbeDelayedReward", "is a later reward discounted?", |p: ProbeTask| {
            Ok(Probe::new(Question::DelayedReward, p.actions))
        }),
        entry("ProbeRewardByAction", "is the better action found?", |p: ProbeTask| {
            Ok(Probe::new(Question::RewardByAction, p.actions))
        }),
        entry(
            "ProbeRewardByActionAndObservation",
            "is the better action found for each observation?",
            |p: ProbeTask| Ok(Probe::new(Question::RewardByActionAndObservation, p.actions)),
        ),
    ]
}

/// Makes a batch of `copies` of the environment called `name`.
///
/// Parameters that `parameters` does not give keep their defaults. Errors when the name or a
/// parameter is unknown (with the nearest spelling), or a value is of the wrong type or out of
/// range. Copy `i` draws from the stream `("environment", i)` of `seed`.
pub fn make(
    name: &str,
    parameters: &toml::Table,
    copies: usize,
    seed: Seed,
) -> Result<Box<dyn BatchedEnvironment>, Error> {
    let entries = entries();
    match entries.iter().find(|entry| entry.name == name) {
        Some(entry) => entry.make(parameters, copies, seed),
        None => Err(unknown("environment", name, entries.iter().map(|entry| entry.name)).into()),
    }
}

/// An entry whose parameters are a `P`, from which `build` makes the environment.
fn entry<P, E>(name: &'static str, summary: &'static str, build: fn(P) -> Result<E, Error>) -> Entry
where
    P: Serialize + DeserializeOwned + Default + 'static,
    E: Environment,
{
    Entry {
        name,
        summary,
        parameters: toml::Table::try_from(P::default()).unwrap_or_default(),
        make: Box::new(move |parameters, copies, seed| {
            let environment = build(read(name, parameters)?)?;
            Ok(Box::new(Batch::new(environment, copies, seed)))
        }),
    }
}

/// An entry for a decision process with parameters `P`, under a time limit that is a parameter
/// beside them and is `time_limit` by default.
fn limited<P>(
    name: &'static str,
    summary: &'static str,
    time_limit: u32,
    build: fn(&P) -> Result<FiniteMdp, Error>,
) -> Entry
where
    P: Serialize + DeserializeOwned + Default + 'static,
{
    const FIELD: &str = "time_limit";
    let mut parameters = toml::Table::try_from(P::default()).unwrap_or_default();
    parameters.insert(FIELD.into(), time_limit.into());
    Entry {
        name,
        summary,
        parameters,
        make: Box::new(move |given, copies, seed| {
            let mut given = given.clone();
            let limit = given.remove(FIELD).unwrap_or_else(|| time_limit.into());
            let limit: Limit = read(name, &toml::Table::from_iter([(FIELD.into(), limit)]))?;
            let problem: P = read(name, &given).map_err(|error| match error {
                ParameterError::Unknown { kind, given, known, .. } => {
                    unknown(&kind, &given, known.iter().map(String::as_str).chain([FIELD]))
                }
                other => other,
            })?;
            let environment = TimeLimit::new(build(&problem)?, limit.time_limit)?;
            Ok(Box::new(Batch::new(environment, copies, seed)))
        }),
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Limit {
    time_limit: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CartPoleTask {
    time_limit: u64,
}

impl Default for CartPoleTask {
    fn default() -> Self {
        CartPoleTask { time_limit: 500 }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MountainCarTask {
    time_limit: u64,
    goal_velocity: f64,
}

impl Default for MountainCarTask {
    fn default() -> Self {
        MountainCarTask { time_limit: 200, goal_velocity: 0.0 }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MountainCarContinuousTask {
    time_limit: u64,
    goal_velocity: f32,
}

impl Default for MountainCarContinuousTask {
    fn default() -> Self {
        MountainCarContinuousTask { time_limit: 999, goal_velocity: 0.0 }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PendulumTask {
    time_limit: u64,
    gravity: f64,
}

impl Default for PendulumTask {
    fn default() -> Self {
        PendulumTask { time_limit: 200, gravity: 10.0 }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AcrobotTask {
    time_limit: u64,
}

impl Default for AcrobotTask {
    fn default() -> Self {
        AcrobotTask { time_limit: 500 }
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ProbeTask {
    actions: ActionForm,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(name: &str, parameters: &str) -> String {
        make(name, &parameters.parse().unwrap(), 1, Seed::new(0)).err().unwrap().to_string()
    }

    #[test]
    fn every_entry_makes_its_environment_from_its_own_defaults() {
        for entry in entries() {
            let batch = entry.make(entry.parameters(), 3, Seed::new(0)).unwrap();
            assert_eq!(batch.copies(), 3, "{}", entry.name());
        }
    }

    #[test]
    fn decision_processes_hand_out_their_tables() {
        for entry in tabular() {
            let batch = entry.make(entry.parameters(), 1, Seed::new(0)).unwrap();
            let mdp = batch.tabular().unwrap().finite_mdp();
            assert_eq!(*batch.observation_space(), crate::Space::discrete(mdp.states()), "{}", entry.name());
        }
        let batch = make("Pendulum-v1", &toml::Table::new(), 1, Seed::new(0)).unwrap();
        assert!(batch.tabular().is_none());
    }

    #[test]
    fn a_time_limit_is_a_parameter_like_any_other() {
        assert!(error("Garnet", "time_limit = 0").contains("`time_limit` is 0"));
        assert!(error("Garnet", "time_limit = \"long\"").contains("`time_limit` is \"long\""));
        let message = error("Garnet", "time_limt = 7");
        assert!(message.contains("did you mean `time_limit`?"), "{message}");
        assert!(error("Garnet", "branching = 21").contains("`branching` is 21"));
        let given = "time_limit = 7\nstates = 30".parse().unwrap();
        assert_eq!(make("Garnet", &given, 2, Seed::new(0)).unwrap().observation_space().features(), 30);
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = entries().iter().map(Entry::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), entries().len());
    }

    #[test]
    fn an_unknown_name_is_an_error_with_the_nearest_spelling() {
        let message = error("cartpole", "");
        assert!(message.contains("did you mean `CartPole-v1`?"), "{message}");
    }

    #[test]
    fn a_parameter_that_is_unknown_or_out_of_range_is_named() {
        let message = error("CartPole-v1", "time_limt = 3");
        assert!(
            message.contains("field of CartPole-v1 `time_limt` (did you mean `time_limit`?)"),
            "{message}"
        );
        let message = error("Pendulum-v1", "time_limit = 0");
        assert!(message.contains("`time_limit` is 0; allowed: 1 or more steps"), "{message}");
        let message = error("Pendulum-v1", "gravity = inf");
        assert!(message.contains("`gravity` is inf"), "{message}");
        let message = error("MountainCar-v0", "goal_velocity = 0.08");
        assert!(message.contains("`goal_velocity` is 0.08; allowed: -0.07 to 0.07"), "{message}");
        let message = error("ProbeRewardByAction", "actions = \"continous\"");
        assert!(message.contains("`actions` is \"continous\""), "{message}");
    }
}
