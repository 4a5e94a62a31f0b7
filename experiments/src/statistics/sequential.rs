//! Adding seeds until a question is decided, without being fooled by looking often.
//!
//! Whoever computes a 95 % interval after 10 runs, then after 20, then after 30, and stops as soon
//! as it excludes the threshold, errs more often than in 5 % of experiments: every look is another
//! chance to be wrong. [`Spending`] pays for the looks in advance. The error α that is allowed in
//! all is spent in proportion to the runs (Kim and DeMets 1987, *Design and Analysis of Group
//! Sequential Tests Based on the Type I Error Spending Rate Function*, with power 1, in the scheme
//! of Lan and DeMets 1983): after `n` of at most `N` runs, α · n / N has been spent, and the look
//! there may use what has been spent since the look before.
//!
//! Each look's interval is made with the confidence 1 − (its share of α). By the union bound the
//! probability that any of them misses is at most the sum of the shares, α, whatever the
//! statistic, however the looks depend on each other, and however the looks are placed, as long as
//! the places are not chosen by the results. Tighter rules need the joint distribution of the
//! looks; this one needs only intervals that hold.

use assay_environments::parameters::{ParameterError, require};

/// How much confidence each look at growing data needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spending {
    confidence: f64,
    most: usize,
}

impl Spending {
    /// A rule by which all intervals hold together with probability `confidence` (between 0 and 1,
    /// both excluded), over looks at up to `most` runs (at least 1).
    pub fn new(confidence: f64, most: usize) -> Result<Self, ParameterError> {
        let valid = confidence > 0.0 && confidence < 1.0;
        require("confidence", confidence, valid, "between 0 and 1, both excluded")?;
        require("most runs", most, most > 0, "1 and more")?;
        Ok(Spending { confidence, most })
    }

    /// The confidence of the interval to be computed after `runs` runs, when the last look was
    /// after `previous` (0 before the first). Errors unless `previous` < `runs` ≤ the most.
    pub fn confidence_at(&self, previous: usize, runs: usize) -> Result<f64, ParameterError> {
        let allowed = format!("{} to {}", previous + 1, self.most);
        require("runs", runs, previous < runs && runs <= self.most, &allowed)?;
        let share = (runs - previous) as f64 / self.most as f64;
        Ok(1.0 - (1.0 - self.confidence) * share)
    }
}

#[cfg(test)]
mod tests {
    use assay_environments::random::Seed;
    use rand_distr::{Distribution, Normal};

    use super::super::{Aggregate, Bootstrap, Scores, difference};
    use super::*;

    #[test]
    fn the_shares_of_all_looks_sum_to_the_allowed_error() {
        let rule = Spending::new(0.95, 40).unwrap();
        let looks = [0, 10, 15, 40];
        let spent: f64 =
            looks.windows(2).map(|pair| 1.0 - rule.confidence_at(pair[0], pair[1]).unwrap()).sum();
        assert!((spent - 0.05).abs() < 1e-12);
        assert_eq!(rule.confidence_at(0, 40).unwrap(), 0.95);
    }

    #[test]
    fn looks_that_go_back_or_too_far_are_an_error() {
        let rule = Spending::new(0.95, 20).unwrap();
        let message = rule.confidence_at(10, 21).unwrap_err().to_string();
        assert_eq!(message, "`runs` is 21; allowed: 11 to 20");
        assert!(rule.confidence_at(10, 10).is_err());
        assert!(Spending::new(1.0, 20).is_err() && Spending::new(0.9, 0).is_err());
    }

    /// How many of `experiments` without any difference between two algorithms end in a decision,
    /// looking after 8, 12, …, 40 runs, with the confidence that `rule` gives for each look.
    fn wrong_decisions(experiments: usize, rule: impl Fn(usize, usize) -> f64) -> usize {
        let noise = Normal::new(0.0, 1.0).unwrap();
        let looks: Vec<usize> = (8..=40).step_by(4).collect();
        let decided = |experiment: usize| {
            let mut rng = Seed::new(5).indexed_stream("experiment", experiment);
            let mut runs = || {
                Scores::single_task(&std::array::from_fn::<f64, 40, _>(|_| noise.sample(&mut rng))).unwrap()
            };
            let (x, y) = (runs(), runs());
            looks.iter().enumerate().any(|(i, &n)| {
                let previous = if i == 0 { 0 } else { looks[i - 1] };
                let bootstrap = Bootstrap::new(1_000, rule(previous, n), Seed::new(0)).unwrap();
                let (x, y) = (x.first_runs(n).unwrap(), y.first_runs(n).unwrap());
                let effect = difference(&x, &y, Aggregate::InterquartileMean, &bootstrap).unwrap();
                effect.low > 0.0 || effect.high < 0.0
            })
        };
        (0..experiments).filter(|&experiment| decided(experiment)).count()
    }

    #[test]
    fn many_looks_err_no_more_often_than_allowed_and_would_without_the_rule() {
        let rule = Spending::new(0.9, 40).unwrap();
        // 200 experiments with an error rate of at most 0.1: more than 33 wrong decisions have a
        // probability below 0.2 %.
        let paid = wrong_decisions(200, |previous, n| rule.confidence_at(previous, n).unwrap());
        assert!(paid <= 33, "{paid} of 200");
        let unpaid = wrong_decisions(200, |_, _| 0.9);
        assert!(unpaid >= 45, "looking often without paying should err often; it did in {unpaid} of 200");
    }
}
