//! What a person sees while runs go on: bars on a terminal, plain lines elsewhere.
//!
//! Everything is written to standard error; standard output is left to results.

mod tally;

use std::{
    collections::HashMap,
    io::IsTerminal,
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use self::tally::Tally;
use crate::{
    Run,
    driver::{Ending, Event, Observer},
    records::Record,
};

/// The observer that fits standard error: [`Bars`] on a terminal, [`Lines`] elsewhere.
/// `threads` is how many runs are computed at the same time.
pub fn observer(records: &[Record], threads: usize) -> Box<dyn Observer> {
    if std::io::stderr().is_terminal() {
        Box::new(Bars::new(records, threads))
    } else {
        Box::new(Lines::new(records, threads))
    }
}

/// Shows nothing.
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _run: &Run, _event: Event<'_>) {}
}

/// One line when a run ends, and now and then one about all of them.
pub struct Lines {
    state: Mutex<(Tally, Instant)>,
}

impl Lines {
    /// Time between two lines about all runs.
    const INTERVAL: Duration = Duration::from_secs(15);

    /// For these runs, `threads` of them at a time.
    pub fn new(records: &[Record], threads: usize) -> Self {
        Lines { state: Mutex::new((Tally::new(records, threads), Instant::now())) }
    }
}

impl Observer for Lines {
    fn observe(&self, run: &Run, event: Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let (tally, last) = &mut *state;
        let started = tally.has_started(run);
        tally.note(run, &event);
        // Of what was finished before, or never begun, nobody needs to hear.
        if let Event::Ended(ending) = event
            && (started || matches!(ending, Ending::Failed(_)))
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
    /// For these runs, `threads` of them at a time.
    pub fn new(records: &[Record], threads: usize) -> Self {
        let tally = Tally::new(records, threads);
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::new(tally.steps().1).with_style(style("{wide_bar} {msg}")));
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
        self.total.set_position(tally.steps().0);
        self.total.set_message(tally.describe());
        if tally.is_complete() {
            self.total.finish_and_clear();
        }
    }
}

impl Drop for Bars {
    /// Leaves the terminal clean, also when runs were stopped.
    fn drop(&mut self) {
        self.total.finish_and_clear();
        let _ = self.all.clear();
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
