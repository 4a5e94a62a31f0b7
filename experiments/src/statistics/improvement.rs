//! How likely one algorithm's run beats another's.

use super::{Bootstrap, Estimate, Scores, StatisticsError, bootstrap::Resampling};

/// The probability that a run of `x` scores higher than a run of `y` on the same task, averaged
/// over tasks; ties count one half. It is the Mann-Whitney U statistic divided by the number of
/// pairs (Agarwal et al. 2021, arXiv 2108.13264, section 4.3). It says how often, not by how much.
///
/// The numbers of runs may differ; errors when the numbers of tasks do.
pub fn probability_of_improvement(x: &Scores, y: &Scores) -> Result<f64, StatisticsError> {
    x.same_tasks(y)?;
    Ok(probability(x, y))
}

/// The same with its interval: runs of `x` and of `y` are resampled independently within tasks.
pub fn probability_of_improvement_interval(
    x: &Scores,
    y: &Scores,
    bootstrap: &Bootstrap,
) -> Result<Estimate, StatisticsError> {
    x.same_tasks(y)?;
    Ok(bootstrap.scalar([x, y], Resampling::Independent, |[x, y]| probability(x, y)))
}

fn probability(x: &Scores, y: &Scores) -> f64 {
    // Counted in halves, so that everything is a whole number until the end.
    let task_halves = |(x, y): (&[f64], &[f64])| -> u64 {
        let against = |a: &f64| y.iter().map(|b| 2 * u64::from(a > b) + u64::from(a == b)).sum::<u64>();
        x.iter().map(against).sum()
    };
    let halves: u64 = x.iter_tasks().zip(y.iter_tasks()).map(task_halves).sum();
    halves as f64 / (2 * x.runs() * y.runs() * x.tasks()) as f64
}

#[cfg(test)]
mod tests {
    use assay_environments::random::Seed;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wins_count_one_and_ties_one_half() {
        let x = Scores::from_tasks(&[[1.0, 2.0], [0.0, 0.0]]).unwrap();
        let y = Scores::from_tasks(&[[1.0, 0.0, 3.0], [1.0, 1.0, 1.0]]).unwrap();
        // First task: (½ + 1 + 0) + (1 + 1 + 0) of 6 pairs; second: none of 6.
        assert_eq!(probability_of_improvement(&x, &y).unwrap(), 3.5 / 12.0);
    }

    #[test]
    fn different_tasks_cannot_be_compared() {
        let x = Scores::from_tasks(&[[1.0], [2.0]]).unwrap();
        let y = Scores::single_task(&[1.0]).unwrap();
        let error = probability_of_improvement(&x, &y).unwrap_err();
        assert_eq!(error.to_string(), "2 tasks cannot be compared with 1");
    }

    proptest! {
        #[test]
        fn the_two_directions_sum_to_one(
            x in proptest::collection::vec(0..5i32, 1..12), y in proptest::collection::vec(0..5i32, 1..12),
        ) {
            let scores = |runs: &[i32]| {
                Scores::single_task(&runs.iter().map(|x| f64::from(*x)).collect::<Vec<_>>()).unwrap()
            };
            let (x, y) = (scores(&x), scores(&y));
            prop_assert!((probability(&x, &y) + probability(&y, &x) - 1.0).abs() < 1e-15);
            prop_assert_eq!(probability(&x, &x), 0.5);
            let bootstrap = Bootstrap::new(200, 0.9, Seed::new(0)).unwrap();
            let interval = probability_of_improvement_interval(&x, &y, &bootstrap).unwrap();
            prop_assert!(0.0 <= interval.low && interval.low <= interval.high && interval.high <= 1.0);
        }
    }
}
