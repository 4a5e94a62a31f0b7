//! Drives one learner: budget, evaluation, records, checkpoints, stopping and resuming.
//!
//! All that the driver must remember between iterations is in `Progress`, which is saved with
//! the learner's state. A checkpoint may be written at any time without changing what follows:
//! when one is written decides only how much has to be computed again after a kill.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use assay_algorithms::{Checkpoint, Learner};
use assay_environments::{BatchedEnvironment, random::Seed};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Run,
    averages::Averages,
    evaluation::{evaluate, summarise},
    progress::Silent,
    records::files::{Appender, number},
    records::{self, EvaluationSummary, Failure, Folder, Machine, Status, Summary, events::EventWriter},
    timing::Timing,
};

/// However many steps lie between two checkpoints, no more than this is lost to a kill. When a
/// checkpoint is written changes no record, so the clock may decide it.
const LONGEST_WITHOUT_CHECKPOINT: Duration = Duration::from_secs(300);

/// How a call of [`drive`] ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// The run is finished, now or already before.
    Finished(Summary),
    /// The run cannot go on, now or already before.
    Failed(Failure),
    /// The run was stopped and can be resumed.
    Stopped {
        /// Environment steps taken so far; zero where the stop came before the run was even opened.
        steps: u64,
    },
}

/// What an observer is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The run starts, or goes on, after this many environment steps.
    Started {
        /// Environment steps taken so far.
        steps: u64,
    },
    /// The learner has advanced; told a thousand times a run or so.
    Advanced {
        /// Environment steps taken so far.
        steps: u64,
    },
    /// The policy was evaluated.
    Evaluated {
        /// Environment steps taken so far.
        steps: u64,
        /// The episodes in short.
        evaluation: EvaluationSummary,
    },
    /// The run has ended.
    Ended(&'a Ending),
}

/// Is told what happens in runs, from several threads.
pub trait Observer: Sync {
    /// Something happened in `run`.
    fn observe(&self, run: &Run, event: Event<'_>);
}

/// What a call of [`drive`] may depend on beside the run.
pub struct Conditions<'a> {
    /// Set from elsewhere to stop the run cleanly.
    pub stop: &'a AtomicBool,
    /// Is told what happens.
    pub observer: &'a dyn Observer,
    /// Runs that are computed at the same time at most; for the record only.
    pub threads: usize,
    /// Whether a run that failed before is tried again from its last checkpoint.
    pub retry_failed: bool,
}

impl Default for Conditions<'static> {
    /// Never stops and tells nobody; for tests and programs of one's own.
    fn default() -> Self {
        static NEVER: AtomicBool = AtomicBool::new(false);
        Conditions { stop: &NEVER, observer: &Silent, threads: 1, retry_failed: false }
    }
}

/// What the driver remembers between iterations; a part of the checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Progress {
    iterations: u64,
    training_episodes: u64,
    /// Index of the next evaluation that is due; evaluation `i` is due at `i` intervals.
    next_evaluation: u64,
    last_evaluation: Option<EvaluationSummary>,
    averages: Averages,
    /// Lengths of the growing files in bytes.
    metrics: u64,
    evaluations: u64,
    events: u64,
}

/// Starts or resumes `run` in `folder` and drives it to its end, or until it is told to stop.
///
/// A run that is finished or has failed is left alone. An error of the learner or its environment
/// is the run's own end and recorded as a failure; an error of the file system or of the device is
/// returned, and the run can be resumed.
pub fn drive(run: &Run, folder: &Path, conditions: &Conditions<'_>) -> Result<Ending, Error> {
    drive_in(run, || run.environment(&run.title()), folder, conditions)
}

/// As [`drive`], in an environment that need not be in the catalogue: `environment` makes the batch
/// that the learner trains in. Whatever name and parameters `run` gives the environment are for the
/// record only.
pub fn drive_in(
    run: &Run,
    environment: impl FnOnce() -> Result<Box<dyn BatchedEnvironment>, Error>,
    folder: &Path,
    conditions: &Conditions<'_>,
) -> Result<Ending, Error> {
    let folder = Folder::open(run, folder)?;
    let ending = match folder.status()? {
        Status::Finished(summary) => Ending::Finished(summary),
        Status::Failed(failure) if !conditions.retry_failed => Ending::Failed(failure),
        _ if conditions.stop.load(Ordering::Relaxed) => Ending::Stopped { steps: 0 },
        Status::Failed(_) | Status::Unfinished => {
            folder.remove_failure()?;
            match Driver::open(run, environment()?, &folder, conditions)?.go_on() {
                Ok(ending) => ending,
                Err(Interruption::Failure(failure)) => {
                    folder.write_json(records::FAILURE, &failure)?;
                    Ending::Failed(failure)
                }
                Err(Interruption::Error(error)) => return Err(error),
            }
        }
    };
    conditions.observer.observe(run, Event::Ended(&ending));
    Ok(ending)
}

