//! Figures of the results of experiments: one panel per experiment, the same colour for the same
//! label everywhere.

use std::collections::BTreeSet;

use assay_plots::{
    Axis, Curves, Figure, GridMap, Interval, Intervals, Mark, Numbers, Panel, Plot, Reference, Series,
};

use assay_theory::rate::Rate;

use crate::{
    Error,
    rates::FittedRate,
    results::{Experiment, Group, Measure, by_experiment},
    statistics::{
        Aggregate, Bootstrap, Estimate, Scores, performance_profile, probability_of_improvement_interval,
    },
};

/// What a figure shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Learning curves: the interquartile mean over environment steps, with 95 % bands, of a metric,
    /// and for every other measure of the evaluations' returns.
    Curves,
    /// The interquartile mean of the measure with its 95 % interval, one row per algorithm.
    Scores,
    /// Performance profiles: the share of runs whose measure is above a threshold.
    Profiles,
    /// The probability that a run of the first algorithm beats one of each other.
    Improvement,
    /// The mean of the measure, a metric, over environment steps on logarithmic axes, with the fitted
    /// power and the band of its 95 % interval.
    Rates,
}

/// The figure of `groups`, which stand together by experiment. Errors as reading the records does.
pub fn figure(
    kind: Kind,
    groups: &[Group],
    measure: &Measure,
    larger_is_better: bool,
) -> Result<Figure, Error> {
    let mut labels: Vec<&str> = Vec::new();
    for group in groups {
        if !labels.contains(&group.label.as_str()) {
            labels.push(&group.label);
        }
    }
    let experiments = by_experiment(groups);
    let panel = |experiment: &Experiment<'_>| -> Result<Panel, Error> {
        let groups = experiment.groups;
        let plot: Plot = match kind {
            Kind::Curves => curves(groups, measure)?.into(),
            Kind::Scores => scores(groups, measure)?.into(),
            Kind::Profiles => profiles(groups, measure)?.into(),
            Kind::Improvement => improvement(groups, measure, larger_is_better)?.into(),
            Kind::Rates => rates(groups, measure)?.into(),
        };
        Ok(Panel::new(title(experiment, &experiments), plot))
    };
    let panels = experiments.iter().map(panel).collect::<Result<_, _>>()?;
    Ok(Figure::new(panels).ordered(labels))
}

/// The environment's name, where it tells the experiment from the others; else the experiment's.
fn title<'a>(experiment: &'a Experiment<'_>, experiments: &[Experiment<'_>]) -> &'a str {
    let environment = &experiment.groups[0].environment;
    let same = |group: &Group| group.environment == *environment;
    let with_it = experiments.iter().filter(|other| other.groups.iter().any(same)).count();
    if with_it == 1 && experiment.groups.iter().all(same) { environment } else { &experiment.title }
}

/// Enough for the eye, and quick.
fn bootstrap() -> Result<Bootstrap, Error> {
    let usual = Bootstrap::default();
    Ok(Bootstrap::new(2_000, usual.confidence(), assay_environments::random::Seed::new(0))?)
}

/// Maps of the mean return over grids of two physical parameters, one for each algorithm, with the same
/// colours within an experiment; none where evaluations are not on such a grid. Errors as reading the
/// records does.
pub fn maps(groups: &[Group]) -> Result<Vec<Panel>, Error> {
    let mut panels = Vec::new();
    let experiments = by_experiment(groups);
    for experiment in &experiments {
        let means = experiment.groups.iter().map(Group::mean_over_grid).collect::<Result<Vec<_>, _>>()?;
        let all = || means.iter().flatten().flat_map(|(_, means)| means.iter().copied());
        let reach = [all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max)];
        for (group, means) in experiment.groups.iter().zip(&means) {
            let Some((grid, means)) = means else { continue };
            let [(up, [bottom, top]), (across, [left, right])] = grid.ranges.iter().collect::<Vec<_>>()[..]
            else {
                continue;
            };
            // The first parameter grows upwards, and rows are counted from the top.
            let values = means.chunks(grid.points).rev().flatten().copied().map(Some).collect();
            let sides = [format!("{across}: {left} to {right}"), format!("{up}: {bottom} to {top}")];
            let map =
                GridMap { reach: Some(reach), sides, ..GridMap::new("Return (mean)", grid.points, values) };
            let title = match experiments.len() {
                1 => group.label.clone(),
                _ => format!("{}, {}", title(experiment, &experiments), group.label),
            };
            panels.push(Panel::new(title, map));
        }
    }
    Ok(panels)
}

/// Values, lower and upper ends.
fn columns(estimates: &[Estimate]) -> [Vec<f64>; 3] {
    [|e: &Estimate| e.value, |e: &Estimate| e.low, |e: &Estimate| e.high]
        .map(|part| estimates.iter().map(part).collect())
}

