//! One run: one algorithm, one environment, one seed, with every parameter written out.
//!
//! A run is what `config.toml` in its folder says, so a folder is all that is needed to resume or
//! to reproduce it.

use std::path::{Path, PathBuf};

use assay_algorithms::{
    Learner,
    catalogue::{self as algorithms, DeviceKind},
};
use assay_environments::{
    BatchedEnvironment, catalogue as environments,
    domain_randomisation::check_box,
    parameters::{self, ParameterError, require},
    random::Seed,
};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{
    Error,
    experiment::{AlgorithmChoice, EnvironmentChoice, Evaluation, Experiment, Records},
};

/// The version of the records' format, in every `config.toml`.
pub const FORMAT: u32 = 1;

/// The version of the code, with the commit where it is known.
pub const CODE_VERSION: &str = env!("ASSAY_CODE_VERSION");

/// The parameter of algorithms with schedules (step sizes, clip ranges) that says over how many
/// environment steps they go. By default it is the length of the paper's runs; in an experiment it
/// is the experiment's budget, unless given.
const LENGTH: &str = "total_steps";

/// A run's complete configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The version of the records' format.
    pub format: u32,
    /// The version of the code that started the run.
    pub code: String,
    /// The experiment's name.
    pub experiment: String,
    /// What the algorithm is called in the experiment.
    pub label: String,
    /// The run's seed, from which all its randomness derives.
    pub seed: u64,
    /// Where the networks live.
    pub device: DeviceKind,
    /// Environment steps, over all copies.
    pub budget: u64,
    /// How the policy is evaluated.
    pub evaluation: Evaluation,
    /// What is written how often.
    pub records: Records,
    /// The environment with all its parameters.
    pub environment: EnvironmentChoice,
    /// The algorithm with all its parameters.
    pub algorithm: Algorithm,
}

/// An algorithm with all its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Algorithm {
    /// The name in the catalogue of algorithms.
    pub name: String,
    /// All parameters.
    pub parameters: Table,
}

impl Run {
    /// Fills in every parameter of `algorithm`'s run. `file` is what error messages call the
    /// experiment.
    pub(crate) fn resolve(
        experiment: &Experiment,
        algorithm: &AlgorithmChoice,
        seed: u64,
        file: &str,
    ) -> Result<Run, Error> {
        let place = format!("{file}, algorithm `{}`", algorithm.label);
        let entry = algorithms::find(&algorithm.name).map_err(Error::parameter(&place))?;
        let mut given = algorithm.parameters.clone();
        if entry.parameters().contains_key(LENGTH) && !given.contains_key(LENGTH) {
            given.insert(LENGTH.to_owned(), Value::Integer(experiment.budget as i64));
        }
        let parameters = entry.resolve(&given).map_err(Error::algorithm(&place))?;
        let own = format!("{place}, environment");
        let section = if algorithm.environment.is_empty() { format!("{file}, [environment]") } else { own };
        let environment = environment_of(experiment, algorithm)
            .and_then(fill_parameters)
            .map_err(Error::parameter(section))?;
        Ok(Run {
            format: FORMAT,
            code: CODE_VERSION.to_owned(),
            experiment: experiment.name.clone(),
            label: algorithm.label.clone(),
            seed,
            device: experiment.device,
            budget: experiment.budget,
            evaluation: experiment.evaluation.clone(),
            records: experiment.records.clone(),
            environment,
            algorithm: Algorithm { name: entry.name().to_owned(), parameters },
        })
    }

