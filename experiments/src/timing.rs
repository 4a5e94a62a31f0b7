//! How long a run takes: `timing.csv`.
//!
//! Times differ from run to run and are kept apart from everything that must not. A row is written
//! after each evaluation. Seconds are of the wall clock and go on where a resumed run was; runs
//! that are computed at the same time share the machine, so these are not benchmarks.

use std::{fs, path::PathBuf, time::Duration};

use crate::{
    Error,
    records::files::{Appender, number},
};

/// Seconds spent so far, and the file they are written to.
pub(crate) struct Timing {
    file: Appender,
    training: f64,
    evaluation: f64,
    /// Steps and training seconds when this process began.
    start: (u64, f64),
}

const HEADER: &str = "steps,training_seconds,evaluation_seconds\n";

impl Timing {
    /// Opens the file and forgets what it says about steps after `steps`.
    pub(crate) fn open(path: PathBuf, steps: u64) -> Result<Self, Error> {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut kept = 0;
        let (mut training, mut evaluation) = (0.0, 0.0);
        if let Some(rows) = text.strip_prefix(HEADER) {
            kept = HEADER.len();
            for row in rows.split_inclusive('\n') {
                let Some(row_steps) = parse(row).filter(|row| row.0 <= steps) else { break };
                (_, training, evaluation) = row_steps;
                kept += row.len();
            }
        }
        let mut file = Appender::open(path, kept as u64)?;
        if kept == 0 {
            file.append(HEADER.as_bytes())?;
        }
        Ok(Timing { file, training, evaluation, start: (steps, training) })
    }

    /// Counts time spent in training.
    pub(crate) fn trained(&mut self, time: Duration) {
        self.training += time.as_secs_f64();
    }

    /// Counts time spent in an evaluation and writes a row.
    pub(crate) fn evaluated(&mut self, time: Duration, steps: u64) -> Result<(), Error> {
        self.evaluation += time.as_secs_f64();
        self.file.append_row([steps.to_string(), number(self.training), number(self.evaluation)])
    }

    /// Training steps per second of training since this process began; NaN at its beginning.
    pub(crate) fn steps_per_second(&self, steps: u64) -> f64 {
        let seconds = self.training - self.start.1;
        if seconds > 0.0 { (steps - self.start.0) as f64 / seconds } else { f64::NAN }
    }
}

/// A complete row: steps, training and evaluation seconds.
fn parse(row: &str) -> Option<(u64, f64, f64)> {
    let mut fields = row.strip_suffix('\n')?.split(',');
    let parsed = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    fields.next().is_none().then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_from_the_checkpoint_and_forgets_what_came_after() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("timing.csv");
        let mut timing = Timing::open(path.clone(), 0).unwrap();
        timing.trained(Duration::from_secs(2));
        timing.evaluated(Duration::from_secs(1), 100).unwrap();
        timing.trained(Duration::from_secs(2));
        timing.evaluated(Duration::from_secs(1), 200).unwrap();
        drop(timing);
        let mut timing = Timing::open(path.clone(), 150).unwrap();
        timing.trained(Duration::from_secs(5));
        assert_eq!(timing.steps_per_second(200), 10.0);
        timing.evaluated(Duration::ZERO, 200).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{HEADER}100,2,1\n200,7,1\n"));
    }

    #[test]
    fn a_torn_or_foreign_file_is_begun_anew_from_what_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("timing.csv");
        fs::write(&path, format!("{HEADER}100,2,1\n200,7")).unwrap();
        Timing::open(path.clone(), 500).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{HEADER}100,2,1\n"));
        fs::write(&path, "something else\n").unwrap();
        Timing::open(path.clone(), 500).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), HEADER);
    }
}