fn curves(groups: &[Group], measure: &Measure) -> Result<Curves, Error> {
    let series = |group: &Group| -> Result<Series, Error> {
        let curves = group.curves(measure)?;
        let steps = curves.steps().iter().map(|&steps| steps as f64).collect();
        let [value, low, high] = columns(&curves.aggregate(Aggregate::InterquartileMean, &bootstrap()?));
        Ok(Series::new(&group.label, steps, value).with_intervals(low, high))
    };
    let series = groups.iter().map(series).collect::<Result<_, _>>()?;
    let height = match measure {
        Measure::Metric(name) => Axis::new(format!("{name} (IQM)")),
        Measure::FinalReturn | Measure::AreaUnderCurve => Axis::new("Return (IQM)"),
        Measure::WorstReturn => Axis::new("Worst return (IQM)"),
    };
    Ok(Curves::new(Axis::steps(), height, series))
}

fn rates(groups: &[Group], measure: &Measure) -> Result<Curves, Error> {
    let series = |group: &Group| -> Result<Series, Error> {
        let FittedRate { label, steps, means, rate } = FittedRate::of(group, measure.name())?;
        let Rate { slope, intercept, low, high } = rate;
        let drawn = assay_plots::Rate { slope, intercept, low, high };
        Ok(Series::new(label, steps, means).with_rate(drawn))
    };
    let series = groups.iter().map(series).collect::<Result<_, _>>()?;
    let (x, y) = (Axis::new("Environment steps").logarithmic(), Axis::new(words(measure)).logarithmic());
    Ok(Curves::new(x, y, series))
}

/// A metric's name with spaces and a capital letter.
fn words(measure: &Measure) -> String {
    let mut words = measure.title().replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

fn scores(groups: &[Group], measure: &Measure) -> Result<Intervals, Error> {
    let row = |group: &Group| -> Result<Interval, Error> {
        let scores = group.scores(measure)?;
        let Estimate { value, low, high } =
            Bootstrap::default().estimate(&scores, Aggregate::InterquartileMean);
        Ok(Interval::new(&group.label, value, low, high))
    };
    let rows = groups.iter().map(row).collect::<Result<_, _>>()?;
    Ok(Intervals::new(Axis::new(format!("{} (IQM)", measure.title())), rows))
}

fn profiles(groups: &[Group], measure: &Measure) -> Result<Curves, Error> {
    const THRESHOLDS: usize = 200;
    let scores = groups.iter().map(|group| group.scores(measure)).collect::<Result<Vec<Scores>, _>>()?;
    let all = || scores.iter().flat_map(|scores| scores.values()).copied();
    let (least, most) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let margin = if most > least { 0.03 * (most - least) } else { 1.0 };
    let width = most - least + 2.0 * margin;
    let threshold = |i: usize| least - margin + width * i as f64 / (THRESHOLDS - 1) as f64;
    let thresholds: Vec<f64> = (0..THRESHOLDS).map(threshold).collect();
    let series = |(group, scores): (&Group, &Scores)| -> Result<Series, Error> {
        let [value, low, high] = columns(&performance_profile(scores, &thresholds, &bootstrap()?));
        let series = Series::new(&group.label, thresholds.clone(), value).with_intervals(low, high);
        Ok(series.marked(Mark::Steps))
    };
    let series = groups.iter().zip(&scores).map(series).collect::<Result<_, _>>()?;
    let share = Axis::new("Runs above").written(Numbers::Percent).including([0.0, 1.0]);
    Ok(Curves::new(Axis::new(measure.title()), share, series))
}

fn improvement(groups: &[Group], measure: &Measure, larger_is_better: bool) -> Result<Intervals, Error> {
    let [first, others @ ..] = groups else { return Err(Error::Records("there are no runs".into())) };
    let distinct: BTreeSet<&str> = groups.iter().map(|group| group.label.as_str()).collect();
    if distinct.len() < 2 {
        let title = first.title();
        return Err(Error::Records(format!("{title}: there is no other algorithm to compare with")));
    }
    let of_first = first.scores(measure)?;
    let row = |group: &Group| -> Result<Interval, Error> {
        let of_other = group.scores(measure)?;
        let (better, worse) = if larger_is_better { (&of_first, &of_other) } else { (&of_other, &of_first) };
        let Estimate { value, low, high } =
            probability_of_improvement_interval(better, worse, &Bootstrap::default())?;
        Ok(Interval::new(&group.label, value, low, high))
    };
    let rows = others.iter().map(row).collect::<Result<_, _>>()?;
    let axis = Axis::new(format!("P({} better)", first.label)).including([0.0, 1.0]);
    Ok(Intervals::new(axis, rows).with_reference(Reference::new("", 0.5)))
}
