//! Every environment, by name.
//!
//! An [`Entry`] is a name, a sentence, the parameters with their defaults, and how to make the
//! environment from a table of parameters. [`make`] is what experiments use.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Batch, BatchedEnvironment, Environment, Error,
    classic::{Acrobot, CartPole, MountainCar, MountainCarContinuous, Pendulum},
    conformance,
    hills::Hills,
    operations::{EnergyStorage, Inventory, LotSizing},
    parameters::{ParameterError, read, unknown},
    probe::{ActionForm, Probe, Question},
    random::Seed,
    submodular::{
        ExperimentDesign, GraphExploration, GridCoverage, InformativePath, ItemGrid, RoomExploration, Trap,
    },
    tabular::{
        Chain, CliffWalking, DeepSea, FiniteMdp, FrozenLake, Garnet, GridWorld, LayeredRandom,
        RandomUncertainty, RiverSwim, StochasticFrozenLake, UncertainMdp, WindyWalk,
    },
    wrappers::TimeLimit,
};

/// An environment that can be made by name.
pub struct Entry {
    name: &'static str,
    summary: &'static str,
    parameters: toml::Table,
    make: Box<Make>,
    check: Box<Check>,
}

type Check = dyn Fn(&toml::Table) -> Result<(), Error> + Send + Sync;
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

    /// Checks the environment, with the given parameters over the defaults, against the contract;
    /// see [`conformance::check`].
    pub fn check(&self, parameters: &toml::Table) -> Result<(), Error> {
        (self.check)(parameters)
    }
}

/// All environments, in the order in which they are best listed.
pub fn entries() -> Vec<Entry> {
    let mut entries = classic_entries();
    #[cfg(feature = "physics")]
    entries.extend(physics_entries());
    entries.extend(tabular_entries());
    entries.extend(submodular_entries());
    entries.push(limited(
        "Hills",
        "climb a stair of states, each a hill over a real action",
        1000,
        Hills::build,
    ));
    entries.extend(operations_entries());
    entries.extend(probe_entries());
    #[cfg(feature = "mujoco")]
    entries.extend(mujoco_entries());
    entries
}

fn classic_entries() -> Vec<Entry> {
    vec![
        limited("CartPole-v1", "balance a pole on a cart by pushing it left or right", 500, |_: &Nothing| {
            Ok(CartPole::new())
        }),
        limited("MountainCar-v0", "rock a weak car out of a valley", 200, |p: &MountainCarGoal| {
            MountainCar::with_goal_velocity(p.goal_velocity)
        }),
        limited(
            "MountainCarContinuous-v0",
            "rock a weak car out of a valley with a throttle, sparingly",
            999,
            |p: &MountainCarGoal| MountainCarContinuous::with_goal_velocity(p.goal_velocity as f32),
        ),
        limited(
            "Pendulum-v1",
            "swing a pendulum up with a weak motor and hold it there",
            200,
            |p: &PendulumGravity| Pendulum::with_gravity(p.gravity),
        ),
        limited("Acrobot-v1", "swing up two links by the joint between them", 500, |_: &Nothing| {
            Ok(Acrobot::new())
        }),
    ]
}

