//! Results of many runs, as the statistics take them.

use std::{collections::BTreeMap, path::PathBuf};

use assay_environments::parameters;

use crate::{
    Error, Run,
    claims::{Metric, Task},
    experiment::PhysicalGrid,
    records::{self, EvaluationPoint, Failure, Metrics, Record, Status, Summary, difference},
    statistics::{Bootstrap, Curves, Scores},
    tables::Table,
};

/// The runs of one algorithm in one experiment, by seed.
#[derive(Clone, Debug)]
pub struct Group {
    /// The experiment's folder.
    pub folder: PathBuf,
    /// The experiment's name.
    pub experiment: String,
    /// The algorithm's label.
    pub label: String,
    /// The environment's name.
    pub environment: String,
    /// Runs with a result.
    pub finished: Vec<(Record, Summary)>,
    /// Runs that cannot go on.
    pub failed: Vec<(Record, Failure)>,
    /// Runs that can be resumed.
    pub unfinished: Vec<Record>,
}

/// What runs are compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The mean return of the last evaluation: the last policy, not the best.
    FinalReturn,
    /// The mean return over all evaluations, weighted by the steps between them.
    AreaUnderCurve,
    /// The mean return of the last evaluation at the worst point of its grid of physical parameters.
    WorstReturn,
    /// A column of `metrics.csv`: its last value.
    Metric(String),
}

impl Measure {
    /// `final-return`, `area-under-curve`, `worst-return`, or else the name of a metric.
    pub fn named(name: &str) -> Self {
        match name {
            "final-return" => Measure::FinalReturn,
            "area-under-curve" => Measure::AreaUnderCurve,
            "worst-return" => Measure::WorstReturn,
            name => Measure::Metric(name.to_owned()),
        }
    }

    /// The measure's name.
    pub fn name(&self) -> &str {
        match self {
            Measure::FinalReturn => "final-return",
            Measure::AreaUnderCurve => "area-under-curve",
            Measure::WorstReturn => "worst-return",
            Measure::Metric(name) => name,
        }
    }

    /// The measure's name on an axis.
    pub(crate) fn title(&self) -> &str {
        match self {
            Measure::FinalReturn => "Final return",
            Measure::AreaUnderCurve => "Average return",
            Measure::WorstReturn => "Worst return",
            Measure::Metric(name) => name,
        }
    }
}

/// The groups of one experiment.
pub(crate) struct Experiment<'a> {
    /// Its name, or its folder where several have the same name.
    pub(crate) title: String,
    pub(crate) groups: &'a [Group],
}

/// `groups`, which stand together by experiment, as experiments.
pub(crate) fn by_experiment(groups: &[Group]) -> Vec<Experiment<'_>> {
    let experiments: Vec<&[Group]> = groups.chunk_by(|a, b| a.folder == b.folder).collect();
    let title = |first: &Group| {
        let same_name = experiments.iter().filter(|groups| groups[0].experiment == first.experiment);
        if same_name.count() == 1 { first.experiment.clone() } else { first.folder.display().to_string() }
    };
    experiments.iter().map(|groups| Experiment { title: title(&groups[0]), groups }).collect()
}

/// A table of `groups`, which stand together by experiment: one block of rows each, whose first
/// algorithm the others are compared with. Errors as reading the records does.
pub fn table(groups: &[Group], measure: &Measure, larger_is_better: bool) -> Result<Table, Error> {
    let mut table = Table::new(Bootstrap::default());
    add_to(&mut table, groups, measure, larger_is_better)?;
    Ok(table)
}

/// Adds to a table what [`table`] makes one of.
pub(crate) fn add_to(
    table: &mut Table,
    groups: &[Group],
    measure: &Measure,
    larger_is_better: bool,
) -> Result<(), Error> {
    for experiment in by_experiment(groups) {
        let Experiment { title, groups } = experiment;
        let scores = groups.iter().map(|group| group.scores(measure)).collect::<Result<Vec<Scores>, _>>()?;
        let labels = groups.iter().map(|group| group.label.as_str());
        let algorithms: Vec<(&str, &Scores)> = labels.zip(&scores).collect();
        let title = format!("{title}, {}", measure.name());
        table.add(&title, larger_is_better, &algorithms)?;
    }
    Ok(())
}

