//! What two algorithms are compared by.

use serde::{Deserialize, Serialize};

use super::Task;
use crate::statistics::{Curves, Scores, StatisticsError};

/// One number per run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Metric {
    /// The return of the last evaluation: the last checkpoint, not the best.
    #[default]
    FinalReturn,
    /// The average return over all evaluations, weighted by the steps between them.
    AreaUnderCurve,
    /// The mean return of the last evaluation at the worst point of its grid of physical parameters.
    WorstReturn,
    /// Environment steps until an evaluation's return first reaches a level; a run that never does
    /// counts with its whole budget. Smaller is better.
    StepsTo {
        /// The level on the scale of the task's reference: 0 is its lower end, 1 its upper.
        level: f64,
    },
    /// A metric that the algorithm reports, averaged over the last row of each run's records.
    Named {
        /// Its name in the records.
        name: String,
        /// Whether more of it is better.
        larger_is_better: bool,
    },
}

impl Metric {
    /// Whether more of it is better.
    pub fn larger_is_better(&self) -> bool {
        match self {
            Metric::FinalReturn | Metric::AreaUnderCurve | Metric::WorstReturn => true,
            Metric::StepsTo { .. } => false,
            Metric::Named { larger_is_better, .. } => *larger_is_better,
        }
    }

    /// The metric of every run, from the returns of its evaluations. `None` for a named metric
    /// and the worst return, which their means do not hold.
    pub fn of_evaluations(&self, returns: &Curves, task: &Task) -> Option<Scores> {
        match self {
            Metric::FinalReturn => Some(returns.last().clone()),
            Metric::AreaUnderCurve => Some(returns.area()),
            Metric::StepsTo { level } => {
                let threshold = task.reference.low + level * task.reference.range();
                Some(returns.steps_to(threshold, task.budget as f64))
            }
            Metric::Named { .. } | Metric::WorstReturn => None,
        }
    }

    /// Scores of several tasks on one scale: over the reference ranges, or over the budgets where
    /// the metric is a number of steps.
    pub(super) fn normalised(&self, scores: &Scores, tasks: &[Task]) -> Result<Scores, StatisticsError> {
        let reference = |task: &Task| match self {
            Metric::StepsTo { .. } => crate::statistics::Reference { low: 0.0, high: task.budget as f64 },
            _ => task.reference,
        };
        scores.normalised(&tasks.iter().map(reference).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use toml::Table;

    use super::*;
    use crate::statistics::Reference;

    fn task() -> Task {
        let reference = Reference { low: -10.0, high: 10.0 };
        Task {
            environment: Table::new(),
            budget: 400,
            reference,
            published: None,
            target: None,
            parameters: Table::new(),
        }
    }

    #[test]
    fn metrics_are_read_from_the_evaluations() {
        let returns =
            Curves::single_task(&[100, 200, 400], &[[-10.0, 10.0, 0.0], [-10.0, -10.0, -10.0]]).unwrap();
        let score = |metric: Metric| metric.of_evaluations(&returns, &task()).unwrap();
        let scores = |runs: [f64; 2]| Scores::single_task(&runs).unwrap();
        assert_eq!(score(Metric::FinalReturn), scores([0.0, -10.0]));
        let area = score(Metric::AreaUnderCurve);
        assert!((area.values()[0] - 10.0 / 3.0).abs() < 1e-12 && area.values()[1] == -10.0, "{area:?}");
        let steps = Metric::StepsTo { level: 0.5 };
        assert_eq!(score(steps.clone()), scores([150.0, 400.0]));
        assert_eq!(steps.normalised(&score(steps.clone()), &[task()]).unwrap(), scores([0.375, 1.0]));
    }

    #[test]
    fn a_named_metric_is_not_in_the_evaluations() {
        let returns = Curves::single_task(&[1], &[[0.0]]).unwrap();
        let metric = Metric::Named { name: "kl".into(), larger_is_better: false };
        assert_eq!(metric.of_evaluations(&returns, &task()), None);
        assert!(!metric.larger_is_better());
    }
}
