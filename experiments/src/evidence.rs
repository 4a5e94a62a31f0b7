//! From a claim to its verdict: the runs behind it, look by look.

use std::{fmt::Write, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    claims::{Claim, Judgement, Metric, Verdict},
    experiment::Experiment,
    records::{self, files::write_atomically},
    results::{self, Group, Measure},
    run::CODE_VERSION,
    schedule::{self, Outcome, Session},
    statistics::{Bootstrap, Scores},
};

/// A claim with the verdict on it: the content of `<root>/<claim>.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// The claim's name.
    pub claim: String,
    /// The claim in words.
    pub statement: String,
    /// The version of the code that judged it.
    pub code: String,
    /// The verdict and what it rests on.
    pub judgement: Judgement,
}

/// How far the runs behind a claim have come.
#[derive(Debug)]
pub enum Progress {
    /// All runs of the looks that were needed are finished.
    Judged(Published),
    /// Runs were stopped or interrupted; they can be resumed.
    Stopped(Outcome),
}

/// Runs or resumes what the claim needs under `root` and judges it: after the first look, and as
/// long as that leaves it undecided after each further one. Errors when a run failed: a verdict
/// that leaves out runs would not be one.
///
/// `overrides` change every experiment of the claim, for a quick try; what is judged then is not
/// the claim any more, and no verdict is written.
pub fn judge(claim: &Claim, overrides: &[String], root: &Path, session: &Session) -> Result<Progress, Error> {
    for (look, &seeds) in claim.seeds.iter().enumerate() {
        let outcome = run_look(claim, seeds, overrides, root, session)?;
        if outcome.stopped > 0 || !outcome.errors.is_empty() {
            return Ok(Progress::Stopped(outcome));
        }
        let judgement = judge_look(claim, seeds, root)?;
        if judgement.verdict != Verdict::Undecided || look + 1 == claim.seeds.len() {
            let published = Published {
                claim: claim.name.clone(),
                statement: claim.statement.clone(),
                code: CODE_VERSION.to_owned(),
                judgement,
            };
            if overrides.is_empty() {
                let path = root.join(format!("{}.json", claim.name));
                let mut bytes =
                    serde_json::to_vec_pretty(&published).map_err(|e| Error::damaged(&path, e))?;
                bytes.push(b'\n');
                write_atomically(&path, &bytes)?;
            }
            return Ok(Progress::Judged(published));
        }
    }
    Err(Error::Records(format!("the claim {} has no looks", claim.name)))
}

fn experiment(claim: &Claim, task: usize, seeds: usize, overrides: &[String]) -> Result<Experiment, Error> {
    let experiment = claim.experiment(task, seeds)?;
    if overrides.is_empty() {
        return Ok(experiment);
    }
    Experiment::parse(&experiment.to_toml(), &format!("claim {}", claim.name), overrides)
}

fn run_look(
    claim: &Claim,
    seeds: usize,
    overrides: &[String],
    root: &Path,
    session: &Session,
) -> Result<Outcome, Error> {
    let mut runs = Vec::new();
    for task in 0..claim.tasks.len() {
        runs.extend(experiment(claim, task, seeds, overrides)?.runs()?);
    }
    session.drive(&schedule::prepare(runs, root)?)
}

/// The verdict after `seeds` seeds from the records under `root`.
fn judge_look(claim: &Claim, seeds: usize, root: &Path) -> Result<Judgement, Error> {
    let tasks: Vec<Vec<Group>> = (0..claim.tasks.len())
        .map(|task| results::groups(&[root.join(claim.experiment(task, seeds)?.name)]))
        .collect::<Result<_, Error>>()?;
    let scores = |label: &str| -> Result<Scores, Error> {
        let mut rows = Vec::with_capacity(tasks.len());
        for (groups, task) in tasks.iter().zip(&claim.tasks) {
            let group = groups
                .iter()
                .find(|group| group.label == label)
                .ok_or_else(|| Error::Records(format!("there are no runs of {label}")))?;
            let first_seeds = |seed: u64| seed < seeds as u64;
            if let Some((record, failure)) = group.failed.iter().find(|(r, _)| first_seeds(r.run.seed)) {
                let title = record.run.title();
                return Err(Error::Records(format!("no verdict: {title} failed: {}", failure.error)));
            }
            let finished = Group {
                finished: group.finished.iter().filter(|(r, _)| first_seeds(r.run.seed)).cloned().collect(),
                ..group.clone()
            };
            let scores = match &claim.metric {
                Metric::Named { name, .. } => finished.scores(&Measure::Metric(name.clone()))?,
                metric => metric
                    .of_evaluations(&finished.returns()?, task)
                    .ok_or_else(|| Error::Records("the metric is not in the evaluations".into()))?,
            };
            rows.push(scores.task(0).to_vec());
        }
        Ok(Scores::from_tasks(&rows)?)
    };
    let algorithm = scores(claim.label())?;
    let baselines = claim.baseline_labels().map(scores).collect::<Result<Vec<_>, _>>()?;
    Ok(claim.judge(&algorithm, &baselines, &Bootstrap::default())?)
}

impl Published {
    /// The verdict as a few lines for a terminal.
    pub fn to_text(&self) -> String {
        let Judgement { verdict, comparisons, seeds, confidence } = &self.judgement;
        let mut text = format!("{}: {}\n{verdict}, after {seeds} seeds\n", self.claim, self.statement);
        for comparison in comparisons {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "  against {}: {}; effect {:.3} ({:.1} % interval); probability of improvement {:.2}",
                comparison.baseline,
                comparison.verdict,
                comparison.effect,
                100.0 * confidence,
                comparison.probability_of_improvement,
            );
        }
        text
    }
}

/// The verdict that is recorded under `root`, if there is one.
pub fn published(claim: &Claim, root: &Path) -> Result<Option<Published>, Error> {
    records::read_json(&root.join(format!("{}.json", claim.name)))
}
