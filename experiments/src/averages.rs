//! Averages of a learner's metrics over several iterations.
//!
//! Some algorithms take one step an iteration, others thousands. A row of `metrics.csv` therefore
//! stands for all iterations since the last row: the mean of each metric over the iterations that
//! have it, and the number, mean reward and mean length of the training episodes that ended.

use assay_algorithms::Report;
use serde::{Deserialize, Serialize};

/// Running sums. Complete in itself, so that it can be saved between two rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Averages {
    names: Vec<String>,
    sums: Vec<f64>,
    counts: Vec<u64>,
    reports: u64,
    episodes: u64,
    total_reward: f64,
    total_length: u64,
}

impl Averages {
    /// Adds an iteration. Errors, in words, when it reports other metrics than the one before, or
    /// an infinite one.
    pub(crate) fn add(&mut self, report: &Report) -> Result<(), String> {
        let names = report.metrics.iter().map(|(name, _)| *name);
        if self.names.is_empty() {
            self.names = names.map(str::to_owned).collect();
            self.sums = vec![0.0; self.names.len()];
            self.counts = vec![0; self.names.len()];
        } else if !names.clone().eq(self.names.iter()) {
            let now: Vec<&str> = names.collect();
            return Err(format!("it reported the metrics {:?} and now {now:?}", self.names));
        }
        for (i, (name, value)) in report.metrics.iter().enumerate() {
            if value.is_infinite() {
                return Err(format!("the metric {name} is {value}"));
            }
            if !value.is_nan() {
                self.sums[i] += value;
                self.counts[i] += 1;
            }
        }
        self.reports += 1;
        self.episodes += report.episodes.len() as u64;
        self.total_reward += report.episodes.iter().map(|episode| episode.total_reward).sum::<f64>();
        self.total_length += report.episodes.iter().map(|episode| episode.length).sum::<u64>();
        Ok(())
    }

    /// Whether nothing was added since the last row.
    pub(crate) fn is_empty(&self) -> bool {
        self.reports == 0
    }

    /// The row: `episodes`, `episode_reward`, `episode_length`, then the metrics in their order.
    /// What does not exist is NaN. Begins anew.
    pub(crate) fn take(&mut self) -> Vec<(String, f64)> {
        let mean = |sum: f64, count: u64| if count == 0 { f64::NAN } else { sum / count as f64 };
        let episodes = [
            ("episodes", self.episodes as f64),
            ("episode_reward", mean(self.total_reward, self.episodes)),
            ("episode_length", mean(self.total_length as f64, self.episodes)),
        ];
        let metrics = self.names.iter().zip(self.sums.iter().zip(&self.counts));
        let row = episodes
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .chain(metrics.map(|(name, (&sum, &count))| (name.clone(), mean(sum, count))))
            .collect();
        let names = std::mem::take(&mut self.names);
        let metrics = names.len();
        *self = Averages { names, sums: vec![0.0; metrics], counts: vec![0; metrics], ..Averages::default() };
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_environments::Episode;

    fn report(loss: f64, rewards: &[f64]) -> Report {
        let episodes = rewards.iter().map(|&total_reward| Episode { total_reward, length: 10 }).collect();
        Report { metrics: vec![("loss", loss)], episodes }
    }

    #[test]
    fn a_row_averages_what_exists() {
        let mut averages = Averages::default();
        for report in [report(1.0, &[5.0]), report(f64::NAN, &[]), report(3.0, &[1.0, 3.0])] {
            averages.add(&report).unwrap();
        }
        let row = averages.take();
        let names: Vec<&str> = row.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["episodes", "episode_reward", "episode_length", "loss"]);
        assert_eq!(row.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [3.0, 3.0, 10.0, 2.0]);
        assert!(averages.is_empty());
        averages.add(&report(f64::NAN, &[])).unwrap();
        assert!(averages.take()[1..].iter().all(|(_, value)| value.is_nan()));
    }

    #[test]
    fn changing_names_and_infinite_values_are_errors_that_name_the_metric() {
        let mut averages = Averages::default();
        averages.add(&report(1.0, &[])).unwrap();
        let other = Report { metrics: vec![("entropy", 1.0)], episodes: Vec::new() };
        assert!(averages.add(&other).unwrap_err().contains("entropy"));
        assert!(averages.add(&report(f64::INFINITY, &[])).unwrap_err().contains("loss is inf"));
    }
}
