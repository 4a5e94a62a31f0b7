//! The folder of a run: `<root>/<experiment>/<label>/seed-<n>/`.
//!
//! | file | content | same bytes every time |
//! |---|---|---|
//! | `config.toml` | the complete configuration, code version, seed ([`Run`]) | yes |
//! | `metrics.csv` | the learner's metrics and training episodes as they come | yes |
//! | `evaluations.csv` | every evaluation episode | yes |
//! | `checkpoint.safetensors` | the complete state of learner and driver | yes |
//! | `result.json` | the end of a finished run ([`Summary`]), written last | yes |
//! | `failure.json` | why a run cannot go on ([`Failure`]) | yes |
//! | `timing.csv` | how long training and evaluation took | no |
//! | `events.out.tfevents` | metrics and evaluations for TensorBoard | no |
//! | `machine.json` | what the run was computed on ([`Machine`]) | no |
//! | `lock` | nothing; locked while a process is at work on the run | yes |
//!
//! A run is either finished (it has a result), failed for good (it has a failure) or can be
//! resumed. The checkpoint says how long each growing file was when it was written; resuming cuts
//! them back to there. A checkpoint, result or configuration is written to a temporary name and
//! renamed, so it is whole or not there.

pub(crate) mod events;
pub(crate) mod files;
mod machine;
mod read;

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use assay_algorithms::Checkpoint;
use serde::{Deserialize, Serialize};

pub use machine::Machine;
pub use read::{EvaluationPoint, Metrics, Record, evaluations, find_runs, metrics};

use crate::{Error, Run};

pub(crate) const CONFIG: &str = "config.toml";
pub(crate) const METRICS: &str = "metrics.csv";
/// The column of metrics that all others stand beside.
pub(crate) const STEPS: &str = "steps";
pub(crate) const EVALUATIONS: &str = "evaluations.csv";
pub(crate) const CHECKPOINT: &str = "checkpoint.safetensors";
pub(crate) const RESULT: &str = "result.json";
pub(crate) const FAILURE: &str = "failure.json";
pub(crate) const TIMING: &str = "timing.csv";
pub(crate) const EVENTS: &str = "events.out.tfevents";
pub(crate) const MACHINE: &str = "machine.json";
pub(crate) const LOCK: &str = "lock";

/// How long a lock is waited for. A program that starts another one lends it all its files, locked
/// ones included, until the other one has begun: then a lock that was given back is held a moment longer.
const LOCK_PATIENCE: Duration = Duration::from_millis(200);

/// The end of a finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The experiment's name.
    pub experiment: String,
    /// The algorithm's label.
    pub label: String,
    /// The algorithm's name.
    pub algorithm: String,
    /// The environment's name.
    pub environment: String,
    /// The run's seed.
    pub seed: u64,
    /// Environment steps taken.
    pub steps: u64,
    /// Iterations of the algorithm.
    pub iterations: u64,
    /// Training episodes finished.
    pub training_episodes: u64,
    /// The evaluation of the last policy.
    pub evaluation: EvaluationSummary,
}

/// The episodes of one evaluation in short.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationSummary {
    /// How many episodes.
    pub episodes: usize,
    /// The mean of their undiscounted total rewards.
    pub mean_reward: f64,
    /// The standard deviation of their total rewards (of the sample; zero for one episode).
    pub standard_deviation: f64,
    /// Their mean length in steps.
    pub mean_length: f64,
}

/// Why a run cannot go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The error's message.
    pub error: String,
    /// Environment steps taken before.
    pub steps: u64,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// It has its result.
    Finished(Summary),
    /// It cannot go on.
    Failed(Failure),
    /// It can be resumed (from the beginning, where it has no checkpoint yet).
    Unfinished,
}

impl Folder {
    /// How far the run is.
    pub(crate) fn status(&self) -> Result<Status, Error> {
        status(&self.path)
    }
}

