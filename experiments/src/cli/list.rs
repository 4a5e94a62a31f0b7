//! `assay list`, `assay environments` and `assay algorithms`.

use std::path::PathBuf;

use assay_algorithms::catalogue as algorithms;
use assay_environments::{
    catalogue as environments,
    parameters::{self, ParameterError},
    random::Seed,
};
use clap::Args;
use toml::{Table, Value};

use super::{Done, columns};
use crate::{
    Error,
    results::{self, Experiment},
};

/// Lists experiments and how far their runs are.
#[derive(Args)]
#[command(after_help = "Examples:\n  assay list\n  assay list runs/cartpole")]
pub(super) struct List {
    /// Folders of records.
    #[arg(default_value = "runs")]
    folders: Vec<PathBuf>,
}

impl List {
    pub(super) fn execute(self) -> Result<Done, Error> {
        let header =
            ["experiment", "algorithm", "environment", "finished", "failed", "to resume", "mean return"];
        let mut rows = vec![header.map(str::to_owned)];
        let groups = results::groups(&self.folders)?;
        for Experiment { title, groups } in results::by_experiment(&groups) {
            for group in groups {
                let returns = group.finished.iter().map(|(_, summary)| summary.evaluation.mean_reward);
                let mean = returns.sum::<f64>() / group.finished.len() as f64;
                rows.push([
                    title.clone(),
                    group.label.clone(),
                    group.environment.clone(),
                    group.finished.len().to_string(),
                    group.failed.len().to_string(),
                    group.unfinished.len().to_string(),
                    if mean.is_nan() { String::new() } else { format!("{mean:.1}") },
                ]);
            }
        }
        print!("{}", columns(&rows));
        Ok(Done::All)
    }
}

/// Lists the environments, or the parameters of one of them.
#[derive(Args)]
#[command(after_help = "Examples:\n  assay environments\n  assay environments Pendulum-v1")]
pub(super) struct Environments {
    /// An environment's name.
    name: Option<String>,
}

impl Environments {
    pub(super) fn execute(self) -> Result<Done, Error> {
        let entries = environments::entries();
        let Some(name) = self.name else {
            let rows: Vec<_> =
                entries.iter().map(|e| [e.name().to_owned(), e.summary().to_owned()]).collect();
            print!("{}", columns(&rows));
            return Ok(Done::All);
        };
        let entry = entries.iter().find(|entry| entry.name() == name).ok_or_else(|| {
            let known = entries.iter().map(|entry| entry.name());
            Error::parameter("assay environments")(parameters::unknown("environment", &name, known))
        })?;
        let batch = entry
            .make(entry.parameters(), 1, Seed::new(0))
            .map_err(Error::environment("assay environments"))?;
        println!("{}: {}\n", entry.name(), entry.summary());
        println!("observations: {}\nactions: {}", batch.observation_space(), batch.action_space());
        let probed = match entry.make(&probe(), 1, Seed::new(0)).err() {
            Some(assay_environments::Error::Parameter(error)) => Some(error),
            _ => None,
        };
        print_parameters(entry.parameters(), probed);
        Ok(Done::All)
    }
}

/// Lists the algorithms, or the parameters of one of them.
#[derive(Args)]
#[command(after_help = "Examples:\n  assay algorithms\n  assay algorithms sac")]
pub(super) struct Algorithms {
    /// An algorithm's name.
    name: Option<String>,
}

impl Algorithms {
    pub(super) fn execute(self) -> Result<Done, Error> {
        let Some(name) = self.name else {
            let rows: Vec<_> =
                algorithms::entries().iter().map(|e| [e.name().to_owned(), e.summary().to_owned()]).collect();
            print!("{}", columns(&rows));
            return Ok(Done::All);
        };
        let entry = algorithms::find(&name).map_err(Error::parameter("assay algorithms"))?;
        println!("{}: {}", entry.name(), entry.summary());
        let probed = match entry.resolve(&probe()).err() {
            Some(assay_algorithms::Error::Parameter(error)) => Some(error),
            _ => None,
        };
        print_parameters(&entry.parameters(), probed);
        Ok(Done::All)
    }
}

/// A parameter that nobody has: the refusal names all those that there are, also the ones that are
/// absent by default.
fn probe() -> Table {
    Table::from_iter([(String::new(), Value::Boolean(true))])
}

fn print_parameters(defaults: &Table, probed: Option<ParameterError>) {
    let known = match probed {
        Some(ParameterError::Unknown { known, .. }) => known,
        _ => Vec::new(),
    };
    let optional: Vec<&str> =
        known.iter().map(String::as_str).filter(|name| !defaults.contains_key(*name)).collect();
    if defaults.is_empty() && optional.is_empty() {
        println!("\nno parameters");
    }
    if !optional.is_empty() {
        println!("\nparameters that are absent unless given: {}", optional.join(", "));
    }
    if !defaults.is_empty() {
        print!("\nparameters with their defaults:\n{defaults}");
    }
}
