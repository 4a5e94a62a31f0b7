//! An experiment: which algorithms, on which environment, for how long, how often.
//!
//! ```toml
//! name = "cartpole"            # folder of the records
//! seeds = 10                   # 0 to 9; or a list: [3, 5, 8]
//! budget = 100_000             # environment steps of each run, over all copies
//! device = "cpu"               # where the networks live; or "cuda"
//!
//! [evaluation]                 # on copies of the environment of its own, never the learner's
//! interval = 5_000             # environment steps; default: a twentieth of the budget
//! episodes = 10
//! mode = "greedy"              # or "sample"
//! step_limit = 10_000          # an episode is cut off here at the latest
//! # optional: under physical parameters on a grid, with so many episodes at every point
//! grid = { points = 7, ranges = { mass = [0.5, 1.5], length = [0.5, 1.5] } }
//!
//! [records]
//! interval = 100               # steps between rows of metrics; default: a thousandth of the budget
//! checkpoint = 10_000          # steps between checkpoints; default: a tenth of the budget
//!
//! [environment]
//! name = "CartPole-v1"
//! copies = 8                   # stepped as one batch
//! parameters = { time_limit = 500 }
//!
//! [[algorithm]]
//! name = "ppo"
//! label = "PPO"                # default: the name; a folder and a table row are called by it
//! parameters = { learning_rate = 3e-4 }
//! environment = { copies = 4 } # over the experiment's environment, for this algorithm
//! ```
//!
//! Reading checks everything; [`Experiment::runs`] makes one [`Run`] per algorithm and seed, with
//! every parameter filled in.

use std::{fmt, path::Path};

use assay_algorithms::{Mode, catalogue::DeviceKind, iwocs::search, uncertainty};
use assay_environments::{
    domain_randomisation::ParameterBox,
    parameters::{self, ParameterError, require},
};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{Error, Run, overrides};

/// A checked experiment. Made by [`read`](Self::read) or [`from_table`](Self::from_table).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Experiment {
    /// The folder of its records.
    pub name: String,
    /// The seeds; every algorithm runs with each.
    pub seeds: Vec<u64>,
    /// Environment steps of each run, over all copies.
    pub budget: u64,
    /// Where the networks live.
    pub device: DeviceKind,
    /// How policies are evaluated.
    pub evaluation: Evaluation,
    /// What is written how often.
    pub records: Records,
    /// What the algorithms act in.
    pub environment: EnvironmentChoice,
    /// The algorithms to compare.
    #[serde(rename = "algorithm")]
    pub algorithms: Vec<AlgorithmChoice>,
}

/// How policies are evaluated: whole episodes on copies of the environment that no learner sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Evaluation {
    /// Environment steps between evaluations; zero stands for a twentieth of the budget.
    pub interval: u64,
    /// Episodes of one evaluation, each on a copy with a seed of its own, the same every time.
    pub episodes: usize,
    /// How actions are chosen.
    #[serde(with = "mode")]
    pub mode: Mode,
    /// Where an episode without end is cut off, in steps.
    pub step_limit: u64,
    /// Physical parameters under which policies are evaluated, where not those of the environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<PhysicalGrid>,
}

/// Every combination of several values of physical parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhysicalGrid {
    /// Values of each parameter, evenly from the smallest to the largest; at least 2.
    pub points: usize,
    /// The smallest and the largest value of each parameter, by name.
    pub ranges: ParameterBox,
}

impl PhysicalGrid {
    /// All combinations, the last parameter in alphabetical order fastest.
    pub fn cells(&self) -> Vec<Vec<f64>> {
        let unit = search::grid(self.ranges.len(), self.points);
        unit.iter().map(|point| uncertainty::physical(&self.ranges, point)).collect()
    }
}

impl Default for Evaluation {
    fn default() -> Self {
        Evaluation { interval: 0, episodes: 10, mode: Mode::Greedy, step_limit: 10_000, grid: None }
    }
}

/// What is written how often.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Records {
    /// Environment steps between rows of metrics; a row holds averages over the iterations since
    /// the last. Zero stands for a thousandth of the budget.
    pub interval: u64,
    /// Environment steps between checkpoints; zero stands for a tenth of the budget.
    pub checkpoint: u64,
}

/// An environment with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnvironmentChoice {
    /// The name in the catalogue of environments.
    pub name: String,
    /// Copies that are stepped as one batch.
    pub copies: usize,
    /// Parameters over the environment's defaults.
    pub parameters: Table,
}

impl Default for EnvironmentChoice {
    fn default() -> Self {
        EnvironmentChoice { name: String::new(), copies: 1, parameters: Table::new() }
    }
}