/// Why a run does not reach its end: for good, or until somebody makes room on the disk.
enum Interruption {
    Failure(Failure),
    Error(Error),
}

impl From<Error> for Interruption {
    fn from(error: Error) -> Self {
        Interruption::Error(error)
    }
}

struct Driver<'a> {
    run: &'a Run,
    folder: &'a Folder,
    conditions: &'a Conditions<'a>,
    learner: Box<dyn Learner>,
    evaluation_environment: Box<dyn BatchedEnvironment>,
    evaluation_seed: Seed,
    progress: Progress,
    metrics: Appender,
    evaluations: Appender,
    events: EventWriter,
    timing: Timing,
    last_checkpoint: Instant,
}

impl<'a> Driver<'a> {
    /// Builds the learner and puts the last checkpoint back, where there is one.
    fn open(
        run: &'a Run,
        environment: Box<dyn BatchedEnvironment>,
        folder: &'a Folder,
        conditions: &'a Conditions<'a>,
    ) -> Result<Self, Error> {
        // Its randomness has nothing in common with the learner's.
        let evaluation_seed = Seed::new(run.seed).child("evaluation");
        let evaluation_environment = environment.replicate(run.evaluation.episodes, evaluation_seed);
        let mut learner = run.learner(environment, &run.title())?;
        let mut progress = Progress::default();
        if let Some(checkpoint) = folder.checkpoint(&run.algorithm.name)? {
            progress = checkpoint.record("driver").map_err(|e| folder.damaged_checkpoint(e))?;
            learner.load(&checkpoint).map_err(|e| folder.damaged_checkpoint(e))?;
        }
        let steps = learner.steps();
        Machine::here(steps, conditions.threads).note(&folder.file(records::MACHINE))?;
        Ok(Driver {
            metrics: Appender::open(folder.file(records::METRICS), progress.metrics)?,
            evaluations: Appender::open(folder.file(records::EVALUATIONS), progress.evaluations)?,
            events: EventWriter::open(folder.file(records::EVENTS), progress.events)?,
            timing: Timing::open(folder.file(records::TIMING), steps)?,
            last_checkpoint: Instant::now(),
            run,
            folder,
            conditions,
            learner,
            evaluation_environment,
            evaluation_seed,
            progress,
        })
    }

    fn go_on(mut self) -> Result<Ending, Interruption> {
        self.tell(Event::Started { steps: self.learner.steps() });
        if self.evaluations.length() == 0 {
            self.evaluations.append_row(["due", "steps", "episode", "total_reward", "length"])?;
        }
        self.evaluate_where_due()?;
        while self.learner.steps() < self.run.budget {
            if self.conditions.stop.load(Ordering::Relaxed) {
                self.checkpoint()?;
                return Ok(Ending::Stopped { steps: self.learner.steps() });
            }
            let before = self.learner.steps();
            self.advance()?;
            self.evaluate_where_due()?;
            let due = crosses(before, self.learner.steps(), self.run.records.checkpoint);
            if due || self.last_checkpoint.elapsed() >= LONGEST_WITHOUT_CHECKPOINT {
                self.checkpoint()?;
            }
        }
        self.write_metrics()?;
        self.checkpoint()?;
        let summary = self.summary()?;
        self.folder.write_json(records::RESULT, &summary)?;
        Ok(Ending::Finished(summary))
    }

    /// One iteration of the learner.
    fn advance(&mut self) -> Result<(), Interruption> {
        let before = self.learner.steps();
        let start = Instant::now();
        let report = self.learner.advance().map_err(|error| self.failure(error))?;
        self.timing.trained(start.elapsed());
        let steps = self.learner.steps();
        if steps <= before {
            return Err(self.contract(format!("an iteration took no steps after {before} steps")));
        }
        self.progress.iterations += 1;
        self.progress.training_episodes += report.episodes.len() as u64;
        self.progress.averages.add(&report).map_err(|reason| self.contract(reason))?;
        if crosses(before, steps, self.run.records.interval) {
            self.write_metrics()?;
            self.tell(Event::Advanced { steps });
        }
        Ok(())
    }

