//! Mean and variance of numbers as they come.

use serde::{Deserialize, Serialize};

/// Added to a variance before its root is divided by, so that a constant feature divides by
/// something.
const EPSILON: f64 = 1e-8;

/// The mean and the variance of each feature of all rows seen so far, in double precision.
///
/// Rows are added by Welford's (1962) recurrence; two sets are joined by the formula of Chan, Golub
/// and LeVeque (1979). Neither subtracts large sums of squares, so a mean far from zero costs no
/// accuracy. The value is the complete state and is saved with a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunningStatistics {
    count: u64,
    mean: Vec<f64>,
    /// Sum of squared differences from the mean.
    squares: Vec<f64>,
}

impl RunningStatistics {
    /// Statistics of rows of `width` features, none seen yet.
    pub fn new(width: usize) -> Self {
        RunningStatistics { count: 0, mean: vec![0.0; width], squares: vec![0.0; width] }
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        self.mean.len()
    }

    /// Number of rows seen.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean of each feature; 0 before the first row.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The population variance of a feature (divided by the number of rows); 1 before the second
    /// row, so that normalising changes nothing until there is something to go by.
    pub fn variance(&self, feature: usize) -> f64 {
        if self.count < 2 { 1.0 } else { self.squares[feature] / self.count as f64 }
    }

    /// Adds rows of f32 numbers, stored one after the other (rows × [`width`](Self::width)).
    pub fn update(&mut self, rows: &[f32]) {
        debug_assert_eq!(rows.len() % self.width(), 0, "not a whole number of rows");
        for row in rows.chunks_exact(self.width()) {
            self.count += 1;
            let weight = 1.0 / self.count as f64;
            for ((x, mean), squares) in row.iter().zip(&mut self.mean).zip(&mut self.squares) {
                let x = f64::from(*x);
                let difference = x - *mean;
                *mean += difference * weight;
                *squares += difference * (x - *mean);
            }
        }
    }

    /// Adds everything that `other`, of the same width, has seen.
    pub fn merge(&mut self, other: &RunningStatistics) {
        assert_eq!(self.width(), other.width(), "statistics of different widths");
        let (a, b) = (self.count as f64, other.count as f64);
        let total = a + b;
        if other.count == 0 {
            return;
        }
        for i in 0..self.width() {
            let difference = other.mean[i] - self.mean[i];
            self.mean[i] += difference * (b / total);
            self.squares[i] += other.squares[i] + difference * difference * (a * b / total);
        }
        self.count += other.count;
    }

    /// Shifts and scales rows to mean 0 and variance 1, in place, and clips them to ± `clip`
    /// (which may be infinite).
    pub fn normalise(&self, rows: &mut [f32], clip: f32) {
        let width = self.width();
        for feature in 0..width {
            let (mean, scale) = (self.mean[feature], self.scale(feature));
            for x in rows.iter_mut().skip(feature).step_by(width) {
                *x = (((f64::from(*x) - mean) * scale) as f32).clamp(-clip, clip);
            }
        }
    }

    /// One over the standard deviation of a feature: what normalising multiplies by.
    pub fn scale(&self, feature: usize) -> f64 {
        1.0 / (self.variance(feature) + EPSILON).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn two_pass(rows: &[f32], width: usize, feature: usize) -> (f64, f64) {
        let column = || rows.iter().skip(feature).step_by(width).map(|x| f64::from(*x));
        let n = column().count() as f64;
        let mean = column().sum::<f64>() / n;
        (mean, column().map(|x| (x - mean).powi(2)).sum::<f64>() / n)
    }

    proptest! {
        #[test]
        fn mean_and_variance_equal_the_two_pass_formulas(
            rows in proptest::collection::vec(-1e3f32..1e3, 3 * 2..3 * 60), offset in -1e5f32..1e5,
        ) {
            let rows: Vec<f32> = rows[..rows.len() / 3 * 3].iter().map(|x| x + offset).collect();
            let mut statistics = RunningStatistics::new(3);
            statistics.update(&rows);
            for feature in 0..3 {
                let (mean, variance) = two_pass(&rows, 3, feature);
                prop_assert!((statistics.mean()[feature] - mean).abs() <= 1e-12 * mean.abs().max(1.0));
                prop_assert!((statistics.variance(feature) - variance).abs() <= 1e-9 * variance.max(1.0));
            }
        }

        #[test]
        fn merged_parts_equal_the_whole(
            rows in proptest::collection::vec(-1e3f32..1e3, 80), cut in 0usize..=40,
        ) {
            let (mut whole, mut left, mut right) =
                (RunningStatistics::new(2), RunningStatistics::new(2), RunningStatistics::new(2));
            whole.update(&rows);
            left.update(&rows[..2 * cut]);
            right.update(&rows[2 * cut..]);
            left.merge(&right);
            prop_assert_eq!(left.count(), whole.count());
            for feature in 0..2 {
                prop_assert!((left.mean()[feature] - whole.mean()[feature]).abs() < 1e-9);
                let (a, b) = (left.variance(feature), whole.variance(feature));
                prop_assert!((a - b).abs() <= 1e-9 * b.max(1.0));
            }
        }
    }

    #[test]
    fn normalised_rows_have_mean_zero_and_variance_one() {
        let mut rows: Vec<f32> = (0..400).map(|i| (i % 17) as f32 * 3.0 + (i % 2) as f32 * 1e4).collect();
        let mut statistics = RunningStatistics::new(2);
        statistics.update(&rows);
        statistics.normalise(&mut rows, f32::INFINITY);
        for feature in 0..2 {
            let (mean, variance) = two_pass(&rows, 2, feature);
            assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-6, "{mean} {variance}");
        }
        statistics.normalise(&mut rows, 0.5);
        assert!(rows.iter().all(|x| x.abs() <= 0.5));
    }

    #[test]
    fn before_there_is_a_spread_nothing_is_scaled() {
        let mut statistics = RunningStatistics::new(1);
        statistics.update(&[5.0]);
        let mut row = [7.0];
        statistics.normalise(&mut row, f32::INFINITY);
        assert!((row[0] - 2.0).abs() < 1e-6);
        statistics.update(&[5.0, 5.0]);
        let mut row = [5.0];
        statistics.normalise(&mut row, f32::INFINITY);
        assert_eq!(row, [0.0]);
    }
}
