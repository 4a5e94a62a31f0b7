//! Stratified bootstrap intervals.
//!
//! A resample draws, for every task on its own, as many runs as there are, with replacement
//! (Agarwal et al. 2021, arXiv 2108.13264, section 4.1). The interval lies between the percentiles
//! of the statistic over all resamples. It says how much the statistic would move if the experiment
//! were repeated with other seeds on the same tasks.

use std::{fmt, ops::Neg};

use assay_environments::{
    parameters::require,
    random::{Seed, Stream},
};
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Aggregate, Scores, StatisticsError};

/// Resamples that share one generator: the unit of parallel work, fixed so that results do not
/// depend on the number of threads.
const CHUNK: usize = 512;

/// A number and the interval that it probably lies in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The statistic of the scores themselves.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(3);
        write!(f, "{:.digits$} [{:.digits$}, {:.digits$}]", self.value, self.low, self.high)
    }
}

impl Neg for Estimate {
    type Output = Self;

    /// The estimate of the opposite quantity: the interval is mirrored.
    fn neg(self) -> Self {
        Estimate { value: -self.value, low: -self.high, high: -self.low }
    }
}

/// How intervals are computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    resamples: usize,
    confidence: f64,
    seed: Seed,
}

impl Default for Bootstrap {
    /// 50,000 resamples (rliable's default), 95 %, seed 0.
    fn default() -> Self {
        Bootstrap { resamples: 50_000, confidence: 0.95, seed: Seed::new(0) }
    }
}

/// Whether two sets of scores are resampled each on its own or with the same draws.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Resampling {
    Independent,
    Common,
}

impl Bootstrap {
    /// A bootstrap with `resamples` resamples (at least 1) and intervals that hold with probability
    /// `confidence` (between 0 and 1, both excluded).
    ///
    /// From one seed to another the ends of a 95 % interval of a nearly normal statistic have a
    /// standard deviation of about 0.3 % of its width with 50,000 resamples and 1.5 % with 2,000.
    pub fn new(resamples: usize, confidence: f64, seed: Seed) -> Result<Self, StatisticsError> {
        require("resamples", resamples, resamples > 0, "1 and more")?;
        let valid = confidence > 0.0 && confidence < 1.0;
        require("confidence", confidence, valid, "between 0 and 1, both excluded")?;
        Ok(Bootstrap { resamples, confidence, seed })
    }

    /// The number of resamples.
    pub fn resamples(&self) -> usize {
        self.resamples
    }

    /// The probability that an interval holds.
    pub fn confidence(&self) -> f64 {
        self.confidence
    }

    /// The same with another confidence.
    pub fn with_confidence(self, confidence: f64) -> Result<Self, StatisticsError> {
        Self::new(self.resamples, confidence, self.seed)
    }

    /// An aggregate of `scores` with its interval.
    pub fn estimate(&self, scores: &Scores, aggregate: Aggregate) -> Estimate {
        self.scalar([scores], Resampling::Independent, |[scores]| aggregate.of_scratch(scores))
    }

    /// One number from `N` sets of scores, with its interval. The statistic may reorder and
    /// overwrite what it is given.
    pub(super) fn scalar<const N: usize>(
        &self,
        scores: [&Scores; N],
        resampling: Resampling,
        statistic: impl Fn(&mut [Scores; N]) -> f64 + Sync,
    ) -> Estimate {
        self.vector(scores, resampling, 1, |resample, outputs| outputs[0] = statistic(resample))[0]
    }

    /// `width` numbers from `N` sets of scores, each with an interval of its own.
    pub(super) fn vector<const N: usize>(
        &self,
        scores: [&Scores; N],
        resampling: Resampling,
        width: usize,
        statistic: impl Fn(&mut [Scores; N], &mut [f64]) + Sync,
    ) -> Vec<Estimate> {
        if width == 0 {
            return Vec::new();
        }
        let mut values = vec![0.0; width];
        statistic(&mut scores.map(Scores::clone), &mut values);

        let mut outputs = vec![0.0; width * self.resamples];
        outputs.par_chunks_mut(CHUNK * width).enumerate().for_each(|(chunk, outputs)| {
            let mut rng = self.seed.indexed_stream("bootstrap", chunk);
            let mut scratch = scores.map(Scores::clone);
            for outputs in outputs.chunks_exact_mut(width) {
                match resampling {
                    Resampling::Independent => {
                        for (scores, resample) in scores.iter().zip(&mut scratch) {
                            draw([scores], std::array::from_mut(resample), &mut rng);
                        }
                    }
                    Resampling::Common => draw(scores, &mut scratch, &mut rng),
                }
                statistic(&mut scratch, outputs);
            }
        });

        let mut distribution = vec![0.0; self.resamples];
        let estimate = |(i, value): (usize, f64)| {
            for (slot, outputs) in distribution.iter_mut().zip(outputs.chunks_exact(width)) {
                *slot = outputs[i];
            }
            let (low, high) = percentiles(&mut distribution, (1.0 - self.confidence) / 2.0);
            Estimate { value, low, high }
        };
        values.into_iter().enumerate().map(estimate).collect()
    }
}