/// How far the run in `folder` is. Errors when its result or failure cannot be read.
pub fn status(folder: &Path) -> Result<Status, Error> {
    if let Some(summary) = read_json(&folder.join(RESULT))? {
        return Ok(Status::Finished(summary));
    }
    Ok(read_json(&folder.join(FAILURE))?.map_or(Status::Unfinished, Status::Failed))
}

pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| Error::damaged(path, e)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::file("read", path)(e)),
    }
}

/// Which metrics of a run are copied.
pub(crate) enum KeptMetrics<'a> {
    /// All of them.
    All,
    /// Those of these names, and the steps; no file where there are none.
    Named(&'a BTreeSet<String>),
}

/// Copies what statistics need of a finished run to its folder under `root`, and returns that folder.
pub(crate) fn copy(record: &Record, root: &Path, metrics: &KeptMetrics<'_>) -> Result<PathBuf, Error> {
    let target = record.run.folder(root);
    fs::create_dir_all(&target).map_err(Error::file("create", &target))?;
    // The result last, as always: a folder without one is not taken for finished.
    for name in [CONFIG, MACHINE, METRICS, EVALUATIONS, RESULT] {
        let (from, to) = (record.folder.join(name), target.join(name));
        let bytes = match metrics {
            KeptMetrics::Named(names) if name == METRICS && names.is_empty() => continue,
            KeptMetrics::Named(names) if name == METRICS => columns(&from, names)?,
            _ => fs::read(&from).map_err(Error::file("read", &from))?,
        };
        files::write_atomically(&to, &bytes)?;
    }
    Ok(target)
}

/// The steps and the named columns of a file of metrics, as they stand in it.
fn columns(path: &Path, names: &BTreeSet<String>) -> Result<Vec<u8>, Error> {
    let damaged = |e: csv::Error| Error::damaged(path, e);
    let mut reader = csv::Reader::from_path(path).map_err(damaged)?;
    let header = reader.headers().map_err(damaged)?;
    let kept = |name: &str| name == STEPS || names.contains(name);
    let indices: Vec<usize> = (0..header.len()).filter(|i| kept(&header[*i])).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(indices.iter().map(|i| &header[*i])).map_err(damaged)?;
    for row in reader.records() {
        let row = row.map_err(damaged)?;
        writer.write_record(indices.iter().map(|i| &row[*i])).map_err(damaged)?;
    }
    writer.into_inner().map_err(|e| Error::damaged(path, e))
}

/// A run's folder, locked for as long as this value lives.
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes or opens the run's folder. Errors when it holds a run of another configuration, is of
    /// another version, or is in use.
    pub(crate) fn open(run: &Run, path: &Path) -> Result<Self, Error> {
        let path = path.to_owned();
        fs::create_dir_all(&path).map_err(Error::file("create", &path))?;
        let lock = path.join(LOCK);
        let lock_file = File::create(&lock).map_err(Error::file("open", &lock))?;
        let patience = Instant::now() + LOCK_PATIENCE;
        loop {
            match lock_file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < patience => sleep(LOCK_PATIENCE / 20),
                Err(TryLockError::WouldBlock) => return Err(Error::Busy { path }),
                Err(TryLockError::Error(e)) => return Err(Error::file("lock", &lock)(e)),
            }
        }
        let config = path.join(CONFIG);
        if !config.try_exists().map_err(Error::file("read", &config))? {
            files::write_atomically(&config, run.to_toml().as_bytes())?;
        }
        let recorded = Run::read(&config)?;
        if let Some((field, recorded, wanted)) = difference(&recorded, run) {
            return Err(Error::Conflict { path, field, recorded, wanted });
        }
        for name in [CONFIG, CHECKPOINT, RESULT, FAILURE, MACHINE] {
            // What a killed process left; most often there is nothing.
            let _ = fs::remove_file(files::temporary(&path.join(name)));
        }
        Ok(Folder { path, _lock: lock_file })
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The last checkpoint; `None` before the first.
    pub(crate) fn checkpoint(&self, owner: &str) -> Result<Option<Checkpoint>, Error> {
        checkpoint(&self.path, owner)
    }

    /// A checkpoint that cannot be gone on from, and what to do about it.
    pub(crate) fn damaged_checkpoint(&self, error: assay_algorithms::Error) -> Error {
        damaged_checkpoint(&self.path, error)
    }

    /// Replaces the checkpoint.
    pub(crate) fn write_checkpoint(&self, checkpoint: &Checkpoint, owner: &str) -> Result<(), Error> {
        let path = self.file(CHECKPOINT);
        let bytes = checkpoint.to_bytes(owner).map_err(|e| Error::damaged(&path, e))?;
        files::write_atomically(&path, &bytes)
    }

    /// Writes the result or the failure.
    pub(crate) fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        let path = self.file(name);
        let mut bytes = serde_json::to_vec_pretty(value).map_err(|e| Error::damaged(&path, e))?;
        bytes.push(b'\n');
        files::write_atomically(&path, &bytes)
    }

    /// Forgets a failure, to try again.
    pub(crate) fn remove_failure(&self) -> Result<(), Error> {
        let path = self.file(FAILURE);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::file("remove", &path)(e)),
            _ => Ok(()),
        }
    }
}