/// An algorithm with its parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlgorithmChoice {
    /// The name in the catalogue of algorithms.
    pub name: String,
    /// What it is called in this experiment; must be unique.
    pub label: String,
    /// Parameters over the algorithm's defaults.
    pub parameters: Table,
    /// Fields over the experiment's environment, for example `copies`.
    pub environment: Table,
}

impl Experiment {
    /// Reads a file and applies `overrides` to it (see [`overrides::apply`]).
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
        Self::parse(&text, &path.display().to_string(), overrides)
    }

    /// Reads TOML text. `file` is what error messages call it.
    pub fn parse(text: &str, file: &str, overrides: &[String]) -> Result<Self, Error> {
        let mut table: Table = text.parse().map_err(|e: toml::de::Error| Error::Syntax {
            file: file.to_owned(),
            message: e.to_string().trim_end().to_owned(),
        })?;
        overrides::apply(&mut table, overrides)?;
        Self::from_table(table, file)
    }

    /// Checks a table completely: every field, name and parameter.
    pub fn from_table(mut table: Table, file: &str) -> Result<Self, Error> {
        let place = |section: &str| Error::parameter(format!("{file}{section}"));
        let section = |table: &mut Table, name: &str| take_table(table, name).map_err(place(""));
        let mut evaluation: Evaluation = parameters::read("evaluation", &section(&mut table, "evaluation")?)
            .map_err(place(", [evaluation]"))?;
        let mut records: Records =
            parameters::read("records", &section(&mut table, "records")?).map_err(place(", [records]"))?;
        let environment: EnvironmentChoice =
            parameters::read("environment", &section(&mut table, "environment")?)
                .map_err(place(", [environment]"))?;
        let algorithms = take_algorithms(&mut table, file)?;
        let seeds = take_seeds(&mut table).map_err(place(""))?;
        let top: TopLevel = parameters::read("experiment", &table).map_err(place(""))?;

        require("budget", top.budget, top.budget > 0 && top.budget <= i64::MAX as u64, "at least 1")
            .map_err(place(""))?;
        fill(&mut evaluation.interval, top.budget, 20);
        fill(&mut records.interval, top.budget, 1000);
        fill(&mut records.checkpoint, top.budget, 10);
        let experiment = Experiment {
            name: top.name,
            seeds,
            budget: top.budget,
            device: top.device,
            evaluation,
            records,
            environment,
            algorithms,
        };
        experiment.check(file)?;
        Ok(experiment)
    }

    /// The experiment as TOML, every default filled in; reads back as the same value.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("an experiment is representable in TOML")
    }

    fn check(&self, file: &str) -> Result<(), Error> {
        check_folder_name("name", &self.name).map_err(Error::parameter(file))?;
        let evaluation = &self.evaluation;
        require("episodes", evaluation.episodes, evaluation.episodes > 0, "at least 1")
            .and(require("step_limit", evaluation.step_limit, evaluation.step_limit > 0, "at least 1"))
            .and(evaluation.grid.as_ref().map_or(Ok(()), |grid| {
                let (points, named) = (grid.points, !grid.ranges.is_empty());
                require("grid.points", points, (2..=1000).contains(&points), "2 to 1000").and(require(
                    "grid.ranges",
                    "empty",
                    named,
                    "a range for each parameter, by name",
                ))
            }))
            .map_err(Error::parameter(format!("{file}, [evaluation]")))?;
        let mut labels: Vec<String> = Vec::new();
        for algorithm in &self.algorithms {
            let place = Error::parameter(format!("{file}, algorithm `{}`", algorithm.label));
            check_folder_name("label", &algorithm.label)
                .and_then(|()| {
                    // Some file systems do not tell upper from lower case.
                    let folded = algorithm.label.to_lowercase();
                    let unique = !labels.contains(&folded);
                    labels.push(folded);
                    require(
                        "label",
                        &algorithm.label,
                        unique,
                        "a label that no other algorithm of the experiment has",
                    )
                })
                .map_err(place)?;
        }
        for run in self.runs_in(file, &self.seeds[..1])? {
            run.check(file)?;
        }
        Ok(())
    }

    /// One run per seed and algorithm, all algorithms of the first seed first, so that every
    /// algorithm has results early.
    pub fn runs(&self) -> Result<Vec<Run>, Error> {
        self.runs_in(&self.name, &self.seeds)
    }

    fn runs_in(&self, file: &str, seeds: &[u64]) -> Result<Vec<Run>, Error> {
        let mut runs = Vec::with_capacity(seeds.len() * self.algorithms.len());
        for &seed in seeds {
            for algorithm in &self.algorithms {
                runs.push(Run::resolve(self, algorithm, seed, file)?);
            }
        }
        Ok(runs)
    }
}

/// The fields that are in no section.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TopLevel {
    name: String,
    budget: u64,
    device: DeviceKind,
}

