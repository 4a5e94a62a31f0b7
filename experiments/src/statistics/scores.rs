//! Scores of several runs on several tasks.

use super::StatisticsError;

/// Finite scores, one per run and task; at least one of each. Every task has the same number of
/// runs.
///
/// A task is one column of the usual table: an environment, or one environment with one setting.
/// Run `i` of task `m` has nothing to do with run `i` of another task, except in
/// [`paired_difference`](super::paired_difference), where run `i` stands for the same seed in both
/// sets of scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Task by task, so that a task's runs are one slice.
    values: Vec<f64>,
    runs: usize,
}

impl Scores {
    /// Scores from one row per run, with one score per task in it.
    pub fn from_runs<R: AsRef<[f64]>>(rows: &[R]) -> Result<Self, StatisticsError> {
        let tasks = width("run", "tasks", rows)?;
        let column = |task: usize| rows.iter().map(move |row| row.as_ref()[task]);
        Self::checked((0..tasks).flat_map(column).collect(), rows.len())
    }

    /// Scores from one row per task, with one score per run in it.
    pub fn from_tasks<R: AsRef<[f64]>>(rows: &[R]) -> Result<Self, StatisticsError> {
        let runs = width("task", "runs", rows)?;
        Self::checked(rows.iter().flat_map(|row| row.as_ref()).copied().collect(), runs)
    }

    /// Scores of several runs on one task.
    pub fn single_task(runs: &[f64]) -> Result<Self, StatisticsError> {
        Self::from_tasks(&[runs])
    }

    fn checked(values: Vec<f64>, runs: usize) -> Result<Self, StatisticsError> {
        match values.iter().position(|x| !x.is_finite()) {
            Some(i) => Err(StatisticsError::NonFinite { run: i % runs, task: i / runs, value: values[i] }),
            None => Ok(Scores { values, runs }),
        }
    }

    /// The number of runs on each task.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// The number of tasks.
    pub fn tasks(&self) -> usize {
        self.values.len() / self.runs
    }

    /// The scores of all runs on task `m`. Panics when `m` is not below [`tasks`](Self::tasks).
    pub fn task(&self, m: usize) -> &[f64] {
        &self.values[m * self.runs..(m + 1) * self.runs]
    }

    /// The scores of every task in turn.
    pub fn iter_tasks(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.runs)
    }

    /// All scores, task by task.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The same for the bootstrap, which reorders and overwrites copies of its own.
    pub(super) fn values_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }

    /// The first `runs` runs of every task; `None` when there are fewer, or `runs` is zero.
    pub fn first_runs(&self, runs: usize) -> Option<Self> {
        let valid = (1..=self.runs).contains(&runs);
        valid.then(|| Scores {
            values: self.iter_tasks().flat_map(|task| &task[..runs]).copied().collect(),
            runs,
        })
    }

    /// The scores with the opposite sign, for metrics of which less is better.
    pub fn negated(&self) -> Self {
        Scores { values: self.values.iter().map(|x| -x).collect(), runs: self.runs }
    }

    /// Every score through `f`, which gets the task's index and the score.
    pub(super) fn map(&self, f: impl Fn(usize, f64) -> f64) -> Result<Self, StatisticsError> {
        let values = self.values.iter().enumerate().map(|(i, x)| f(i / self.runs, *x)).collect();
        Self::checked(values, self.runs)
    }

    /// Errors unless `other` has as many tasks.
    pub(super) fn same_tasks(&self, other: &Scores) -> Result<(), StatisticsError> {
        same("tasks", self.tasks(), other.tasks())
    }

    /// Errors unless `other` has as many tasks and runs.
    pub(super) fn same_shape(&self, other: &Scores) -> Result<(), StatisticsError> {
        self.same_tasks(other)?;
        same("runs", self.runs, other.runs)
    }
}

fn same(what: &'static str, first: usize, second: usize) -> Result<(), StatisticsError> {
    if first == second { Ok(()) } else { Err(StatisticsError::Mismatch { what, first, second }) }
}

/// The length that all rows share, which must not be zero.
pub(super) fn width<R: AsRef<[f64]>>(
    row: &'static str,
    elements: &'static str,
    rows: &[R],
) -> Result<usize, StatisticsError> {
    let first =
        rows.first().ok_or(StatisticsError::Empty { what: if row == "run" { "runs" } else { "tasks" } })?;
    let expected = first.as_ref().len();
    if expected == 0 {
        return Err(StatisticsError::Empty { what: elements });
    }
    for (index, other) in rows.iter().enumerate() {
        let given = other.as_ref().len();
        if given != expected {
            return Err(StatisticsError::Ragged { row, index, elements, given, expected });
        }
    }
    Ok(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_runs_and_rows_of_tasks_give_the_same_scores() {
        let by_run = Scores::from_runs(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).unwrap();
        let by_task = Scores::from_tasks(&[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]).unwrap();
        assert_eq!(by_run, by_task);
        assert_eq!((by_run.runs(), by_run.tasks()), (2, 3));
        assert_eq!(by_run.task(1), [2.0, 5.0]);
    }

    #[test]
    fn empty_ragged_and_non_finite_input_is_an_error_that_says_where() {
        let none: [&[f64]; 0] = [];
        let message = |result: Result<Scores, StatisticsError>| result.unwrap_err().to_string();
        assert_eq!(message(Scores::from_runs(&none)), "there are no runs");
        assert_eq!(message(Scores::from_tasks(&none)), "there are no tasks");
        assert_eq!(message(Scores::single_task(&[])), "there are no runs");
        let ragged = vec![vec![1.0, 2.0], vec![1.0]];
        assert_eq!(message(Scores::from_runs(&ragged)), "run 1 has 1 tasks; the first has 2");
        let nan = [[1.0, 2.0], [3.0, f64::NAN]];
        assert_eq!(message(Scores::from_runs(&nan)), "the score of run 1 on task 1 is NaN");
        let infinite = [[1.0, 2.0, f64::INFINITY]];
        assert_eq!(message(Scores::from_tasks(&infinite)), "the score of run 2 on task 0 is inf");
    }

    #[test]
    fn the_first_runs_are_those_of_every_task() {
        let scores = Scores::from_tasks(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).unwrap();
        assert_eq!(scores.first_runs(2), Some(Scores::from_tasks(&[[1.0, 2.0], [4.0, 5.0]]).unwrap()));
        assert_eq!(scores.first_runs(0), None);
        assert_eq!(scores.first_runs(4), None);
    }
}
