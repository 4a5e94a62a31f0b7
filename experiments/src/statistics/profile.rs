//! Performance profiles: the whole distribution of scores instead of one number.

use super::{Bootstrap, Estimate, Scores, bootstrap::Resampling};

/// For each threshold, the fraction of all runs on all tasks that score above it, with a pointwise
/// interval (Agarwal et al. 2021, arXiv 2108.13264, section 4.2, run-score distributions).
///
/// A curve above another everywhere means better at every level of performance; the threshold
/// where a curve crosses ½ is the median score, and the area under it from 0 on is the mean of
/// non-negative scores. Memory grows with resamples × thresholds: 2,000 resamples are enough for a
/// figure.
pub fn performance_profile(scores: &Scores, thresholds: &[f64], bootstrap: &Bootstrap) -> Vec<Estimate> {
    bootstrap.vector([scores], Resampling::Independent, thresholds.len(), |[scores], fractions| {
        let values = scores.values_mut();
        values.sort_unstable_by(f64::total_cmp);
        for (fraction, threshold) in fractions.iter_mut().zip(thresholds) {
            let above = values.len() - values.partition_point(|x| x <= threshold);
            *fraction = above as f64 / values.len() as f64;
        }
    })
}

#[cfg(test)]
mod tests {
    use assay_environments::random::Seed;

    use super::*;

    #[test]
    fn a_profile_is_the_fraction_of_runs_strictly_above_each_threshold() {
        let scores = Scores::from_tasks(&[[0.0, 0.5], [0.5, 1.0]]).unwrap();
        let bootstrap = Bootstrap::new(500, 0.95, Seed::new(0)).unwrap();
        let profile = performance_profile(&scores, &[-1.0, 0.0, 0.5, 1.0], &bootstrap);
        let values: Vec<f64> = profile.iter().map(|point| point.value).collect();
        assert_eq!(values, [1.0, 0.75, 0.25, 0.0]);
        assert!(profile.windows(2).all(|pair| pair[0].low >= pair[1].low && pair[0].high >= pair[1].high));
        assert_eq!(profile[1], Estimate { value: 0.75, low: 0.5, high: 1.0 });
    }

    #[test]
    fn without_thresholds_a_profile_has_no_points() {
        let scores = Scores::single_task(&[1.0, 2.0]).unwrap();
        assert_eq!(performance_profile(&scores, &[], &Bootstrap::default()), []);
    }
}
