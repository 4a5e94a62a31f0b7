//! Learning curves of several runs.

use super::{Aggregate, Bootstrap, Estimate, Scores, StatisticsError, scores::width};

/// Scores of several runs, on one task or more, at common evaluation points.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    steps: Vec<u64>,
    /// The scores at each point.
    points: Vec<Scores>,
}

impl Curves {
    /// Curves of several runs on one task: one row per run, with one score per point in it. `steps`
    /// are the points in environment steps, increasing.
    pub fn single_task<R: AsRef<[f64]>>(steps: &[u64], runs: &[R]) -> Result<Self, StatisticsError> {
        let length = width("run", "evaluation points", runs)?;
        if length != steps.len() {
            let (first, second) = (length, steps.len());
            return Err(StatisticsError::Mismatch { what: "evaluation points", first, second });
        }
        let point =
            |i: usize| Scores::single_task(&runs.iter().map(|run| run.as_ref()[i]).collect::<Vec<_>>());
        Self::from_points(steps, (0..length).map(point).collect::<Result<_, _>>()?)
    }

    /// Curves from the scores (runs × tasks) at each point. Errors when there are no points, they
    /// do not increase, or the scores differ in shape.
    pub fn from_points(steps: &[u64], points: Vec<Scores>) -> Result<Self, StatisticsError> {
        let Some(first) = points.first() else {
            return Err(StatisticsError::Empty { what: "evaluation points" });
        };
        if points.len() != steps.len() {
            let (first, second) = (points.len(), steps.len());
            return Err(StatisticsError::Mismatch { what: "evaluation points", first, second });
        }
        if let Some(pair) = steps.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(StatisticsError::Unordered { previous: pair[0], next: pair[1] });
        }
        points.iter().try_for_each(|point| first.same_shape(point))?;
        Ok(Curves { steps: steps.to_vec(), points })
    }

    /// The evaluation points, in environment steps.
    pub fn steps(&self) -> &[u64] {
        &self.steps
    }

    /// The scores at each evaluation point.
    pub fn points(&self) -> &[Scores] {
        &self.points
    }

    /// The scores at the last evaluation point.
    pub fn last(&self) -> &Scores {
        &self.points[self.points.len() - 1]
    }

    /// The aggregate at each evaluation point with a pointwise interval. The same runs are drawn at
    /// every point, so the band is as smooth as the curves. 2,000 resamples are enough for a
    /// figure.
    pub fn aggregate(&self, aggregate: Aggregate, bootstrap: &Bootstrap) -> Vec<Estimate> {
        self.points.iter().map(|scores| bootstrap.estimate(scores, aggregate)).collect()
    }

    /// Each run's area under its curve (trapezoidal rule) divided by the curve's length in steps:
    /// the average score over training, in the score's unit. A single point is its own average.
    pub fn area(&self) -> Scores {
        let mut area = self.points[0].clone();
        let length = (self.steps[self.steps.len() - 1] - self.steps[0]) as f64;
        if self.points.len() > 1 {
            area.values_mut().fill(0.0);
        }
        for (steps, points) in self.steps.windows(2).zip(self.points.windows(2)) {
            let weight = (steps[1] - steps[0]) as f64 / length / 2.0;
            let ends = points[0].values().iter().zip(points[1].values());
            for (area, (start, end)) in area.values_mut().iter_mut().zip(ends) {
                *area += weight * (start + end);
            }
        }
        area
    }

    /// The steps after which each run first scores at least `threshold`, linearly interpolated
    /// between evaluation points; a run that never does gets `never`, for example the budget.
    pub fn steps_to(&self, threshold: f64, never: f64) -> Scores {
        let mut reached = self.points[0].clone();
        for (run, reached) in reached.values_mut().iter_mut().enumerate() {
            let score = |i: usize| self.points[i].values()[run];
            *reached = match (0..self.points.len()).find(|&i| score(i) >= threshold) {
                None => never,
                Some(0) => self.steps[0] as f64,
                Some(i) => {
                    let (before, after) = (self.steps[i - 1] as f64, self.steps[i] as f64);
                    let fraction = (threshold - score(i - 1)) / (score(i) - score(i - 1));
                    before + fraction * (after - before)
                }
            };
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use assay_environments::random::Seed;

    use super::*;

    fn example() -> Curves {
        Curves::single_task(&[0, 10, 40], &[[0.0, 2.0, 4.0], [1.0, 1.0, 1.0]]).unwrap()
    }

    #[test]
    fn the_area_is_the_average_over_steps() {
        // First run: 10 steps at 1 and 30 steps at 3 on average.
        assert_eq!(example().area(), Scores::single_task(&[2.5, 1.0]).unwrap());
        let point = Curves::single_task(&[5], &[[3.0], [4.0]]).unwrap();
        assert_eq!(point.area(), *point.last());
    }

    #[test]
    fn steps_to_a_threshold_are_interpolated() {
        assert_eq!(example().steps_to(3.0, 99.0), Scores::single_task(&[25.0, 99.0]).unwrap());
        assert_eq!(example().steps_to(1.0, 99.0), Scores::single_task(&[5.0, 0.0]).unwrap());
    }

    #[test]
    fn each_point_is_aggregated_over_runs() {
        let bootstrap = Bootstrap::new(100, 0.95, Seed::new(0)).unwrap();
        let band = example().aggregate(Aggregate::InterquartileMean, &bootstrap);
        assert_eq!(band.iter().map(|point| point.value).collect::<Vec<_>>(), [0.5, 1.5, 2.5]);
        assert_eq!((band[2].low, band[2].high), (1.0, 4.0));
    }

    #[test]
    fn points_that_do_not_fit_are_an_error() {
        let message =
            |steps: &[u64], runs: &[&[f64]]| Curves::single_task(steps, runs).unwrap_err().to_string();
        assert_eq!(message(&[1, 1], &[&[0.0, 0.0]]), "evaluation points must increase; 1 follows 1");
        assert_eq!(message(&[1], &[&[0.0, 0.0]]), "2 evaluation points cannot be compared with 1");
        assert_eq!(message(&[], &[&[]]), "there are no evaluation points");
        let ragged: [&[f64]; 2] = [&[0.0, 0.0], &[0.0]];
        assert_eq!(message(&[1, 2], &ragged), "run 1 has 1 evaluation points; the first has 2");
    }
}