/// Replaces a zero by a fraction of the budget, at least one.
fn fill(interval: &mut u64, budget: u64, divisor: u64) {
    if *interval == 0 {
        *interval = (budget / divisor).max(1);
    }
}

fn malformed(field: &str, value: &Value, reason: &str) -> ParameterError {
    ParameterError::Malformed { field: field.into(), value: value.to_string(), reason: reason.into() }
}

/// Takes a section out of the table; an absent one is empty.
fn take_table(table: &mut Table, name: &str) -> Result<Table, ParameterError> {
    match table.remove(name) {
        None => Ok(Table::new()),
        Some(Value::Table(section)) => Ok(section),
        Some(other) => Err(malformed(name, &other, &format!("a section is needed: [{name}]"))),
    }
}

fn take_algorithms(table: &mut Table, file: &str) -> Result<Vec<AlgorithmChoice>, Error> {
    let sections = match table.remove("algorithm") {
        Some(Value::Array(sections)) if !sections.is_empty() => sections,
        None => {
            let (field, value) = ("algorithm".into(), "absent".into());
            let allowed = "one or more sections [[algorithm]]".into();
            return Err(Error::parameter(file)(ParameterError::OutOfRange { field, value, allowed }));
        }
        Some(other) => {
            let error = malformed("algorithm", &other, "sections [[algorithm]] are needed");
            return Err(Error::parameter(file)(error));
        }
    };
    let mut algorithms = Vec::with_capacity(sections.len());
    for (i, section) in sections.into_iter().enumerate() {
        let place = Error::parameter(format!("{file}, [[algorithm]] number {}", i + 1));
        let Value::Table(section) = section else {
            return Err(place(malformed("algorithm", &section, "sections [[algorithm]] are needed")));
        };
        let mut algorithm: AlgorithmChoice = parameters::read("algorithm", &section).map_err(place)?;
        if algorithm.label.is_empty() {
            algorithm.label.clone_from(&algorithm.name);
        }
        algorithms.push(algorithm);
    }
    Ok(algorithms)
}

/// The seeds: how many, or which.
fn take_seeds(table: &mut Table) -> Result<Vec<u64>, ParameterError> {
    const ALLOWED: &str = "a number of seeds from 1 to 100000, or a list of different seeds, none negative";
    let value = table.remove("seeds").unwrap_or(Value::Integer(1));
    let out_of_range = || ParameterError::OutOfRange {
        field: "seeds".into(),
        value: value.to_string(),
        allowed: ALLOWED.into(),
    };
    match &value {
        Value::Integer(count @ 1..=100_000) => Ok((0..*count as u64).collect()),
        Value::Array(list) if !list.is_empty() => {
            let mut seeds = Vec::with_capacity(list.len());
            for item in list {
                let seed =
                    item.as_integer().and_then(|seed| u64::try_from(seed).ok()).ok_or_else(out_of_range)?;
                if seeds.contains(&seed) {
                    return Err(out_of_range());
                }
                seeds.push(seed);
            }
            Ok(seeds)
        }
        _ => Err(out_of_range()),
    }
}

/// Names become folders: letters, digits and a few signs, so that they are the same everywhere.
fn check_folder_name(field: &str, name: &str) -> Result<(), ParameterError> {
    let sign = |c: char| c.is_ascii_alphanumeric() || " ._+-()=,".contains(c);
    let fits = !name.is_empty()
        && name.len() <= 100
        && name.chars().all(sign)
        && !name.starts_with(['.', ' ', '-'])
        && !name.ends_with(['.', ' ']);
    require(
        field,
        format!("`{name}`"),
        fits,
        "1 to 100 letters, digits, spaces and ._+-()=, that start with a letter, digit or bracket",
    )
}

impl fmt::Display for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<&str> = self.algorithms.iter().map(|a| a.label.as_str()).collect();
        let mut environments: Vec<&str> = Vec::new();
        for algorithm in &self.algorithms {
            let own = algorithm.environment.get("name").and_then(Value::as_str);
            let name = own.unwrap_or(&self.environment.name);
            if !environments.contains(&name) {
                environments.push(name);
            }
        }
        write!(
            f,
            "{}: {} on {}, {} seed{}, {} steps each",
            self.name,
            labels.join(", "),
            environments.join(", "),
            self.seeds.len(),
            if self.seeds.len() == 1 { "" } else { "s" },
            self.budget
        )
    }
}

/// [`Mode`] as a word.
mod mode {
    use super::Mode;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(mode: &Mode, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match mode {
            Mode::Greedy => "greedy",
            Mode::Sample => "sample",
        })
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mode, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "greedy" => Ok(Mode::Greedy),
            "sample" => Ok(Mode::Sample),
            _ => Err(D::Error::custom("allowed: greedy, sample")),
        }
    }
}