/// The runs in `folders`, grouped by experiment and label, both in alphabetical order. Runs of
/// experiments of the same name in different folders are never mixed. Errors when a folder cannot
/// be read, holds no runs, a seed is there twice, or runs of one label differ in more than their
/// seed.
pub fn groups(folders: &[PathBuf]) -> Result<Vec<Group>, Error> {
    let mut groups: BTreeMap<(PathBuf, String), Vec<Record>> = BTreeMap::new();
    for folder in folders {
        let found = records::find_runs(folder)?;
        if found.is_empty() {
            return Err(Error::Records(format!("there are no runs in {}", folder.display())));
        }
        for record in found {
            // <experiment>/<label>/<seed>
            let experiment = record.folder.ancestors().nth(2).unwrap_or(&record.folder).to_owned();
            let key = (experiment, record.run.label.clone());
            groups.entry(key).or_default().push(record);
        }
    }
    groups.into_iter().map(|((folder, label), records)| group(folder, label, records)).collect()
}

fn group(folder: PathBuf, label: String, mut records: Vec<Record>) -> Result<Group, Error> {
    records.sort_by_key(|record| record.run.seed);
    let same_seed = records.windows(2).find(|pair| pair[0].run.seed == pair[1].run.seed);
    if let Some([first, second]) = same_seed {
        let (first, second) = (first.folder.display(), second.folder.display());
        return Err(Error::Records(format!("{first} and {second} hold the same seed of {label}")));
    }
    let first = &records[0];
    for record in &records[1..] {
        let wanted = Run { seed: first.run.seed, ..record.run.clone() };
        if let Some((field, one, other)) = difference(&first.run, &wanted) {
            let (first, second) = (first.folder.display(), record.folder.display());
            return Err(Error::Records(format!(
                "{first} and {second} cannot be compared: `{field}` is {one} in one and {other} in the other"
            )));
        }
    }
    let environment = first.run.environment.name.clone();
    let mut group = Group {
        folder,
        experiment: first.run.experiment.clone(),
        label,
        environment,
        finished: Vec::new(),
        failed: Vec::new(),
        unfinished: Vec::new(),
    };
    for record in records {
        match records::status(&record.folder)? {
            Status::Finished(summary) => group.finished.push((record, summary)),
            Status::Failed(failure) => group.failed.push((record, failure)),
            Status::Unfinished => group.unfinished.push(record),
        }
    }
    Ok(group)
}

impl Group {
    /// The group's title: `<experiment> / <label>`.
    pub fn title(&self) -> String {
        format!("{} / {}", self.experiment, self.label)
    }

