//! Reading the records of runs back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{CONFIG, EVALUATIONS, EvaluationSummary, METRICS};
use crate::{Error, Run, evaluation::summarise};
use assay_environments::Episode;

/// One evaluation of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationPoint {
    /// The environment steps at which the evaluation was due: the same for all seeds.
    pub due: u64,
    /// The environment steps that the learner had taken: the end of the iteration that reached
    /// `due`.
    pub steps: u64,
    /// The episodes.
    pub episodes: Vec<Episode>,
}

impl EvaluationPoint {
    /// Mean, spread and length of the episodes.
    pub fn summary(&self) -> EvaluationSummary {
        summarise(&self.episodes)
    }

    /// The mean return at each point of the grid of physical parameters, where `episodes` (1 or more)
    /// were played at each.
    pub fn means(&self, episodes: usize) -> Vec<f64> {
        self.episodes.chunks(episodes).map(|at_point| summarise(at_point).mean_reward).collect()
    }
}

/// A row of `evaluations.csv`.
#[derive(Deserialize)]
struct EpisodeRow {
    due: u64,
    steps: u64,
    #[serde(rename = "episode")]
    _episode: u64,
    total_reward: f64,
    length: u64,
}

/// The evaluations of the run in `folder`, in their order.
pub fn evaluations(folder: &Path) -> Result<Vec<EvaluationPoint>, Error> {
    let path = folder.join(EVALUATIONS);
    let file = fs::File::open(&path).map_err(Error::file("read", &path))?;
    let mut points: Vec<EvaluationPoint> = Vec::new();
    for row in csv::Reader::from_reader(file).deserialize() {
        let row: EpisodeRow = row.map_err(|e| Error::damaged(&path, e))?;
        let episode = Episode { total_reward: row.total_reward, length: row.length };
        match points.last_mut() {
            Some(point) if point.due == row.due => point.episodes.push(episode),
            _ => points.push(EvaluationPoint { due: row.due, steps: row.steps, episodes: vec![episode] }),
        }
    }
    Ok(points)
}

/// The metrics of a run as columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// The columns' names.
    pub names: Vec<String>,
    /// One column per name; a value that is not there is NaN.
    pub columns: Vec<Vec<f64>>,
}

impl Metrics {
    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        let index = self.names.iter().position(|known| known == name)?;
        Some(&self.columns[index])
    }
}

/// The metrics of the run in `folder`.
pub fn metrics(folder: &Path) -> Result<Metrics, Error> {
    let path = folder.join(METRICS);
    let file = fs::File::open(&path).map_err(Error::file("read", &path))?;
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().map_err(|e| Error::damaged(&path, e))?;
    let names: Vec<String> = header.iter().map(str::to_owned).collect();
    let mut columns = vec![Vec::new(); names.len()];
    for row in reader.records() {
        let row = row.map_err(|e| Error::damaged(&path, e))?;
        for (column, text) in columns.iter_mut().zip(&row) {
            let value = if text.is_empty() { Ok(f64::NAN) } else { text.parse() };
            column.push(value.map_err(|e| Error::damaged(&path, format!("`{text}`: {e}")))?);
        }
    }
    Ok(Metrics { names, columns })
}

/// A run and where its records are.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The run's folder.
    pub folder: PathBuf,
    /// The run.
    pub run: Run,
}

/// All runs in the folders below `folder` (itself included), sorted by path. Errors when a folder
/// cannot be read or a configuration is damaged or of another version.
pub fn find_runs(folder: &Path) -> Result<Vec<Record>, Error> {
    let mut folders = Vec::new();
    // <runs>/<root>/<experiment>/<label>/<seed>: no run is deeper.
    collect(folder, 4, &mut folders)?;
    folders.sort();
    let record = |folder: PathBuf| Run::read(&folder.join(CONFIG)).map(|run| Record { folder, run });
    folders.into_iter().map(record).collect()
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    if folder.join(CONFIG).is_file() {
        found.push(folder.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(Error::file("read", folder))? {
        let path = entry.map_err(Error::file("read", folder))?.path();
        if depth > 0 && path.is_dir() {
            collect(&path, depth - 1, found)?;
        }
    }
    Ok(())
}