/// The last checkpoint of the run in `folder`; `None` before the first.
pub(crate) fn checkpoint(folder: &Path, owner: &str) -> Result<Option<Checkpoint>, Error> {
    let path = folder.join(CHECKPOINT);
    match fs::read(&path) {
        Ok(bytes) => {
            Checkpoint::from_bytes(&bytes, owner).map(Some).map_err(|e| damaged_checkpoint(folder, e))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::file("read", &path)(e)),
    }
}

pub(crate) fn damaged_checkpoint(folder: &Path, error: assay_algorithms::Error) -> Error {
    let reason = match error {
        assay_algorithms::Error::Checkpoint { reason } => reason,
        error => error.to_string(),
    };
    let path = folder.join(CHECKPOINT);
    Error::damaged(&path, format!("{reason}; remove it to start the run again from its beginning"))
}

/// The first field in which two runs differ, with both values. The version of the code is no
/// difference: a run may go on after an update.
pub(crate) fn difference(recorded: &Run, wanted: &Run) -> Option<(String, String, String)> {
    let table = |run: &Run| {
        let run = Run { code: String::new(), ..run.clone() };
        toml::Table::try_from(&run).expect("a run is representable in TOML")
    };
    first_difference("", &table(recorded), &table(wanted))
}

fn first_difference(
    prefix: &str,
    recorded: &toml::Table,
    wanted: &toml::Table,
) -> Option<(String, String, String)> {
    let shown = |value: Option<&toml::Value>| value.map_or("absent".to_owned(), |value| value.to_string());
    for field in recorded.keys().chain(wanted.keys()) {
        let path = if prefix.is_empty() { field.clone() } else { format!("{prefix}.{field}") };
        match (recorded.get(field), wanted.get(field)) {
            (Some(toml::Value::Table(a)), Some(toml::Value::Table(b))) => {
                if let Some(found) = first_difference(&path, a, b) {
                    return Some(found);
                }
            }
            (a, b) if a != b => return Some((path, shown(a), shown(b))),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_metrics_the_steps_and_what_is_named_are_kept_as_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS);
        fs::write(&path, "iterations,steps,loss,gap\n1,10,,0.10\n2,20,3e-4,0.05\n").unwrap();
        let kept = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            String::from_utf8(columns(&path, &names).unwrap()).unwrap()
        };
        assert_eq!(kept(&["gap"]), "steps,gap\n10,0.10\n20,0.05\n");
        assert_eq!(kept(&["loss", "absent"]), "steps,loss\n10,\n20,3e-4\n");
        fs::write(&path, "steps,gap\n1,2,3\n").unwrap();
        assert!(columns(&path, &BTreeSet::new()).unwrap_err().to_string().contains(METRICS));
    }
}