    /// Reads a `config.toml`. Errors when it is damaged or of another version.
    pub fn read(path: &Path) -> Result<Run, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
        let table: Table = text.parse().map_err(|e: toml::de::Error| Error::damaged(path, e.message()))?;
        match table.get("format") {
            Some(Value::Integer(version)) if *version == i64::from(FORMAT) => {}
            Some(found) => {
                let (path, found) = (path.to_owned(), found.to_string());
                return Err(Error::Version { path, found, expected: FORMAT });
            }
            None => return Err(Error::damaged(path, "it says no format version")),
        }
        let run: Run = table.try_into().map_err(|e: toml::de::Error| Error::damaged(path, e.message()))?;
        let intervals = [run.budget, run.evaluation.interval, run.records.interval, run.records.checkpoint];
        if intervals.contains(&0) || run.evaluation.episodes == 0 || run.environment.copies == 0 {
            return Err(Error::damaged(path, "a budget, interval or count is zero"));
        }
        Ok(run)
    }

    /// The run as the text of its `config.toml`.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a run is representable in TOML")
    }

    /// The run's folder under a root folder: `<experiment>/<label>/seed-<n>`.
    pub fn folder(&self, root: &Path) -> PathBuf {
        root.join(&self.experiment).join(&self.label).join(format!("seed-{}", self.seed))
    }

    /// The run in a few words, for messages.
    pub fn title(&self) -> String {
        format!("{} / {} / seed {}", self.experiment, self.label, self.seed)
    }

    /// The environment that the learner trains in. `place` is what errors call it.
    pub(crate) fn environment(&self, place: &str) -> Result<Box<dyn BatchedEnvironment>, Error> {
        let EnvironmentChoice { name, copies, parameters } = &self.environment;
        environments::make(name, parameters, *copies, Seed::new(self.seed)).map_err(Error::environment(place))
    }

    /// The learner at its first step. `place` is what errors call it.
    pub(crate) fn learner(
        &self,
        environment: Box<dyn BatchedEnvironment>,
        place: &str,
    ) -> Result<Box<dyn Learner>, Error> {
        let Algorithm { name, parameters } = &self.algorithm;
        algorithms::make(name, parameters, environment, Seed::new(self.seed), self.device)
            .map_err(Error::algorithm(place))
    }

    /// Makes environment and learner once, to see that they fit.
    pub(crate) fn check(&self, file: &str) -> Result<(), Error> {
        let mut environment = self.environment(&format!("{file}, [environment]"))?;
        if let Some(grid) = &self.evaluation.grid {
            check_box(&mut *environment, &grid.ranges)
                .map_err(Error::environment(format!("{file}, [evaluation], grid")))?;
        }
        self.learner(environment, &format!("{file}, algorithm `{}`", self.label))?;
        Ok(())
    }
}

/// The experiment's environment with the algorithm's own fields over it. An algorithm that names
/// another environment starts from that one's defaults.
fn environment_of(
    experiment: &Experiment,
    algorithm: &AlgorithmChoice,
) -> Result<EnvironmentChoice, ParameterError> {
    let mut merged = Table::try_from(&experiment.environment).expect("a choice is representable in TOML");
    let own = &algorithm.environment;
    if own.get("name").is_some_and(|name| Some(name) != merged.get("name")) {
        merged.insert("parameters".into(), Value::Table(Table::new()));
    }
    for (field, value) in own {
        match (merged.get_mut(field), value) {
            (Some(Value::Table(under)), Value::Table(over)) => {
                under.extend(over.iter().map(|(k, v)| (k.clone(), v.clone())));
            }
            _ => {
                merged.insert(field.clone(), value.clone());
            }
        }
    }
    let choice: EnvironmentChoice = parameters::read("environment", &merged)?;
    require("copies", choice.copies, (1..=65_536).contains(&choice.copies), "1 to 65536")?;
    Ok(choice)
}

/// Fills in the environment's defaults; unknown parameters are found when it is made.
fn fill_parameters(mut choice: EnvironmentChoice) -> Result<EnvironmentChoice, ParameterError> {
    let entries = environments::entries();
    let entry = entries
        .iter()
        .find(|entry| entry.name() == choice.name)
        .ok_or_else(|| parameters::unknown("environment", &choice.name, entries.iter().map(|e| e.name())))?;
    let mut filled = entry.parameters().clone();
    filled.extend(std::mem::take(&mut choice.parameters));
    choice.parameters = filled;
    Ok(choice)
}