/// Robots; their batches step on several threads.
#[cfg(feature = "physics")]
fn physics_entries() -> Vec<Entry> {
    use crate::physics::{Physique, RobotEnvironment, robots::*};
    vec![
        robot("RapierInvertedPendulum", "keep a pole on a cart upright", 1000, |p: &Physique| {
            RobotEnvironment::new(inverted_pendulum::robot(), inverted_pendulum::task())?.with_physique(p)
        }),
        robot("RapierInvertedDoublePendulum", "keep a pole on a pole on a cart upright", 1000, {
            |p: &Physique| {
                let robot = inverted_double_pendulum::robot();
                RobotEnvironment::new(robot, inverted_double_pendulum::task())?.with_physique(p)
            }
        }),
        robot("RapierReacher", "touch a target with an arm of two links", 50, |p: &Physique| {
            RobotEnvironment::new(reacher::robot(), reacher::task())?.with_physique(p)
        }),
        robot("RapierSwimmer", "swim forwards with three links", 1000, |p: &Physique| {
            RobotEnvironment::new(swimmer::robot(), swimmer::task())?.with_physique(p)
        }),
        robot("RapierHopper", "hop forwards on one leg without falling", 1000, |p: &Physique| {
            RobotEnvironment::new(hopper::robot(), hopper::task())?.with_physique(p)
        }),
        robot("RapierHalfCheetah", "run forwards on two legs with knees", 1000, |p: &Physique| {
            RobotEnvironment::new(half_cheetah::robot(), half_cheetah::task())?.with_physique(p)
        }),
        robot("RapierWalker2d", "walk forwards on two legs without falling", 1000, |p: &Physique| {
            RobotEnvironment::new(walker2d::robot(), walker2d::task())?.with_physique(p)
        }),
        robot("RapierAnt", "walk forwards on four legs without turning over", 1000, |p: &Physique| {
            RobotEnvironment::new(ant::robot(), ant::task())?.with_physique(p)
        }),
        robot("RapierPointMaze", "push a ball through a maze", 300, |p: &MazeParameters| {
            let task = p.apply(point::task(p.layout, p.reward));
            RobotEnvironment::new(point::robot(p.layout), task)?.with_physique(&p.physique())
        }),
        robot("RapierAntMaze", "walk through a maze on four legs", 700, |p: &MazeParameters| {
            let task = p.apply(ant::maze_task(p.layout, p.reward));
            RobotEnvironment::new(ant::robot_in_maze(p.layout), task)?.with_physique(&p.physique())
        }),
    ]
}

fn tabular_entries() -> Vec<Entry> {
    vec![
        tabular_entry(
            "GridWorld",
            "reach a goal on a grid with walls, pits and slips",
            Some(100),
            GridWorld::build,
        ),
        tabular_entry("CliffWalking", "walk along a cliff without falling", Some(1000), CliffWalking::build),
        tabular_entry("FrozenLake", "cross a slippery lake with holes", Some(100), FrozenLake::build),
        tabular_entry(
            "RiverSwim",
            "swim against a current for a distant reward",
            Some(1000),
            RiverSwim::build,
        ),
        tabular_entry(
            "Chain",
            "walk to the end of a chain instead of turning back",
            Some(1000),
            Chain::build,
        ),
        tabular_entry("DeepSea", "find a treasure that only one plan reaches", None, DeepSea::build),
        tabular_entry("Garnet", "a random decision process", Some(1000), Garnet::build),
        limited("WindyWalk", "walk against a wind of unknown strength", 1000, |p: &UnknownWind| {
            Ok(UncertainMdp::new(WindyWalk::uncertainty_set(p.levels, p.strongest)?))
        }),
        limited(
            "RandomUncertainty",
            "a random decision process of several",
            1000,
            |p: &RandomUncertainty| Ok(UncertainMdp::new(p.build()?)),
        ),
        entry("LayeredRandom", "a random episodic process with tables of its own at every step", {
            |p: &LayeredRandom| p.build()
        }),
    ]
}

fn submodular_entries() -> Vec<Entry> {
    vec![
        entry("GridCoverage", "cover as much of a grid as possible", GridCoverage::build),
        entry("RoomExploration", "cover two rooms that a corridor joins", RoomExploration::build),
        entry("ItemGrid", "collect some items of every kind", ItemGrid::build),
        entry("InformativePath", "measure where it tells most about a field", InformativePath::build),
        entry("ExperimentDesign", "choose measurements for a regression", ExperimentDesign::build),
        entry("GraphExploration", "see as much of a graph as possible", GraphExploration::build),
        entry("Trap", "resist small gains for a large one further away", Trap::build),
    ]
}