/// Fills the resamples with runs drawn per task, the same runs for all sets of scores.
fn draw<const N: usize>(scores: [&Scores; N], resamples: &mut [Scores; N], rng: &mut Stream) {
    let runs = scores[0].runs();
    let count = scores[0].values().len();
    for task in (0..count).step_by(runs) {
        for slot in task..task + runs {
            let run = task + rng.random_range(0..runs as u32) as usize;
            for (scores, resample) in scores.iter().zip(resamples.iter_mut()) {
                resample.values_mut()[slot] = scores.values()[run];
            }
        }
    }
}

/// The values with a fraction `tail` of the distribution below and above them, linearly
/// interpolated as by NumPy. The upper one is counted from the top, so that the percentiles of the
/// negated values are exactly the negated percentiles.
fn percentiles(values: &mut [f64], tail: f64) -> (f64, f64) {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len() - 1;
    let rank = tail * last as f64;
    let (below, fraction) = (rank.floor() as usize, rank.fract());
    let above = (below + 1).min(last);
    let between = |a: f64, b: f64| a + (b - a) * fraction;
    (between(values[below], values[above]), between(values[last - below], values[last - above]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> Scores {
        Scores::from_tasks(&[[0.1, 0.5, 0.2, 0.9, 0.4], [1.1, 1.0, 0.3, 0.6, 0.8]]).unwrap()
    }

    fn quick(seed: u64) -> Bootstrap {
        Bootstrap::new(2_000, 0.95, Seed::new(seed)).unwrap()
    }

    #[test]
    fn percentiles_interpolate_linearly_and_mirror_exactly() {
        let mut values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(percentiles(&mut values, 0.125), (1.5, 4.5));
        assert_eq!(percentiles(&mut [2.5], 0.025), (2.5, 2.5));
        let mut values: Vec<f64> = (0..1000).map(|i| f64::from(i).sin()).collect();
        let (low, high) = percentiles(&mut values, 0.025);
        values.iter_mut().for_each(|x| *x = -*x);
        assert_eq!(percentiles(&mut values, 0.025), (-high, -low));
    }

    #[test]
    fn the_same_seed_gives_the_same_bits_at_any_thread_count() {
        let estimate = || quick(3).estimate(&example(), Aggregate::InterquartileMean);
        let on = |threads: usize| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(estimate)
        };
        assert_eq!(on(1), on(4));
        assert_ne!(on(1), quick(4).estimate(&example(), Aggregate::InterquartileMean));
    }

    #[test]
    fn a_statistic_without_variation_has_an_interval_without_width() {
        let constant = Scores::from_tasks(&[[2.0; 4], [3.0; 4]]).unwrap();
        let estimate = quick(0).estimate(&constant, Aggregate::Mean);
        assert_eq!(estimate, Estimate { value: 2.5, low: 2.5, high: 2.5 });
        let one_run = Scores::from_tasks(&[[2.0], [5.0]]).unwrap();
        assert_eq!(quick(0).estimate(&one_run, Aggregate::Mean).high, 3.5);
    }

    #[test]
    fn runs_are_resampled_within_their_task() {
        // Tasks lie far apart: resampling across them would move the mean by whole units.
        let scores = Scores::from_tasks(&[[0.0, 0.01], [100.0, 100.01]]).unwrap();
        let estimate = quick(0).estimate(&scores, Aggregate::Mean);
        assert!(estimate.high - estimate.low < 0.011, "{estimate:?}");
    }

    #[test]
    fn the_interval_of_a_mean_is_the_normal_one_for_many_runs() {
        let runs: Vec<f64> = (0..400).map(|i| f64::from(i % 20)).collect();
        let estimate = Bootstrap::default().estimate(&Scores::single_task(&runs).unwrap(), Aggregate::Mean);
        let half = 1.959_964 * ((20.0f64.powi(2) - 1.0) / 12.0 / 400.0).sqrt();
        assert!((estimate.low - (9.5 - half)).abs() < 0.02, "{estimate:?}");
        assert!((estimate.high - (9.5 + half)).abs() < 0.02, "{estimate:?}");
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let message = |n, c| Bootstrap::new(n, c, Seed::new(0)).unwrap_err().to_string();
        assert!(message(0, 0.95).contains("`resamples` is 0"));
        for confidence in [0.0, 1.0, f64::NAN, -1.0] {
            assert!(message(10, confidence).contains("`confidence`"));
        }
    }

    proptest! {
        #[test]
        fn a_higher_confidence_gives_an_interval_that_contains_the_lower_one(
            runs in proptest::collection::vec(-10.0..10.0f64, 2..20), confidence in 0.5..0.95f64,
        ) {
            let scores = Scores::single_task(&runs).unwrap();
            let at = |c: f64| quick(1).with_confidence(c).unwrap().estimate(&scores, Aggregate::InterquartileMean);
            let (narrow, wide) = (at(confidence), at(confidence + 0.04));
            prop_assert!(wide.low <= narrow.low && narrow.high <= wide.high);
        }
    }
}
