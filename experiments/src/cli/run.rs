//! `assay run` and `assay resume`.

use std::path::PathBuf;

use clap::Args;

use super::{Done, SessionArguments};
use crate::{
    Error,
    experiment::Experiment,
    records::{Record, find_runs},
    schedule,
};

/// Runs an experiment, or what is left of it.
///
/// Runs that are finished are kept, runs that were stopped go on where they were. Ctrl-C stops
/// cleanly: everything can be resumed.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    assay run cartpole.toml\n  \
    assay run cartpole.toml --seeds 30 --threads 8\n  \
    assay run cartpole.toml --set budget=20000 --set algorithm.ppo.learning_rate=1e-3")]
pub(super) struct Run {
    /// The experiment, a TOML file.
    experiment: PathBuf,
    /// Changes a field of the experiment; may be given several times.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    overrides: Vec<String>,
    /// How many seeds, or which (`3,5,8`); the same as `--set seeds=…`.
    #[arg(long, value_name = "N")]
    seeds: Option<String>,
    /// Where the networks live: cpu or cuda; the same as `--set device=…`.
    #[arg(long)]
    device: Option<String>,
    #[command(flatten)]
    session: SessionArguments,
    /// The folder that holds the records of all experiments.
    #[arg(long, default_value = "runs")]
    root: PathBuf,
}

/// Resumes every run below a folder that is not finished.
#[derive(Args)]
#[command(after_help = "Examples:\n  assay resume\n  assay resume runs/cartpole --threads 2")]
pub(super) struct Resume {
    /// Folders of records: all of them, one experiment's, or one run's.
    #[arg(default_value = "runs")]
    folders: Vec<PathBuf>,
    #[command(flatten)]
    session: SessionArguments,
}

impl Run {
    pub(super) fn execute(self) -> Result<Done, Error> {
        let mut overrides = self.overrides;
        overrides.extend(self.seeds.as_deref().map(schedule::seeds_override));
        overrides.extend(self.device.map(|device| format!("device={device}")));
        let experiment = Experiment::read(&self.experiment, &overrides)?;
        let records = schedule::prepare(experiment.runs()?, &self.root)?;
        eprintln!("{experiment}");
        go(&records, &self.session, &self.root.join(&experiment.name).display().to_string())
    }
}

impl Resume {
    pub(super) fn execute(self) -> Result<Done, Error> {
        let mut records = Vec::new();
        for folder in &self.folders {
            records.extend(find_runs(folder)?);
        }
        let folders: Vec<String> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        let folders = folders.join(" ");
        if records.is_empty() {
            return Err(Error::Records(format!("there are no runs in {folders}")));
        }
        go(&records, &self.session, &folders)
    }
}

fn go(records: &[Record], arguments: &SessionArguments, folders: &str) -> Result<Done, Error> {
    let outcome = arguments.session().drive(records)?;
    for error in &outcome.errors {
        eprintln!("error: {error}");
    }
    eprintln!("{outcome}");
    if outcome.stopped > 0 || !outcome.errors.is_empty() {
        eprintln!("resume with: assay resume {folders}");
    } else {
        eprintln!("compare with: assay compare {folders}");
    }
    Ok(if !outcome.errors.is_empty() || outcome.failed > 0 {
        Done::WithFailures
    } else if outcome.stopped > 0 {
        Done::Stopped
    } else {
        Done::All
    })
}
