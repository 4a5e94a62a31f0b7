//! How fast something falls or grows: the slope of a curve on log-log axes.

use assay_environments::{parameters::require, random::Seed};
use ndarray::{Array1, ArrayRef2, Axis};
use rand::Rng;
use statrs::statistics::{Data, OrderStatistics};

use crate::Error;

/// y ≈ exp(intercept) · x^slope, fitted to means over runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The exponent.
    pub slope: f64,
    /// The logarithm of the factor.
    pub intercept: f64,
    /// Lower end of the exponent's bootstrap interval.
    pub low: f64,
    /// Upper end of the exponent's bootstrap interval.
    pub high: f64,
}

/// Fits a rate to curves of several runs by least squares of log(mean over runs) on log x.
///
/// `x` (points) is positive, for example iteration counts; `curves` (runs × points) holds each
/// run's values, whose means must be positive. The interval of the given `level` (0.95, say) comes
/// from resampling whole runs `resamples` times with replacement (percentile bootstrap); a resample
/// is drawn again when one of its means is not positive. Randomness comes from `seed` alone.
///
/// Errors when there are fewer than two different points or than two runs, a number is not finite
/// or a mean not positive, or `level` or `resamples` is out of range.
pub fn fit(
    x: &[f64],
    curves: &ArrayRef2<f64>,
    resamples: usize,
    level: f64,
    seed: Seed,
) -> Result<Rate, Error> {
    require("level", level, level > 0.0 && level < 1.0, "between 0 and 1")?;
    require("resamples", resamples, resamples > 0, "at least 1")?;
    let (runs, points) = curves.dim();
    let no_rate = |reason: String| Err(Error::NoRate { reason });
    if points != x.len() {
        return no_rate(format!("{} x values for curves of {points} points", x.len()));
    }
    if runs < 2 {
        return no_rate(format!("{runs} run; an interval needs at least 2"));
    }
    if let Some(x) = x.iter().find(|x| !x.is_finite() || **x <= 0.0) {
        return no_rate(format!("x holds {x}, which has no logarithm"));
    }
    if let Some(((run, point), y)) = curves.indexed_iter().find(|(_, y)| !y.is_finite()) {
        return no_rate(format!("run {run} holds {y} at point {point}"));
    }
    let log_x: Vec<f64> = x.iter().map(|x| x.ln()).collect();
    if !log_x.iter().any(|x| *x != log_x[0]) {
        return no_rate("it takes two different values of x".into());
    }
    let mean = curves.mean_axis(Axis(0)).unwrap_or_default();
    if let Some(point) = mean.iter().position(|y| *y <= 0.0) {
        return no_rate(format!("the mean at x = {} is {}, which has no logarithm", x[point], mean[point]));
    }
    let (slope, intercept) = line(&log_x, &mean);

    let mut rng = seed.stream("rate");
    let mut slopes = Vec::with_capacity(resamples);
    let mut attempts = 0;
    while slopes.len() < resamples {
        attempts += 1;
        if attempts > 100 * resamples {
            return no_rate("most resamples of the runs have a mean that is not positive".into());
        }
        let mut sum = Array1::<f64>::zeros(points);
        for _ in 0..runs {
            sum += &curves.row(rng.random_range(0..runs));
        }
        if sum.iter().all(|y| *y > 0.0) {
            slopes.push(line(&log_x, &(sum / runs as f64)).0);
        }
    }
    let mut slopes = Data::new(slopes);
    let tail = (1.0 - level) / 2.0;
    Ok(Rate { slope, intercept, low: slopes.quantile(tail), high: slopes.quantile(1.0 - tail) })
}

/// Slope and intercept of log y on log x by least squares.
fn line(log_x: &[f64], y: &Array1<f64>) -> (f64, f64) {
    let n = log_x.len() as f64;
    let mean_x = log_x.iter().sum::<f64>() / n;
    let mean_y = y.iter().map(|y| y.ln()).sum::<f64>() / n;
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (x, y) in log_x.iter().zip(y) {
        covariance += (x - mean_x) * (y.ln() - mean_y);
        variance += (x - mean_x) * (x - mean_x);
    }
    let slope = covariance / variance;
    (slope, mean_y - slope * mean_x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use rand_distr::{Distribution, LogNormal};

    const X: [f64; 5] = [10.0, 30.0, 100.0, 300.0, 1000.0];

    #[test]
    fn a_power_law_gives_its_own_exponent() {
        let curves = Array2::from_shape_fn((3, 5), |(_, i)| 7.0 * X[i].powf(-0.5));
        let rate = fit(&X, &curves, 50, 0.95, Seed::new(0)).unwrap();
        for slope in [rate.slope, rate.low, rate.high] {
            assert!((slope + 0.5).abs() < 1e-12);
        }
        assert!((rate.intercept - 7f64.ln()).abs() < 1e-12);
    }

    /// With 20 runs the percentile interval covers a little less than its level; 200 repetitions
    /// leave a standard deviation of about 2 %.
    #[test]
    fn the_interval_covers_the_true_exponent_about_as_often_as_it_says() {
        let noise = LogNormal::new(0.0, 0.5).unwrap();
        let mut covered = 0;
        for repetition in 0..200 {
            let mut rng = Seed::new(repetition).stream("noise");
            let curves = Array2::from_shape_fn((20, 5), |(_, i)| noise.sample(&mut rng) / X[i]);
            let rate = fit(&X, &curves, 200, 0.9, Seed::new(repetition)).unwrap();
            assert!(rate.low <= rate.slope && rate.slope <= rate.high);
            covered += usize::from(rate.low <= -1.0 && -1.0 <= rate.high);
        }
        assert!((160..=192).contains(&covered), "{covered} of 200");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let mut rng = Seed::new(0).stream("noise");
        let curves = Array2::from_shape_fn((10, 5), |(_, i)| rng.random_range(0.5..1.5) / X[i]);
        let fit = |seed| fit(&X, &curves, 100, 0.95, Seed::new(seed)).unwrap();
        assert_eq!(fit(1), fit(1));
        assert_ne!(fit(1), fit(2));
    }

    #[test]
    fn numbers_without_a_rate_are_errors() {
        let good = Array2::from_elem((2, 5), 1.0);
        let message = |x: &[f64], curves: &Array2<f64>, level| {
            fit(x, curves, 10, level, Seed::new(0)).unwrap_err().to_string()
        };
        assert!(message(&X[..4], &good, 0.9).contains("4 x values for curves of 5 points"));
        assert!(message(&X, &Array2::ones((1, 5)), 0.9).contains("at least 2"));
        assert!(message(&[0.0, 1.0, 2.0, 3.0, 4.0], &good, 0.9).contains("x holds 0"));
        assert!(message(&[2.0; 5], &good, 0.9).contains("two different"));
        assert!(message(&[], &Array2::ones((2, 0)), 0.9).contains("two different"));
        assert!(message(&X, &Array2::from_elem((2, 5), f64::NAN), 0.9).contains("run 0 holds NaN"));
        assert!(message(&X, &Array2::zeros((2, 5)), 0.9).contains("mean at x = 10 is 0"));
        assert!(message(&X, &good, 1.0).contains("`level` is 1"));
    }
}
