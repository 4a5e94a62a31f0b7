//! One number for many runs on many tasks.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Scores;

/// How scores are summarised (Agarwal et al. 2021, arXiv 2108.13264, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Aggregate {
    /// The mean of all scores: every task weighs the same, and one outlier can dominate.
    Mean,
    /// The median over tasks of each task's mean: unmoved by zero scores on nearly half of the
    /// tasks.
    Median,
    /// The mean of the middle half of all scores, runs and tasks pooled: the suite's default. Of
    /// `n` scores the ⌊n / 4⌋ lowest and as many highest are left out, as by SciPy's `trim_mean`
    /// with a quarter.
    InterquartileMean,
    /// By how much scores fall short of `target` on average, where more than the target counts as
    /// the target: smaller is better.
    OptimalityGap {
        /// The score that is good enough, in the scores' own unit.
        target: f64,
    },
}

impl Aggregate {
    /// The aggregate of `scores`.
    pub fn of(&self, scores: &Scores) -> f64 {
        match self {
            Aggregate::Mean => scores.values().iter().sum::<f64>() / scores.values().len() as f64,
            Aggregate::OptimalityGap { target } => {
                let reached: f64 = scores.values().iter().map(|x| x.min(*target)).sum();
                target - reached / scores.values().len() as f64
            }
            Aggregate::Median | Aggregate::InterquartileMean => self.of_scratch(&mut scores.clone()),
        }
    }

    /// The same without allocating; the scores are left in another order.
    pub(super) fn of_scratch(&self, scores: &mut Scores) -> f64 {
        match self {
            Aggregate::Median => {
                let tasks = scores.tasks();
                let runs = scores.runs();
                let values = scores.values_mut();
                for m in 0..tasks {
                    // Task m's runs start at m · runs ≥ m: its mean overwrites nothing still needed.
                    values[m] = values[m * runs..(m + 1) * runs].iter().sum::<f64>() / runs as f64;
                }
                median(&mut values[..tasks])
            }
            Aggregate::InterquartileMean => interquartile_mean(scores.values_mut()),
            Aggregate::Mean | Aggregate::OptimalityGap { .. } => self.of(scores),
        }
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Aggregate::Mean => write!(f, "mean"),
            Aggregate::Median => write!(f, "median"),
            Aggregate::InterquartileMean => write!(f, "IQM"),
            Aggregate::OptimalityGap { target } => write!(f, "optimality gap to {target}"),
        }
    }
}

/// The values are sorted as a whole, so that the sum has one order whatever order they come in.
fn interquartile_mean(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let cut = values.len() / 4;
    let middle = &values[cut..values.len() - cut];
    middle.iter().sum::<f64>() / middle.len() as f64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scores(tasks: &[&[f64]]) -> Scores {
        Scores::from_tasks(tasks).unwrap()
    }

    #[test]
    fn the_interquartile_mean_drops_a_quarter_rounded_down_at_each_end() {
        let iqm = |runs: &[f64]| Aggregate::InterquartileMean.of(&scores(&[runs]));
        assert_eq!(iqm(&[7.0]), 7.0);
        assert_eq!(iqm(&[100.0, 1.0, 3.0]), 104.0 / 3.0);
        assert_eq!(iqm(&[100.0, 1.0, 3.0, -50.0]), 2.0);
        assert_eq!(iqm(&[8.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 4.0);
    }

    #[test]
    fn runs_and_tasks_are_pooled_for_the_interquartile_mean() {
        let value = Aggregate::InterquartileMean.of(&scores(&[&[0.0, 10.0], &[2.0, 4.0]]));
        assert_eq!(value, 3.0);
    }

    #[test]
    fn the_median_is_over_the_tasks_means() {
        let median = |tasks: &[&[f64]]| Aggregate::Median.of(&scores(tasks));
        assert_eq!(median(&[&[0.0, 2.0], &[10.0, 30.0], &[3.0, 5.0]]), 4.0);
        assert_eq!(median(&[&[0.0, 2.0], &[10.0, 30.0]]), 10.5);
    }

    #[test]
    fn scores_beyond_the_target_do_not_make_up_for_a_gap_elsewhere() {
        let gap = Aggregate::OptimalityGap { target: 1.0 };
        assert_eq!(gap.of(&scores(&[&[0.5, 20.0], &[1.0, 0.5]])), 0.25);
    }

    proptest! {
        #[test]
        fn aggregates_lie_between_the_extremes_and_ignore_the_order_of_runs(
            mut runs in proptest::collection::vec(-1e3..1e3f64, 1..40),
        ) {
            let before = scores(&[&runs]);
            runs.reverse();
            let after = scores(&[&runs]);
            let low = runs.iter().copied().fold(f64::INFINITY, f64::min);
            let high = runs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            for aggregate in [Aggregate::Mean, Aggregate::Median, Aggregate::InterquartileMean] {
                let value = aggregate.of(&before);
                prop_assert!(low - 1e-9 <= value && value <= high + 1e-9);
                prop_assert!((value - aggregate.of(&after)).abs() < 1e-9);
                prop_assert!((value - aggregate.of_scratch(&mut before.clone())).abs() < 1e-12);
            }
        }
    }
}
