//! How far all runs are together, how fast, and how long they will take.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{count, duration};
use crate::{
    Run,
    driver::{Ending, Event},
    records::Record,
};

/// Environment steps over all runs.
///
/// Algorithms differ in speed by orders of magnitude, so the time left is not steps over rate: each
/// algorithm's remaining steps take as long as its steps did so far, shared among the threads.
pub(super) struct Tally {
    /// Runs that have started, by title.
    runs: HashMap<String, Progress>,
    /// By experiment and label.
    algorithms: HashMap<[String; 2], Speed>,
    threads: usize,
    finished: usize,
    all: usize,
    begun: Instant,
}

struct Progress {
    steps: u64,
    seen: Instant,
}

/// Of one algorithm, over all its runs.
#[derive(Default)]
struct Speed {
    /// Steps of all runs, and how many are done.
    budget: u64,
    done: u64,
    /// Steps that this process has computed, and how long its threads were busy with them.
    computed: u64,
    busy: Duration,
}

fn key(run: &Run) -> [String; 2] {
    [run.experiment.clone(), run.label.clone()]
}

impl Tally {
    pub(super) fn new(records: &[Record], threads: usize) -> Self {
        let mut algorithms: HashMap<_, Speed> = HashMap::new();
        for Record { run, .. } in records {
            algorithms.entry(key(run)).or_default().budget += run.budget;
        }
        let (runs, all) = (HashMap::new(), records.len());
        Tally { runs, algorithms, threads, finished: 0, all, begun: Instant::now() }
    }

    /// Whether `run` has started in this process.
    pub(super) fn has_started(&self, run: &Run) -> bool {
        self.runs.contains_key(&run.title())
    }

    /// Whether all runs have ended.
    pub(super) fn is_complete(&self) -> bool {
        self.finished == self.all
    }

    pub(super) fn note(&mut self, run: &Run, event: &Event<'_>) {
        match event {
            Event::Started { steps } => {
                self.at(run, *steps, false);
            }
            Event::Advanced { steps } | Event::Evaluated { steps, .. } => self.at(run, *steps, true),
            Event::Ended(Ending::Stopped { .. }) => {}
            Event::Ended(Ending::Finished(_)) => {
                let started = self.has_started(run);
                self.at(run, run.budget, started);
                self.finished += 1;
            }
            // What is left of a failed run's budget will not be computed.
            Event::Ended(Ending::Failed(_)) => {
                self.at(run, run.budget, false);
                self.finished += 1;
            }
        }
    }

    /// Notes that `run` is at `steps`, which this process has `computed` or found.
    fn at(&mut self, run: &Run, steps: u64, computed: bool) {
        let now = Instant::now();
        let steps = steps.min(run.budget);
        let before = self.runs.insert(run.title(), Progress { steps, seen: now });
        let added = steps - before.as_ref().map_or(0, |before| before.steps.min(steps));
        let speed = self.algorithms.entry(key(run)).or_default();
        speed.done += added;
        if let Some(before) = before.filter(|_| computed) {
            speed.computed += added;
            speed.busy += now - before.seen;
        }
    }

    /// Steps that are done, and of how many.
    pub(super) fn steps(&self) -> (u64, u64) {
        let speeds = || self.algorithms.values();
        (speeds().map(|speed| speed.done).sum(), speeds().map(|speed| speed.budget).sum())
    }

    /// Seconds left; `None` before anything is known.
    fn seconds_left(&self) -> Option<f64> {
        let speeds = || self.algorithms.values();
        let (computed, busy) = speeds().fold((0, 0.0), |(computed, busy), speed| {
            (computed + speed.computed, busy + speed.busy.as_secs_f64())
        });
        if computed == 0 {
            return None;
        }
        let busy_left: f64 = speeds()
            .map(|speed| {
                let left = (speed.budget - speed.done) as f64;
                // What has not been seen yet is taken to be as fast as the others.
                let (computed, busy) = match speed.computed {
                    0 => (computed, busy),
                    own => (own, speed.busy.as_secs_f64()),
                };
                left * busy / computed as f64
            })
            .sum();
        Some(busy_left / self.threads.min(self.all - self.finished).max(1) as f64)
    }

    /// Runs, steps, rate and time left, in words.
    pub(super) fn describe(&self) -> String {
        let (done, budget) = self.steps();
        let computed: u64 = self.algorithms.values().map(|speed| speed.computed).sum();
        let rate = computed as f64 / self.begun.elapsed().as_secs_f64().max(1e-9);
        let left =
            self.seconds_left().map_or("time left unknown".into(), |s| format!("{} left", duration(s)));
        format!(
            "{} of {} runs, {:.0} % of {} steps, {} steps/s, {left}",
            self.finished,
            self.all,
            100.0 * done as f64 / budget.max(1) as f64,
            count(budget as f64),
            count(rate),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Experiment;

    fn records(seeds: u64) -> Vec<Record> {
        let text = format!(
            "name = \"e\"\nseeds = {seeds}\nbudget = 100\nenvironment = {{ name = \"CartPole-v1\" }}\n\
             [[algorithm]]\nname = \"random\"\nlabel = \"slow\"\n[[algorithm]]\nname = \"random\"\n"
        );
        let runs = Experiment::parse(&text, "test", &[]).unwrap().runs().unwrap();
        runs.into_iter().map(|run| Record { folder: "unused".into(), run }).collect()
    }

    #[test]
    fn the_time_left_knows_that_algorithms_differ_in_speed() {
        let records = records(2);
        let mut tally = Tally::new(&records, 2);
        assert_eq!(tally.seconds_left(), None);
        for (record, seconds) in records.iter().zip([50, 5]) {
            tally.note(&record.run, &Event::Started { steps: 0 });
            tally.note(&record.run, &Event::Advanced { steps: 50 });
            tally.algorithms.get_mut(&key(&record.run)).unwrap().busy = Duration::from_secs(seconds);
        }
        // 150 steps at 1 s and 150 at 0.1 s each, on two threads.
        assert!((tally.seconds_left().unwrap() - 82.5).abs() < 1e-9);
        assert_eq!(tally.steps(), (100, 400));
    }

    #[test]
    fn what_earlier_processes_did_is_done_but_says_nothing_about_speed() {
        let records = records(1);
        let mut tally = Tally::new(&records, 1);
        tally.note(&records[0].run, &Event::Started { steps: 80 });
        assert_eq!((tally.steps().0, tally.seconds_left()), (80, None));
        tally.note(&records[0].run, &Event::Advanced { steps: 130 });
        assert_eq!(tally.algorithms[&key(&records[0].run)].computed, 20);
    }
}