fn probe_entries() -> Vec<Entry> {
    vec![
        entry("ProbeConstantReward", "does the value converge at all?", |p: &ProbeActions| {
            Ok(Probe::new(Question::ConstantReward, p.actions))
        }),
        entry("ProbeRewardByObservation", "does the value depend on the observation?", |p: &ProbeActions| {
            Ok(Probe::new(Question::RewardByObservation, p.actions))
        }),
        entry("ProbeDelayedReward", "is a later reward discounted?", |p: &ProbeActions| {
            Ok(Probe::new(Question::DelayedReward, p.actions))
        }),
        entry("ProbeRewardByAction", "is the better action found?", |p: &ProbeActions| {
            Ok(Probe::new(Question::RewardByAction, p.actions))
        }),
        entry(
            "ProbeRewardByActionAndObservation",
            "is the better action found for each observation?",
            |p: &ProbeActions| Ok(Probe::new(Question::RewardByActionAndObservation, p.actions)),
        ),
    ]
}

/// Problems with post-decision states.
fn operations_entries() -> Vec<Entry> {
    vec![
        limited("LotSizing", "make items to stock on parallel machines", 100, LotSizing::build),
        limited("Inventory", "order one item that arrives some periods later", 100, Inventory::build),
        limited("EnergyStorage", "trade energy and serve a load with a battery", 100, EnergyStorage::build),
        limited(
            "StochasticFrozenLake",
            "cross a lake whose ice pushes on after every move",
            100,
            StochasticFrozenLake::build,
        ),
    ]
}