    /// What keeps some of the runs out of the statistics, in words; `None` when all are finished.
    pub fn missing(&self) -> Option<String> {
        let parts = [(self.failed.len(), "failed"), (self.unfinished.len(), "not finished")];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, how)| format!("{count} {how}"))
            .collect();
        let all = self.finished.len() + self.failed.len() + self.unfinished.len();
        let (title, parts) = (self.title(), parts.join(" and "));
        (!parts.is_empty()).then(|| format!("{title}: of {all} runs, {parts}; they are left out"))
    }

    /// The mean return of each evaluation of each finished run, at the steps where evaluations were
    /// due. Errors when no run is finished or an evaluation is missing.
    pub fn returns(&self) -> Result<Curves, Error> {
        self.evaluations(|_, point| point.summary().mean_reward)
    }

    /// As [`returns`](Self::returns) at the point of the grid of physical parameters where it is worst;
    /// without a grid the same.
    pub fn worst_returns(&self) -> Result<Curves, Error> {
        self.evaluations(|record, point| {
            let means = point.means(record.run.evaluation.episodes);
            means.into_iter().fold(f64::INFINITY, f64::min)
        })
    }

    /// The return of the last evaluation at every point of its grid of physical parameters, in the grid's
    /// order: the mean over episodes and finished runs. `None` where there is no grid. Errors as
    /// [`returns`](Self::returns).
    pub fn mean_over_grid(&self) -> Result<Option<(PhysicalGrid, Vec<f64>)>, Error> {
        self.require_finished()?;
        let Some(grid) = self.finished[0].0.run.evaluation.grid.clone() else { return Ok(None) };
        let mut sums = vec![0.0; grid.cells().len()];
        for (record, _) in &self.finished {
            let last = records::evaluations(&record.folder)?.pop();
            let means = last.map(|point| point.means(record.run.evaluation.episodes)).unwrap_or_default();
            if means.len() != sums.len() {
                return Err(Error::damaged(&record.folder, "its last evaluation is not on the whole grid"));
            }
            sums.iter_mut().zip(means).for_each(|(sum, mean)| *sum += mean);
        }
        let runs = self.finished.len() as f64;
        Ok(Some((grid, sums.into_iter().map(|sum| sum / runs).collect())))
    }

    fn evaluations(&self, value: impl Fn(&Record, &EvaluationPoint) -> f64) -> Result<Curves, Error> {
        self.require_finished()?;
        let mut due: Vec<u64> = Vec::new();
        let mut runs = Vec::with_capacity(self.finished.len());
        for (record, _) in &self.finished {
            let points = records::evaluations(&record.folder)?;
            let steps: Vec<u64> = points.iter().map(|point| point.due).collect();
            if runs.is_empty() {
                due = steps;
            } else if steps != due {
                let folder = record.folder.display();
                return Err(Error::Records(format!(
                    "{folder} has evaluations at other steps than its siblings"
                )));
            }
            runs.push(points.iter().map(|point| value(record, point)).collect::<Vec<_>>());
        }
        Ok(Curves::single_task(&due, &runs)?)
    }

    /// How the measure went in each finished run: the returns of the evaluations, or a metric where it
    /// was written down, at about a hundred points. Errors when no run is finished, the metric is not
    /// there or has no value at a point, or the runs have points at different steps.
    pub fn curves(&self, measure: &Measure) -> Result<Curves, Error> {
        const POINTS: usize = 100;
        let name = match measure {
            Measure::Metric(name) => name,
            Measure::WorstReturn => return self.worst_returns(),
            Measure::FinalReturn | Measure::AreaUnderCurve => return self.returns(),
        };
        self.require_finished()?;
        let mut steps: Vec<f64> = Vec::new();
        let mut runs = Vec::with_capacity(self.finished.len());
        for (record, _) in &self.finished {
            let metrics = records::metrics(&record.folder)?;
            let rows = metrics.columns.first().map_or(0, Vec::len);
            let spacing = rows.div_ceil(POINTS).max(1);
            // The last row is always among them.
            let thin = |column: &[f64]| -> Vec<f64> {
                (0..rows).filter(|row| (rows - 1 - row) % spacing == 0).map(|row| column[row]).collect()
            };
            let at = thin(self.column(&metrics, "steps")?);
            if runs.is_empty() {
                steps = at;
            } else if at != steps {
                let folder = record.folder.display();
                return Err(Error::Records(format!("{folder} has metrics at other steps than its siblings")));
            }
            runs.push(thin(self.column(&metrics, name)?));
        }
        let steps: Vec<u64> = steps.into_iter().map(|steps| steps as u64).collect();
        Ok(Curves::single_task(&steps, &runs)?)
    }

    /// One number per finished run. Errors when no run is finished, or the metric is not there.
    pub fn scores(&self, measure: &Measure) -> Result<Scores, Error> {
        match measure {
            Measure::FinalReturn => Ok(self.returns()?.last().clone()),
            Measure::AreaUnderCurve => Ok(self.returns()?.area()),
            Measure::WorstReturn => Ok(self.worst_returns()?.last().clone()),
            Measure::Metric(name) => self.last_metric(name),
        }
    }

    /// A claim's metric of every finished run on one of its tasks. Errors as [`scores`](Self::scores)
    /// does.
    pub(crate) fn metric(&self, metric: &Metric, task: &Task) -> Result<Scores, Error> {
        if let Metric::Named { name, .. } = metric {
            return self.last_metric(name);
        }
        if let Metric::WorstReturn = metric {
            return Ok(self.worst_returns()?.last().clone());
        }
        let scores = metric.of_evaluations(&self.returns()?, task);
        scores.ok_or_else(|| Error::Records("the metric is not in the evaluations".into()))
    }

    fn last_metric(&self, name: &str) -> Result<Scores, Error> {
        self.require_finished()?;
        let last = |(record, _): &(Record, Summary)| -> Result<f64, Error> {
            let metrics = records::metrics(&record.folder)?;
            let column = self.column(&metrics, name)?;
            column.iter().rev().copied().find(|value| value.is_finite()).ok_or_else(|| {
                let folder = record.folder.display();
                Error::Records(format!("{folder}: `{name}` has no value in metrics.csv"))
            })
        };
        let values = self.finished.iter().map(last).collect::<Result<Vec<f64>, Error>>()?;
        Ok(Scores::single_task(&values)?)
    }

    /// The column of a metric. Errors with the nearest spelling when there is none.
    fn column<'a>(&self, metrics: &'a Metrics, name: &str) -> Result<&'a [f64], Error> {
        metrics.column(name).ok_or_else(|| {
            let evaluations = ["final-return", "area-under-curve", "worst-return"].into_iter();
            let known = evaluations.chain(metrics.names.iter().map(String::as_str));
            Error::parameter(self.title())(parameters::unknown("metric", name, known))
        })
    }

    fn require_finished(&self) -> Result<(), Error> {
        if self.finished.is_empty() {
            return Err(Error::Records(format!("{}: no run is finished", self.title())));
        }
        Ok(())
    }
}