    /// Writes the averages since the last row as a row, and begins new ones.
    fn write_metrics(&mut self) -> Result<(), Error> {
        if self.progress.averages.is_empty() {
            return Ok(());
        }
        let steps = self.learner.steps();
        let row = self.progress.averages.take();
        if self.metrics.length() == 0 {
            let names = row.iter().map(|(name, _)| name.as_str());
            self.metrics.append_row(["iterations", "steps"].into_iter().chain(names))?;
        }
        let counters = [self.progress.iterations.to_string(), steps.to_string()];
        self.metrics.append_row(counters.into_iter().chain(row.iter().map(|(_, value)| number(*value))))?;
        let values = row.iter().map(|(name, value)| (name.as_str(), *value));
        let rate = ("steps_per_second", self.timing.steps_per_second(steps));
        self.events.scalars(steps, values.chain([rate]))
    }

    /// Evaluates when the steps taken have reached a point where an evaluation is due: every
    /// interval, at the start and at the end of the budget. Points that one iteration has passed
    /// together share one evaluation, so every run of an experiment has all points.
    fn evaluate_where_due(&mut self) -> Result<(), Interruption> {
        let Run { budget, evaluation: settings, .. } = self.run;
        let steps = self.learner.steps();
        let last = budget.div_ceil(settings.interval);
        let reached = if steps >= *budget { last } else { steps / settings.interval };
        if reached < self.progress.next_evaluation {
            return Ok(());
        }
        let start = Instant::now();
        let episodes =
            evaluate(&*self.learner, &*self.evaluation_environment, settings, self.evaluation_seed)
                .map_err(|error| self.failure(error))?;
        let evaluation = summarise(&episodes);
        for point in self.progress.next_evaluation..=reached {
            let due = (point * settings.interval).min(*budget);
            for (i, episode) in episodes.iter().enumerate() {
                let counters = [due, steps, i as u64].map(|n| n.to_string());
                let values = [number(episode.total_reward), episode.length.to_string()];
                self.evaluations.append_row(counters.into_iter().chain(values))?;
            }
        }
        self.progress.next_evaluation = reached + 1;
        self.progress.last_evaluation = Some(evaluation);
        self.timing.evaluated(start.elapsed(), steps)?;
        self.events.scalars(
            steps,
            [
                ("evaluation/mean_reward", evaluation.mean_reward),
                ("evaluation/mean_length", evaluation.mean_length),
            ],
        )?;
        self.tell(Event::Evaluated { steps, evaluation });
        Ok(())
    }

    /// Saves everything. The growing files are on the disk before the checkpoint that counts on
    /// them.
    fn checkpoint(&mut self) -> Result<(), Interruption> {
        self.progress.metrics = self.metrics.length();
        self.progress.evaluations = self.evaluations.length();
        self.progress.events = self.events.length();
        let mut checkpoint = Checkpoint::new();
        self.learner.save(&mut checkpoint).map_err(|error| self.failure(error))?;
        checkpoint.put_record("driver", &self.progress).map_err(|error| self.failure(error))?;
        self.metrics.sync()?;
        self.evaluations.sync()?;
        self.events.sync()?;
        self.folder.write_checkpoint(&checkpoint, &self.run.algorithm.name)?;
        self.last_checkpoint = Instant::now();
        Ok(())
    }

    fn summary(&self) -> Result<Summary, Interruption> {
        let evaluation =
            self.progress.last_evaluation.ok_or_else(|| self.contract("no evaluation was made".into()))?;
        Ok(Summary {
            experiment: self.run.experiment.clone(),
            label: self.run.label.clone(),
            algorithm: self.run.algorithm.name.clone(),
            environment: self.run.environment.name.clone(),
            seed: self.run.seed,
            steps: self.learner.steps(),
            iterations: self.progress.iterations,
            training_episodes: self.progress.training_episodes,
            evaluation,
        })
    }

    fn tell(&self, event: Event<'_>) {
        self.conditions.observer.observe(self.run, event);
    }

    /// An error of the learner is the run's end, since it would come again. A device that fails (it
    /// may be out of memory, or gone) is no fault of the run.
    fn failure(&self, error: assay_algorithms::Error) -> Interruption {
        if let assay_algorithms::Error::Device { .. } = error {
            return Interruption::Error(Error::algorithm(self.run.title())(error));
        }
        Interruption::Failure(Failure { error: error.to_string(), steps: self.learner.steps() })
    }

    fn contract(&self, reason: String) -> Interruption {
        let place = self.run.algorithm.name.clone();
        let error = Error::Contract { place, reason };
        Interruption::Failure(Failure { error: error.to_string(), steps: self.learner.steps() })
    }
}

/// Whether a multiple of `interval` lies in `before + 1 ..= after`.
fn crosses(before: u64, after: u64, interval: u64) -> bool {
    after / interval > before / interval
}
