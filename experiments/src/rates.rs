//! How fast a metric falls with the number of samples: exponents fitted to many runs.
//!
//! Theorems on sample complexity say after how many samples N an accuracy ε is reached,
//! N = O(ε^(−k)). What runs show is the reverse, ε ∝ N^slope with the slope −1/k: it is fitted on
//! log-log axes, and both numbers are reported.

use std::fmt::Write;

use assay_environments::random::Seed;
use assay_theory::rate::{self, Rate};
use ndarray::{Array2, Axis};

use crate::{
    Error,
    records::{self, Record, Summary},
    results::{self, Group},
};

/// Points of a fit, evenly spaced on the logarithmic axis.
const POINTS: usize = 20;
/// The fit begins after this part of the samples: before, there is no rate yet.
const BURN_IN: f64 = 0.03;
const RESAMPLES: usize = 2_000;
const LEVEL: f64 = 0.95;

/// A metric's mean over the runs of one algorithm, and the power of the samples that fits it.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedRate {
    /// The algorithm's label.
    pub label: String,
    /// Environment steps.
    pub steps: Vec<f64>,
    /// The metric there, mean over the runs.
    pub means: Vec<f64>,
    /// The exponent with its 95 % interval, from resampling runs.
    pub rate: Rate,
}

impl FittedRate {
    /// The fit to a metric of the finished runs. Each point is a row of `metrics.csv`, a mean over
    /// the iterations since the row before.
    ///
    /// # Errors
    /// [`Error::Records`] when fewer than two runs are finished, they have no two rows with the metric
    /// in common, or a mean is not positive; and as reading the records does.
    pub fn of(group: &Group, metric: &str) -> Result<Self, Error> {
        let no_rate = |reason: &str| Error::Records(format!("{}: {reason}", group.title()));
        let read = |(record, _): &(Record, Summary)| -> Result<(Vec<f64>, Vec<f64>), Error> {
            let metrics = records::metrics(&record.folder)?;
            let column = |name: &str| {
                let missing = || no_rate(&format!("there is no metric `{name}` in its records"));
                metrics.column(name).map(<[f64]>::to_vec).ok_or_else(missing)
            };
            Ok((column("steps")?, column(metric)?))
        };
        let runs = group.finished.iter().map(read).collect::<Result<Vec<_>, Error>>()?;
        let rows = runs.iter().map(|(steps, _)| steps.len()).min().unwrap_or(0);
        let common: Vec<usize> =
            (0..rows).filter(|&row| runs.iter().all(|(_, values)| values[row].is_finite())).collect();
        let mean_steps =
            |row: usize| runs.iter().map(|(steps, _)| steps[row]).sum::<f64>() / runs.len() as f64;
        let last =
            common.last().map(|&row| mean_steps(row)).ok_or_else(|| no_rate("there are no common rows"))?;
        let mut chosen: Vec<usize> = Vec::with_capacity(POINTS);
        for point in 0..POINTS {
            let wanted = last * BURN_IN.powf(1.0 - point as f64 / (POINTS - 1) as f64);
            let row = common.iter().copied().find(|&row| mean_steps(row) >= wanted);
            if let Some(row) = row.filter(|row| chosen.last().is_none_or(|last| row > last)) {
                chosen.push(row);
            }
        }
        let steps: Vec<f64> = chosen.iter().map(|&row| mean_steps(row)).collect();
        let curves =
            Array2::from_shape_fn((runs.len(), chosen.len()), |(run, point)| runs[run].1[chosen[point]]);
        let rate = rate::fit(&steps, &curves, RESAMPLES, LEVEL, Seed::new(0))
            .map_err(|error| no_rate(&error.to_string()))?;
        let means = curves.mean_axis(Axis(0)).unwrap_or_default().to_vec();
        Ok(FittedRate { label: group.label.clone(), steps, means, rate })
    }

    /// k of N = O(ε^(−k)) with its interval: the inverse of the slope. An end is infinite where the
    /// slope's interval reaches zero.
    pub fn samples_exponent(&self) -> [f64; 3] {
        let inverse = |slope: f64| if slope < 0.0 { -1.0 / slope } else { f64::INFINITY };
        [self.rate.slope, self.rate.low, self.rate.high].map(inverse)
    }
}

/// The fitted exponents of a metric, one table per experiment.
///
/// # Errors
/// As [`FittedRate::of`].
pub fn tables(groups: &[Group], metric: &str) -> Result<String, Error> {
    let mut text = String::new();
    for experiment in results::by_experiment(groups) {
        let fitted = experiment.groups.iter().map(|group| FittedRate::of(group, metric));
        let fitted = fitted.collect::<Result<Vec<_>, _>>()?;
        let _ = writeln!(text, "\n{}", table(&format!("{}, {metric}", experiment.title), &fitted));
    }
    Ok(text)
}

/// Fitted exponents as a Markdown table that is also readable in a terminal.
pub fn table(title: &str, rates: &[FittedRate]) -> String {
    let widest = rates.iter().map(|rate| rate.label.len()).max().unwrap_or(0).max(title.len());
    let (dashes, across) = ("", widest + 2);
    let mut text = format!(
        "| {title:widest$} | slope (95 % interval)   | samples to reach ε      |\n\
         |{dashes:-<across$}|{dashes:-<25}|{dashes:-<25}|\n"
    );
    for fitted in rates {
        let Rate { slope, low, high, .. } = fitted.rate;
        let [k, smallest, largest] = fitted.samples_exponent();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {:widest$} | {slope:5.2} ({low:5.2} to {high:5.2})  | ε^−{k:.2} ({smallest:.2} to {largest:.2}) |",
            fitted.label
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponent_of_the_samples_is_the_inverse_of_the_slope() {
        let rate = |slope, low, high| FittedRate {
            label: "N-HARPG".into(),
            steps: vec![1.0],
            means: vec![1.0],
            rate: Rate { slope, intercept: 0.0, low, high },
        };
        assert_eq!(rate(-0.5, -0.625, -0.4).samples_exponent(), [2.0, 1.6, 2.5]);
        assert_eq!(rate(-0.1, -0.2, 0.1).samples_exponent(), [10.0, 5.0, f64::INFINITY]);
        let table = table("Hills", &[rate(-0.5, -0.625, -0.4)]);
        assert!(
            table.contains("ε^−2.00 (1.60 to 2.50)") && table.contains("-0.50 (-0.62 to -0.40)"),
            "{table}"
        );
    }
}
