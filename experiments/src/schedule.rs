//! Many runs at once.
//!
//! Each thread takes the next run that nobody has taken. Runs share nothing, so neither the number
//! of threads nor the order in which they come to an end changes any record.

use std::{
    fmt,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crate::{
    Error, Run,
    driver::{Conditions, Ending, drive},
    progress,
    records::{Folder, Record},
};

/// Gives every run its folder under `root` and writes its configuration there, so that whatever
/// happens later can be resumed from the folders alone. Errors before anything has started when a
/// folder cannot be written or holds another run.
pub fn prepare(runs: Vec<Run>, root: &Path) -> Result<Vec<Record>, Error> {
    runs.into_iter()
        .map(|run| {
            let folder = run.folder(root);
            Folder::open(&run, &folder)?;
            Ok(Record { folder, run })
        })
        .collect()
}

/// Drives all runs, at most `conditions.threads` at a time, and returns how each ended, in the
/// order given. An error of one run does not keep the others from going on.
pub fn drive_all(records: &[Record], conditions: &Conditions<'_>) -> Vec<Result<Ending, Error>> {
    let next = AtomicUsize::new(0);
    let endings: Vec<Mutex<Option<Result<Ending, Error>>>> =
        records.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|i| *i < records.len()) {
            let ending = drive_one(&records[index], conditions);
            *endings[index].lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(ending);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..conditions.threads.clamp(1, records.len().max(1)) {
            scope.spawn(work);
        }
    });
    let taken = |ending: Mutex<Option<Result<Ending, Error>>>| {
        let ending = ending.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        ending.expect("every run was taken by a thread")
    };
    endings.into_iter().map(taken).collect()
}

/// A panic in one run is a defect, but no reason to lose the others.
fn drive_one(record: &Record, conditions: &Conditions<'_>) -> Result<Ending, Error> {
    let Record { run, folder } = record;
    catch_unwind(AssertUnwindSafe(|| drive(run, folder, conditions))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Error::Panicked { place: run.title(), message: text.to_owned() })
    })
}

/// The override for `--seeds`: how many, or which, separated by commas.
pub(crate) fn seeds_override(seeds: &str) -> String {
    if seeds.contains(',') { format!("seeds=[{seeds}]") } else { format!("seeds={seeds}") }
}

/// Drives runs for a person: with progress on standard error, and stopped cleanly by Ctrl-C.
#[derive(Clone, Copy, Debug, Default)]
pub struct Session {
    /// Runs that are computed at the same time, and threads for what is parallel inside of them; one
    /// per processor where it is not given.
    pub threads: Option<NonZeroUsize>,
    /// Whether runs that failed before are tried again.
    pub retry_failed: bool,
}

/// How many runs ended how.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Runs that are finished, the ones that were before included.
    pub finished: usize,
    /// Runs that cannot go on, with their titles and reasons in their records.
    pub failed: usize,
    /// Runs that were stopped and can be resumed.
    pub stopped: usize,
    /// What kept runs from going on that is not their own fault; they can be resumed.
    pub errors: Vec<Error>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} finished", self.finished)?;
        let others = [(self.failed, "failed"), (self.stopped, "stopped"), (self.errors.len(), "interrupted")];
        others
            .iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, word)| write!(f, ", {count} {word}"))
    }
}

/// Set by Ctrl-C or SIGTERM. One for the process: a signal is for all that it does.
static STOP: AtomicBool = AtomicBool::new(false);

impl Session {
    /// Drives all runs. Errors when the signal handler cannot be installed; errors of runs are in
    /// the outcome.
    pub fn drive(&self, records: &[Record]) -> Result<Outcome, Error> {
        stop_on_signals()?;
        if let Some(threads) = self.threads {
            // It fails where the pool is there already: then its size is settled.
            let _ = rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build_global();
        }
        let processors = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let threads = self.threads.unwrap_or_else(processors).get();
        let observer = progress::observer(records, threads);
        let conditions =
            Conditions { stop: &STOP, observer: &*observer, threads, retry_failed: self.retry_failed };
        let mut outcome = Outcome::default();
        for ending in drive_all(records, &conditions) {
            match ending {
                Ok(Ending::Finished(_)) => outcome.finished += 1,
                Ok(Ending::Failed(_)) => outcome.failed += 1,
                Ok(Ending::Stopped { .. }) => outcome.stopped += 1,
                Err(error) => outcome.errors.push(error),
            }
        }
        Ok(outcome)
    }
}

/// The first Ctrl-C asks the runs to stop at the end of their iteration, the second one ends the
/// process; the last checkpoint is there either way.
fn stop_on_signals() -> Result<(), Error> {
    static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
    let install = || {
        ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            eprintln!("\nstopping at the end of the iteration; press Ctrl-C again to stop at once");
        })
        .map_err(|e| e.to_string())
    };
    INSTALLED.get_or_init(install).clone().map_err(Error::Signal)
}
