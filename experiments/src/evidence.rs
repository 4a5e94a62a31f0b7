//! From a claim to its verdict: the runs behind it, look by look.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    Error, Run,
    claims::{Claim, Judgement, Task, Verdict},
    experiment::Experiment,
    records,
    report::Report,
    results::{self, Group},
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

impl Published {
    /// The content of the file.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("a verdict is representable in JSON");
        format!("{json}\n")
    }
}

/// How far the runs behind a claim have come.
#[derive(Debug)]
pub enum Progress {
    /// All runs of the looks that were needed are finished.
    Judged(Box<Report>),
    /// Runs were stopped or interrupted; they can be resumed.
    Stopped(Outcome),
}

/// Runs or resumes what the claim needs under `root` and judges it: after the first look, and as
/// long as that leaves it undecided after each further one. Errors when a run failed: a verdict
/// that leaves out runs would not be one.
///
/// `overrides` change every experiment of the claim, for a quick try; what is judged then is not
/// the claim any more.
pub fn judge(claim: &Claim, overrides: &[String], root: &Path, session: &Session) -> Result<Progress, Error> {
    for (look, &seeds) in claim.seeds.iter().enumerate() {
        let runs = experiments(claim, seeds, overrides)?;
        let runs = runs.iter().map(Experiment::runs).collect::<Result<Vec<_>, _>>()?.concat();
        let outcome = session.drive(&schedule::prepare(runs, root)?)?;
        if outcome.stopped > 0 || !outcome.errors.is_empty() {
            return Ok(Progress::Stopped(outcome));
        }
        let report = judge_look(claim, seeds, overrides, root)?;
        if report.published().judgement.verdict != Verdict::Undecided || look + 1 == claim.seeds.len() {
            return Ok(Progress::Judged(Box::new(report)));
        }
    }
    Err(Error::Records(format!("the claim {} has no looks", claim.name)))
}

/// Judges the claim after the look with `seeds` seeds from finished runs under `root` alone.
/// Errors when a run is missing, failed, or another one than the claim asks for.
pub fn judge_look(claim: &Claim, seeds: usize, overrides: &[String], root: &Path) -> Result<Report, Error> {
    let tasks: Vec<Vec<Group>> = experiments(claim, seeds, overrides)?
        .iter()
        .map(|experiment| gather(experiment, root))
        .collect::<Result<_, Error>>()?;
    // Of every task the algorithm comes first, then the baselines.
    let scores = |contender: usize| -> Result<Scores, Error> {
        let row = |(groups, task): (&Vec<Group>, &Task)| -> Result<Vec<f64>, Error> {
            Ok(groups[contender].metric(&claim.metric, task)?.task(0).to_vec())
        };
        let rows = tasks.iter().zip(&claim.tasks).map(row).collect::<Result<Vec<_>, Error>>()?;
        Ok(Scores::from_tasks(&rows)?)
    };
    let algorithm = scores(0)?;
    let baselines = (1..=claim.baselines.len()).map(scores).collect::<Result<Vec<_>, _>>()?;
    let published = Published {
        claim: claim.name.clone(),
        statement: claim.statement.clone(),
        code: CODE_VERSION.to_owned(),
        judgement: claim.judge(&algorithm, &baselines, &Bootstrap::default())?,
    };
    Ok(Report::new(claim.clone(), published, tasks))
}

/// The verdict that is recorded in the folder `root`, if there is one.
pub fn published(claim: &str, root: &Path) -> Result<Option<Published>, Error> {
    records::read_json(&root.join(format!("{claim}.json")))
}

/// The claim's experiments, one per task.
fn experiments(claim: &Claim, seeds: usize, overrides: &[String]) -> Result<Vec<Experiment>, Error> {
    let experiment = |task| {
        let experiment = claim.experiment(task, seeds)?;
        if overrides.is_empty() {
            return Ok(experiment);
        }
        let changed = Experiment::parse(&experiment.to_toml(), &format!("claim {}", claim.name), overrides)?;
        if (&changed.seeds, &changed.name) != (&experiment.seeds, &experiment.name) {
            return Err(Error::Records("a claim's seeds and its experiments' names are its own".into()));
        }
        Ok(changed)
    };
    (0..claim.tasks.len()).map(experiment).collect()
}

/// The finished runs of exactly this experiment, by algorithm in its order.
fn gather(experiment: &Experiment, root: &Path) -> Result<Vec<Group>, Error> {
    let mut groups = results::groups(&[root.join(&experiment.name)])?;
    let runs = experiment.runs()?;
    let mut gathered = Vec::with_capacity(experiment.algorithms.len());
    for algorithm in &experiment.algorithms {
        let wanted: Vec<&Run> = runs.iter().filter(|run| run.label == algorithm.label).collect();
        let position = groups.iter().position(|group| group.label == algorithm.label);
        let group = position.map(|position| groups.swap_remove(position)).ok_or_else(|| {
            Error::Records(format!("{}: there are no runs of {}", experiment.name, algorithm.label))
        })?;
        let finished = wanted.into_iter().map(|run| finished(&group, run)).collect::<Result<_, Error>>()?;
        gathered.push(Group { finished, failed: Vec::new(), unfinished: Vec::new(), ..group });
    }
    Ok(gathered)
}

/// The finished run of the group that is `wanted`.
fn finished(group: &Group, wanted: &Run) -> Result<(records::Record, records::Summary), Error> {
    let is_wanted = |record: &records::Record| record.run.seed == wanted.seed;
    let no_verdict = |reason: String| Error::Records(format!("no verdict: {} {reason}", wanted.title()));
    if let Some((_, failure)) = group.failed.iter().find(|(record, _)| is_wanted(record)) {
        return Err(no_verdict(format!("failed: {}", failure.error)));
    }
    let found = group.finished.iter().find(|(record, _)| is_wanted(record));
    let (record, summary) = found.ok_or_else(|| no_verdict("is not finished".into()))?;
    if let Some((field, recorded, wanted)) = records::difference(&record.run, wanted) {
        return Err(Error::Conflict { path: record.folder.clone(), field, recorded, wanted });
    }
    Ok((record.clone(), summary.clone()))
}