/// Gymnasium's robots in MuJoCo itself.
#[cfg(feature = "mujoco")]
fn mujoco_entries() -> Vec<Entry> {
    use crate::mujoco::{Robot, RobotEnvironment};
    vec![
        robot("InvertedPendulum-v5", "balance a pole on a cart, in MuJoCo", 1000, |_: &Nothing| {
            RobotEnvironment::new(Robot::InvertedPendulum)
        }),
        robot("InvertedDoublePendulum-v5", "balance two poles on a cart, in MuJoCo", 1000, |_: &Nothing| {
            RobotEnvironment::new(Robot::InvertedDoublePendulum)
        }),
        robot("Reacher-v5", "reach a target with an arm of two links, in MuJoCo", 50, |_: &Nothing| {
            RobotEnvironment::new(Robot::Reacher)
        }),
        robot("Swimmer-v5", "swim with three links, in MuJoCo", 1000, |_: &Nothing| {
            RobotEnvironment::new(Robot::Swimmer)
        }),
        robot("Hopper-v5", "hop on one leg, in MuJoCo", 1000, |_: &Nothing| {
            RobotEnvironment::new(Robot::Hopper)
        }),
        robot("HalfCheetah-v5", "run with two legs in a plane, in MuJoCo", 1000, |_: &Nothing| {
            RobotEnvironment::new(Robot::HalfCheetah)
        }),
        robot("Walker2d-v5", "walk on two legs in a plane, in MuJoCo", 1000, |_: &Nothing| {
            RobotEnvironment::new(Robot::Walker2d)
        }),
        robot("Ant-v5", "walk on four legs, in MuJoCo", 1000, |_: &Nothing| {
            RobotEnvironment::new(Robot::Ant)
        }),
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

/// The exact tables of the environment called `name`, made as by [`make`]; errors also when it has
/// none.
pub fn tabular(name: &str, parameters: &toml::Table) -> Result<FiniteMdp, Error> {
    let batch = make(name, parameters, 1, Seed::new(0))?;
    match batch.tabular() {
        Some(tabular) => Ok(tabular.finite_mdp()),
        None => Err(Error::InvalidProcess { reason: format!("{name} has no exact tables") }),
    }
}

/// An entry whose parameters are a `P`, from which `build` makes the environment.
fn entry<P, E>(name: &'static str, summary: &'static str, build: fn(&P) -> Result<E, Error>) -> Entry
where
    P: Serialize + DeserializeOwned + Default + 'static,
    E: Environment,
{
    let build = move |given: &toml::Table| build(&read(name, given)?);
    built_by(name, summary, defaults::<P>(), build)
}

/// An entry whose parameters are a `P` and, beside them, a time limit that is `steps` by default.
fn limited<P, E>(
    name: &'static str,
    summary: &'static str,
    steps: u32,
    build: fn(&P) -> Result<E, Error>,
) -> Entry
where
    P: Serialize + DeserializeOwned + Default + 'static,
    E: Environment,
{
    limited_in(name, summary, steps, build, |batch| batch)
}

/// As [`limited`], with copies that step on several threads.
#[cfg(any(feature = "physics", feature = "mujoco"))]
fn robot<P, E>(
    name: &'static str,
    summary: &'static str,
    steps: u32,
    build: fn(&P) -> Result<E, Error>,
) -> Entry
where
    P: Serialize + DeserializeOwned + Default + 'static,
    E: Environment,
{
    limited_in(name, summary, steps, build, Batch::parallel)
}

fn limited_in<P, E>(
    name: &'static str,
    summary: &'static str,
    steps: u32,
    build: fn(&P) -> Result<E, Error>,
    arrange: fn(Batch<TimeLimit<E>>) -> Batch<TimeLimit<E>>,
) -> Entry
where
    P: Serialize + DeserializeOwned + Default + 'static,
    E: Environment,
{
    let mut parameters = defaults::<P>();
    parameters.insert(TIME_LIMIT.into(), steps.into());
    let build = move |given: &toml::Table| {
        let (ends, parameters): (Ends, P) = read_with(name, given, &[TIME_LIMIT])?;
        TimeLimit::new(build(&parameters)?, ends.time_limit.unwrap_or(steps.into()))
    };
    arranged_by(name, summary, parameters, build, arrange)
}

/// An entry of a decision process whose parameters are a `P` and, beside them, a `horizon` that is
/// absent by default, and a time limit where `steps` gives one. With a horizon, observations tell
/// the step.
fn tabular_entry<P>(
    name: &'static str,
    summary: &'static str,
    steps: Option<u32>,
    build: fn(&P) -> Result<FiniteMdp, Error>,
) -> Entry
where
    P: Serialize + DeserializeOwned + Default + 'static,
{
    let mut parameters = defaults::<P>();
    let process = move |given: &toml::Table, fields| -> Result<(Ends, FiniteMdp), Error> {
        let (ends, parameters): (Ends, P) = read_with(name, given, fields)?;
        let mdp = build(&parameters)?;
        let mdp = match ends.horizon {
            Some(horizon) => mdp.with_horizon(horizon)?.observing_step()?,
            None => mdp,
        };
        Ok((ends, mdp))
    };
    let Some(steps) = steps else {
        return built_by(name, summary, parameters, move |given| Ok(process(given, &[HORIZON])?.1));
    };
    parameters.insert(TIME_LIMIT.into(), steps.into());
    built_by(name, summary, parameters, move |given| {
        let (ends, mdp) = process(given, &[TIME_LIMIT, HORIZON])?;
        TimeLimit::new(mdp, ends.time_limit.unwrap_or(steps.into()))
    })
}

const TIME_LIMIT: &str = "time_limit";
const HORIZON: &str = "horizon";

/// How episodes end, beside the problem's own rules.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Ends {
    time_limit: Option<u64>,
    horizon: Option<usize>,
}

/// A problem's own parameters, and those of [`Ends`] that are called `fields`.
fn read_with<P>(name: &str, given: &toml::Table, fields: &[&'static str]) -> Result<(Ends, P), ParameterError>
where
    P: Serialize + DeserializeOwned + Default,
{
    let mut given = given.clone();
    let ends = fields.iter().filter_map(|field| given.remove_entry(*field)).collect();
    let ends = read(name, &ends)?;
    let parameters = read(name, &given).map_err(|error| match error {
        ParameterError::Unknown { kind, given, known, .. } => {
            unknown(&kind, &given, known.iter().map(String::as_str).chain(fields.iter().copied()))
        }
        other => other,
    })?;
    Ok((ends, parameters))
}

fn built_by<E: Environment>(
    name: &'static str,
    summary: &'static str,
    parameters: toml::Table,
    build: impl Fn(&toml::Table) -> Result<E, Error> + Clone + Send + Sync + 'static,
) -> Entry {
    arranged_by(name, summary, parameters, build, |batch| batch)
}

fn arranged_by<E: Environment>(
    name: &'static str,
    summary: &'static str,
    parameters: toml::Table,
    build: impl Fn(&toml::Table) -> Result<E, Error> + Clone + Send + Sync + 'static,
    arrange: fn(Batch<E>) -> Batch<E>,
) -> Entry {
    let build_to_check = build.clone();
    Entry {
        name,
        summary,
        parameters,
        make: Box::new(move |given, copies, seed| {
            Ok(Box::new(arrange(Batch::new(build(given)?, copies, seed)?)))
        }),
        check: Box::new(move |given| Ok(conformance::check(&build_to_check(given)?)?)),
    }
}

fn defaults<P: Serialize + Default>() -> toml::Table {
    toml::Table::try_from(P::default()).unwrap_or_default()
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Nothing {}

/// The strengths of the wind that are possible, from 0 to `strongest`.
#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct UnknownWind {
    levels: usize,
    strongest: f64,
}

impl Default for UnknownWind {
    fn default() -> Self {
        UnknownWind { levels: 25, strongest: 0.5 }
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MountainCarGoal {
    goal_velocity: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PendulumGravity {
    gravity: f64,
}

impl Default for PendulumGravity {
    fn default() -> Self {
        PendulumGravity { gravity: 10.0 }
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ProbeActions {
    actions: ActionForm,
}

/// A maze, its reward, and who is in it.
#[cfg(feature = "physics")]
#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MazeParameters {
    layout: crate::physics::Layout,
    reward: crate::physics::Nearness,
    continuing: bool,
    new_goals: bool,
    physical: std::collections::BTreeMap<String, f64>,
    hidden: std::collections::BTreeMap<String, [f64; 2]>,
}

#[cfg(feature = "physics")]
impl Default for MazeParameters {
    fn default() -> Self {
        MazeParameters {
            layout: Default::default(),
            reward: Default::default(),
            continuing: true,
            new_goals: false,
            physical: Default::default(),
            hidden: Default::default(),
        }
    }
}

#[cfg(feature = "physics")]
impl MazeParameters {
    fn apply(&self, task: crate::physics::MazeTask) -> crate::physics::MazeTask {
        crate::physics::MazeTask { continuing: self.continuing, new_goals: self.new_goals, ..task }
    }

    fn physique(&self) -> crate::physics::Physique {
        crate::physics::Physique { physical: self.physical.clone(), hidden: self.hidden.clone() }
    }
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
        for entry in tabular_entries() {
            let batch = entry.make(entry.parameters(), 1, Seed::new(0)).unwrap();
            let mdp = batch.tabular().unwrap().finite_mdp();
            let observations = match mdp.horizon() {
                Some(horizon) => horizon * mdp.states() + 1,
                None => mdp.states(),
            };
            assert_eq!(*batch.observation_space(), crate::Space::discrete(observations), "{}", entry.name());
        }
        let batch = make("Pendulum-v1", &toml::Table::new(), 1, Seed::new(0)).unwrap();
        assert!(batch.tabular().is_none());
    }

    #[test]
    fn a_horizon_is_part_of_the_problem_and_its_steps_are_observed() {
        let parameters = "horizon = 3\nsize = 3".parse().unwrap();
        let mdp = tabular("DeepSea", &parameters).unwrap();
        assert!(mdp.horizon() == Some(3) && mdp.observes_step());
        let batch = make("DeepSea", &parameters, 1, Seed::new(0)).unwrap();
        assert_eq!(*batch.observation_space(), crate::Space::discrete(3 * 10 + 1));
        assert!(error("RiverSwim", "horizon = 0").contains("horizon of 0"));
        assert!(error("RiverSwim", "horizn = 5").contains("did you mean `horizon`?"));
        assert!(error("LayeredRandom", "horizon = 0").contains("`horizon` is 0"));
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
    fn an_environment_without_tables_says_so() {
        let message = tabular("CartPole-v1", &toml::Table::new()).unwrap_err().to_string();
        assert!(message.contains("CartPole-v1 has no exact tables"), "{message}");
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
        assert!(message.contains("did you mean `continuous`?"), "{message}");
    }
}
