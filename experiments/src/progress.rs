//! What a person sees while runs go on: bars on a terminal, plain lines elsewhere.
//!
//! Everything is written to standard error; standard output is left to results.

use std::{
    collections::HashMap,
    io::IsTerminal,
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::{
    Run,
    driver::{Ending, Event, Observer},
    records::Record,
};

/// The observer that fits standard error: [`Bars`] on a terminal, [`Lines`] elsewhere.
pub fn observer(records: &[Record]) -> Box<dyn Observer> {
    if std::io::stderr().is_terminal() { Box::new(Bars::new(records)) } else { Box::new(Lines::new(records)) }
}

/// Shows nothing.
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _run: &Run, _event: Event<'_>) {}
}

/// Environment steps over all runs.
struct Tally {
    /// Steps of each run by its title, at most its budget.
    steps: HashMap<String, u64>,
    total: u64,
    budget: u64,
    finished: usize,
    runs: usize,
    /// Steps that were computed since `since`: what earlier processes did is not counted.
    computed: u64,
    since: Instant,
}

impl Tally {
    fn new(records: &[Record]) -> Self {
        Tally {
            steps: HashMap::new(),
            total: 0,
            budget: records.iter().map(|record| record.run.budget).sum(),
            finished: 0,
            runs: records.len(),
            computed: 0,
            since: Instant::now(),
        }
    }

    /// Notes that `run` is at `steps`.
    fn at(&mut self, run: &Run, steps: u64, computed: bool) {
        let steps = steps.min(run.budget);
        let before = self.steps.insert(run.title(), steps).unwrap_or(0);
        let added = steps.saturating_sub(before);
        self.total += added;
        if computed {
            self.computed += added;
        }
    }

    fn note(&mut self, run: &Run, event: &Event<'_>) {
        match event {
            Event::Started { steps } => self.at(run, *steps, false),
            Event::Advanced { steps } | Event::Evaluated { steps, .. } => self.at(run, *steps, true),
            Event::Ended(Ending::Stopped { .. }) => {}
            Event::Ended(Ending::Finished(_) | Ending::Failed(_)) => {
                // What is left of a failed run's budget will not be computed; a run that was
                // finished before has never started.
                let started = self.steps.contains_key(&run.title());
                self.at(run, run.budget, started && !matches!(event, Event::Ended(Ending::Failed(_))));
                self.finished += 1;
            }
        }
    }

    fn steps_per_second(&self) -> f64 {
        self.computed as f64 / self.since.elapsed().as_secs_f64().max(1e-9)
    }

    /// Rate and time left, in words.
    fn describe(&self) -> String {
        let rate = self.steps_per_second();
        let left = if self.computed == 0 {
            "time left unknown".to_owned()
        } else {
            format!("{} left", duration((self.budget - self.total) as f64 / rate))
        };
        format!(
            "{} of {} runs, {:.0} % of {} steps, {} steps/s, {left}",
            self.finished,
            self.runs,
            100.0 * self.total as f64 / self.budget.max(1) as f64,
            count(self.budget as f64),
            count(rate),
        )
    }
}

/// One line when a run ends, and now and then one about all of them.
pub struct Lines {
    state: Mutex<(Tally, Instant)>,
}

impl Lines {
    /// Time between two lines about all runs.
    const INTERVAL: Duration = Duration::from_secs(15);

    /// For these runs.
    pub fn new(records: &[Record]) -> Self {
        Lines { state: Mutex::new((Tally::new(records), Instant::now())) }
    }
}

impl Observer for Lines {
    fn observe(&self, run: &Run, event: Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let (tally, last) = &mut *state;
        let started = tally.steps.contains_key(&run.title());
        tally.note(run, &event);
        // Of what was finished before, nobody needs to hear again.
        if let Event::Ended(ending) = event
            && (started || !matches!(ending, Ending::Finished(_)))
        {
            eprintln!("{}: {}", run.title(), describe(ending));
        }
        if last.elapsed() >= Self::INTERVAL {
            *last = Instant::now();
            eprintln!("{}", tally.describe());
        }
    }
}

/// One bar over all runs with rate and time left, and one line for each run that is going on.
pub struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    state: Mutex<(Tally, HashMap<String, ProgressBar>)>,
}

impl Bars {
    /// For these runs.
    pub fn new(records: &[Record]) -> Self {
        let tally = Tally::new(records);
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::new(tally.budget).with_style(style("{wide_bar} {msg}")));
        total.enable_steady_tick(Duration::from_millis(500));
        Bars { all, total, state: Mutex::new((tally, HashMap::new())) }
    }
}

impl Observer for Bars {
    fn observe(&self, run: &Run, event: Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let (tally, running) = &mut *state;
        tally.note(run, &event);
        let title = run.title();
        match event {
            Event::Started { steps } => {
                let bar = ProgressBar::new(run.budget)
                    .with_style(style("  {prefix} {bar:24} {pos}/{len} {msg}"))
                    .with_prefix(title.clone());
                let bar = self.all.insert_before(&self.total, bar);
                bar.set_position(steps);
                running.insert(title, bar);
            }
            Event::Advanced { steps } => {
                if let Some(bar) = running.get(&title) {
                    bar.set_position(steps.min(run.budget));
                }
            }
            Event::Evaluated { steps, evaluation } => {
                if let Some(bar) = running.get(&title) {
                    bar.set_position(steps.min(run.budget));
                    bar.set_message(format!("reward {:.1}", evaluation.mean_reward));
                }
            }
            Event::Ended(ending) => {
                if let Some(bar) = running.remove(&title) {
                    bar.finish_and_clear();
                    self.all.remove(&bar);
                }
                if let Ending::Failed(_) = ending {
                    let _ = self.all.println(format!("{title}: {}", describe(ending)));
                }
            }
        }
        self.total.set_position(tally.total);
        self.total.set_message(tally.describe());
        if tally.finished == tally.runs {
            self.total.finish();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// An ending in words.
pub fn describe(ending: &Ending) -> String {
    match ending {
        Ending::Finished(summary) => {
            let evaluation = &summary.evaluation;
            format!(
                "finished after {} steps, mean reward {:.2} over {} episodes",
                summary.steps, evaluation.mean_reward, evaluation.episodes
            )
        }
        Ending::Failed(failure) => format!("failed after {} steps: {}", failure.steps, failure.error),
        Ending::Stopped { steps } => format!("stopped after {steps} steps"),
    }
}

/// A count with at most four digits: `950`, `12.3k`, `4.50M`.
fn count(value: f64) -> String {
    let scaled = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    match scaled.iter().find(|(unit, _)| value >= *unit) {
        Some((unit, name)) => {
            let value = value / unit;
            let digits = if value >= 100.0 {
                0
            } else if value >= 10.0 {
                1
            } else {
                2
            };
            format!("{value:.digits$}{name}")
        }
        None => format!("{value:.0}"),
    }
}

/// Seconds in the two largest units: `2 h 5 min`, `3 min 20 s`, `7 s`.
fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, min, s) => format!("{min} min {s} s"),
        (0, h, min, _) => format!("{h} h {min} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_durations_are_short() {
        assert_eq!([950.0, 12_340.0, 4_500_000.0].map(count), ["950", "12.3k", "4.50M"]);
        assert_eq!(
            [7.2, 200.0, 7500.0, 90_000.0].map(duration),
            ["7 s", "3 min 20 s", "2 h 5 min", "1 d 1 h"]
        );
    }
}
