//! From scores to a verdict.

use std::fmt;

use assay_environments::parameters::require;
use serde::{Deserialize, Serialize};

use super::{Claim, ClaimError, Direction, Margin};
use crate::statistics::{
    Aggregate, Bootstrap, Estimate, Scores, Spending, StatisticsError, difference,
    probability_of_improvement_interval,
};

/// Whether a claim holds here. The order is from against the claim to for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The effect is on the other side of the threshold.
    NotReproduced,
    /// The interval lies across the threshold: more seeds are needed.
    Undecided,
    /// The effect is on the claimed side of the threshold.
    Reproduced,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::NotReproduced => "not reproduced",
            Verdict::Undecided => "undecided",
            Verdict::Reproduced => "reproduced",
        })
    }
}

impl Verdict {
    /// The verdict on an effect, positive where the algorithm is better.
    ///
    /// An algorithm that is no worse is at least as good, and one that is exactly `margin` better is
    /// not better by more than it: so "x is better than y by more than m" and "y is at least as good
    /// as x within m" have opposite verdicts on the same scores, always.
    pub fn of(effect: &Estimate, direction: Direction, margin: f64) -> Self {
        let (reproduced, refuted) = match direction {
            Direction::AtLeastAsGood => (effect.low >= -margin, effect.high < -margin),
            Direction::Better => (effect.low > margin, effect.high <= margin),
        };
        match (reproduced, refuted) {
            (true, _) => Verdict::Reproduced,
            (_, true) => Verdict::NotReproduced,
            _ => Verdict::Undecided,
        }
    }
}

/// The algorithm against one baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The baseline's label.
    pub baseline: String,
    /// How much better the algorithm is, in the margin's unit: the difference of interquartile
    /// means, positive in its favour, with the interval that decides.
    pub effect: Estimate,
    /// The probability that a run of the algorithm beats one of the baseline, with an interval of
    /// the claim's confidence. It decides nothing.
    pub probability_of_improvement: Estimate,
    /// The verdict on this baseline.
    pub verdict: Verdict,
}

/// The verdict on a claim, and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Reproduced if it is against every baseline, not reproduced if it fails against any.
    pub verdict: Verdict,
    /// One comparison per baseline, in the claim's order.
    pub comparisons: Vec<Comparison>,
    /// Seeds of each algorithm on each task.
    pub seeds: usize,
    /// The confidence of each comparison's interval, so that all of them, over all baselines and
    /// looks, hold together with the claim's confidence.
    pub confidence: f64,
}

impl Claim {
    /// The verdict on scores of the claim's metric, in its own unit, for the algorithm and for each
    /// baseline that is run, in the claim's order; tasks as in the claim. The baseline that
    /// needs no runs, if there is one, comes last in the judgement.
    ///
    /// Errors when the number of runs is none of the claim's looks, or numbers of tasks, runs or
    /// baselines do not fit. The bootstrap's resamples and seed are used, its confidence is not.
    pub fn judge(
        &self,
        algorithm: &Scores,
        baselines: &[Scores],
        bootstrap: &Bootstrap,
    ) -> Result<Judgement, ClaimError> {
        if baselines.len() != self.baselines.len() {
            let (first, second) = (baselines.len(), self.baselines.len());
            return Err(StatisticsError::Mismatch { what: "baselines", first, second }.into());
        }
        let seeds = algorithm.runs();
        let bootstrap = bootstrap.with_confidence(self.interval_confidence(seeds)?)?;
        let given = self.given_scores(seeds)?;
        if let Some(other) = baselines.iter().find(|baseline| baseline.runs() != seeds) {
            return Err(StatisticsError::Mismatch { what: "runs", first: other.runs(), second: seeds }.into());
        }
        let algorithm = self.oriented(algorithm)?;
        let compare = |(label, baseline): (&str, &Scores)| {
            let baseline = self.oriented(baseline)?;
            let effect = self.effect(&algorithm, label, &baseline, &bootstrap)?;
            let wide = bootstrap.with_confidence(self.confidence)?;
            Ok(Comparison {
                baseline: label.to_owned(),
                effect,
                probability_of_improvement: probability_of_improvement_interval(
                    &algorithm, &baseline, &wide,
                )?,
                verdict: Verdict::of(&effect, self.direction, self.margin.value()),
            })
        };
        let comparisons: Vec<Comparison> = self
            .baseline_labels()
            .zip(baselines)
            .chain(given.iter().map(|(label, scores)| (*label, scores)))
            .map(compare)
            .collect::<Result<_, ClaimError>>()?;
        // The weakest link decides: the order of verdicts is from against to for.
        let verdict = comparisons.iter().map(|c| c.verdict).min().unwrap_or(Verdict::Undecided);
        Ok(Judgement { verdict, comparisons, seeds, confidence: bootstrap.confidence() })
    }

    /// The confidence of each interval at the look after `seeds` seeds.
    pub fn interval_confidence(&self, seeds: usize) -> Result<f64, ClaimError> {
        let looks = &self.seeds;
        let look = looks.iter().position(|&look| look == seeds);
        let allowed = looks.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        require("seeds", seeds, look.is_some(), &allowed)?;
        let previous = look.filter(|&i| i > 0).map_or(0, |i| looks[i - 1]);
        let most = looks.last().copied().unwrap_or_default();
        let baselines = self.baselines.len() + usize::from(self.given_baseline().is_some());
        let error_per_baseline = (1.0 - self.confidence) / baselines as f64;
        Ok(Spending::new(1.0 - error_per_baseline, most)?.confidence_at(previous, seeds)?)
    }

    /// The baseline without runs, its label first; a single value stands for as many runs as the algorithm has.
    fn given_scores(&self, seeds: usize) -> Result<Option<(&'static str, Scores)>, ClaimError> {
        let Some((label, values)) = self.given_baseline() else { return Ok(None) };
        let rows = values.into_iter().map(|values| match values {
            [value] => vec![*value; seeds],
            values => values.to_vec(),
        });
        Ok(Some((label, Scores::from_tasks(&rows.collect::<Vec<_>>())?)))
    }

    /// Scores in the margin's unit, larger is better.
    fn oriented(&self, scores: &Scores) -> Result<Scores, ClaimError> {
        if scores.tasks() != self.tasks.len() {
            let (first, second) = (scores.tasks(), self.tasks.len());
            return Err(StatisticsError::Mismatch { what: "tasks", first, second }.into());
        }
        let scores = match self.margin {
            Margin::Absolute(_) => scores.clone(),
            Margin::Fraction(_) => self.metric.normalised(scores, &self.tasks)?,
        };
        Ok(if self.metric.larger_is_better() { scores } else { scores.negated() })
    }

    /// The difference is always taken in the order of the labels: the algorithm and the baseline
    /// could exchange their roles in the claim, and the interval would be the same, mirrored.
    fn effect(
        &self,
        algorithm: &Scores,
        label: &str,
        baseline: &Scores,
        bootstrap: &Bootstrap,
    ) -> Result<Estimate, StatisticsError> {
        let iqm = Aggregate::InterquartileMean;
        if self.label() < label {
            difference(algorithm, baseline, iqm, bootstrap)
        } else {
            Ok(-difference(baseline, algorithm, iqm, bootstrap)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use assay_environments::random::Seed;
    use proptest::prelude::*;

    use super::{super::PublishedValues, *};

    /// A claim about one task with the labels and looks given.
    fn claim(algorithm: &str, baselines: &[&str], direction: Direction, margin: Margin) -> Claim {
        let baselines: String =
            baselines.iter().map(|b| format!("[[baselines]]\nname = \"{b}\"\n")).collect();
        let text = format!(
            "name = \"n\"\npaper = \"p\"\nstatement = \"s\"\nseeds = [6, 12]\n\
             [algorithm]\nname = \"{algorithm}\"\n{baselines}\
             [[tasks]]\nenvironment = {{ name = \"e\" }}\nbudget = 1\nreference = {{ low = 0.0, high = 10.0 }}"
        );
        Claim { direction, margin, ..Claim::parse(&text).unwrap() }
    }

    fn judge(claim: &Claim, algorithm: &[f64], baselines: &[&[f64]]) -> Judgement {
        let scores = |runs: &[f64]| Scores::single_task(runs).unwrap();
        let bootstrap = Bootstrap::new(400, 0.5, Seed::new(0)).unwrap();
        let baselines: Vec<Scores> = baselines.iter().map(|runs| scores(runs)).collect();
        claim.judge(&scores(algorithm), &baselines, &bootstrap).unwrap()
    }

    const LOW: [f64; 6] = [1.0, 1.1, 1.2, 0.9, 1.0, 1.3];
    const HIGH: [f64; 6] = [5.0, 5.1, 4.8, 5.3, 5.2, 5.0];

    #[test]
    fn clear_cases_are_decided_and_unclear_ones_are_not() {
        let verdict = |direction, margin, x: &[f64], y: &[f64]| {
            judge(&claim("a", &["b"], direction, Margin::Absolute(margin)), x, &[y]).verdict
        };
        let (good, better) = (Direction::AtLeastAsGood, Direction::Better);
        assert_eq!(verdict(better, 3.0, &HIGH, &LOW), Verdict::Reproduced);
        assert_eq!(verdict(better, 5.0, &HIGH, &LOW), Verdict::NotReproduced);
        assert_eq!(verdict(better, 0.0, &LOW, &HIGH), Verdict::NotReproduced);
        assert_eq!(verdict(good, 5.0, &LOW, &HIGH), Verdict::Reproduced);
        assert_eq!(verdict(good, 3.0, &LOW, &HIGH), Verdict::NotReproduced);
        let wide = [-4.0, 0.0, 3.0, 8.0, 1.0, 2.0];
        assert_eq!(verdict(good, 0.5, &wide, &LOW), Verdict::Undecided);
        assert_eq!(verdict(better, 0.5, &wide, &LOW), Verdict::Undecided);
        // Both solve the task in every run: on par, and not better.
        assert_eq!(verdict(good, 0.0, &[500.0; 6], &[500.0; 6]), Verdict::Reproduced);
        assert_eq!(verdict(better, 0.0, &[500.0; 6], &[500.0; 6]), Verdict::NotReproduced);
    }

    #[test]
    fn fractions_are_of_the_reference_range() {
        let verdict = |margin| judge(&claim("a", &["b"], Direction::Better, margin), &HIGH, &[&LOW]);
        let (absolute, fraction) = (verdict(Margin::Absolute(3.0)), verdict(Margin::Fraction(0.3)));
        let (a, f) = (absolute.comparisons[0].effect, fraction.comparisons[0].effect);
        assert!((a.value - 10.0 * f.value).abs() < 1e-9 && (a.low - 10.0 * f.low).abs() < 1e-9);
        assert_eq!(absolute.verdict, fraction.verdict);
    }

    #[test]
    fn less_is_better_where_the_metric_says_so() {
        let mut claim = claim("a", &["b"], Direction::Better, Margin::Absolute(1.0));
        claim.metric = super::super::Metric::StepsTo { level: 0.5 };
        assert_eq!(judge(&claim, &LOW, &[&HIGH]).verdict, Verdict::Reproduced);
        assert_eq!(judge(&claim, &HIGH, &[&LOW]).verdict, Verdict::NotReproduced);
    }

    #[test]
    fn the_claim_must_hold_against_every_baseline() {
        let claim = claim("a", &["b", "c"], Direction::Better, Margin::Absolute(1.0));
        let top = HIGH.map(|x| x + 5.0);
        assert_eq!(judge(&claim, &top, &[&LOW, &HIGH]).verdict, Verdict::Reproduced);
        let judgement = judge(&claim, &HIGH, &[&LOW, &HIGH]);
        assert_eq!(judgement.comparisons[0].verdict, Verdict::Reproduced);
        assert_eq!(judgement.verdict, judgement.comparisons[1].verdict);
    }

    #[test]
    fn a_published_value_is_a_baseline_without_runs() {
        let mut claim = claim("a", &["b"], Direction::AtLeastAsGood, Margin::Absolute(0.5));
        claim.tasks[0].published = Some(PublishedValues::Value(5.0));
        let judgement = judge(&claim, &HIGH, &[&LOW]);
        assert_eq!(judgement.comparisons[1].baseline, "published");
        assert!((judgement.comparisons[1].effect.value - 0.075).abs() < 1e-12, "{judgement:?}");
        assert_eq!(judgement.verdict, Verdict::Reproduced);
        assert!((judgement.confidence - 0.9875).abs() < 1e-12);
        claim.tasks[0].published = Some(PublishedValues::Value(7.0));
        assert_eq!(judge(&claim, &HIGH, &[&LOW]).verdict, Verdict::NotReproduced);
    }

    #[test]
    fn a_target_is_a_baseline_like_a_published_value() {
        let mut claim = claim("a", &["b"], Direction::AtLeastAsGood, Margin::Absolute(0.5));
        claim.tasks[0].published = Some(PublishedValues::Value(5.0));
        let published = judge(&claim, &HIGH, &[&LOW]);
        claim.tasks[0].published = None;
        claim.tasks[0].target = Some(5.0);
        let target = judge(&claim, &HIGH, &[&LOW]);
        assert_eq!(target.comparisons[1].baseline, "target");
        assert_eq!(target.comparisons[1].effect, published.comparisons[1].effect);
    }

    #[test]
    fn published_runs_bring_their_own_number_and_spread() {
        let mut claim = claim("a", &["b"], Direction::AtLeastAsGood, Margin::Absolute(0.5));
        let mut effect = |published| {
            claim.tasks[0].published = Some(published);
            judge(&claim, &HIGH, &[&LOW]).comparisons[1].effect
        };
        let one = effect(PublishedValues::Value(5.0));
        let spread = effect(PublishedValues::Runs(vec![3.0, 5.0, 5.0, 7.0]));
        assert!((one.value - spread.value).abs() < 1e-12, "{one}, {spread}");
        assert!(spread.low < one.low - 0.5 && spread.high > one.high + 0.5, "{one}, {spread}");
    }

    #[test]
    fn every_baseline_and_every_look_pays_for_its_share_of_the_error() {
        let one = claim("a", &["b"], Direction::Better, Margin::default());
        assert!((one.interval_confidence(6).unwrap() - 0.975).abs() < 1e-12);
        assert!((one.interval_confidence(12).unwrap() - 0.975).abs() < 1e-12);
        let two = claim("a", &["b", "c"], Direction::Better, Margin::default());
        assert!((two.interval_confidence(6).unwrap() - 0.9875).abs() < 1e-12);
        let message = one.interval_confidence(7).unwrap_err().to_string();
        assert_eq!(message, "`seeds` is 7; allowed: 6, 12");
    }

    #[test]
    fn scores_that_do_not_fit_the_claim_are_an_error() {
        use std::slice::from_ref;

        let claim = claim("a", &["b"], Direction::Better, Margin::default());
        let message =
            |x: &Scores, y: &[Scores]| claim.judge(x, y, &Bootstrap::default()).unwrap_err().to_string();
        let six = Scores::single_task(&LOW).unwrap();
        let five = six.first_runs(5).unwrap();
        let tasks = Scores::from_tasks(&[LOW, HIGH]).unwrap();
        assert_eq!(message(&six, &[]), "0 baselines cannot be compared with 1");
        assert_eq!(message(&six, from_ref(&five)), "5 runs cannot be compared with 6");
        assert_eq!(message(&tasks, from_ref(&tasks)), "2 tasks cannot be compared with 1");
        assert!(message(&five, from_ref(&six)).contains("`seeds` is 5"));
    }

    fn runs() -> impl Strategy<Value = Vec<f64>> {
        (-5.0..5.0f64, proptest::collection::vec(-3.0..3.0f64, 6))
            .prop_map(|(centre, noise)| noise.iter().map(|x| centre + x).collect())
    }

    proptest! {
        #[test]
        fn a_larger_margin_never_turns_the_verdict_the_other_way(
            x in runs(), y in runs(), margin in 0.0..5.0f64, more in 0.0..5.0f64,
        ) {
            let verdict = |direction, margin| {
                judge(&claim("a", &["b"], direction, Margin::Absolute(margin)), &x, &[&y]).verdict
            };
            let (good, better) = (Direction::AtLeastAsGood, Direction::Better);
            prop_assert!(verdict(good, margin + more) >= verdict(good, margin));
            prop_assert!(verdict(better, margin + more) <= verdict(better, margin));
            prop_assert!(verdict(good, margin) >= verdict(better, margin));
        }

        #[test]
        fn the_opposite_claim_with_exchanged_roles_has_the_opposite_verdict(
            x in runs(), y in runs(), margin in 0.0..5.0f64,
        ) {
            let margin = Margin::Absolute(margin);
            let there = judge(&claim("a", &["b"], Direction::Better, margin), &x, &[&y]);
            let back = judge(&claim("b", &["a"], Direction::AtLeastAsGood, margin), &y, &[&x]);
            prop_assert_eq!(there.comparisons[0].effect, -back.comparisons[0].effect);
            let opposite = match there.verdict {
                Verdict::Reproduced => Verdict::NotReproduced,
                Verdict::Undecided => Verdict::Undecided,
                Verdict::NotReproduced => Verdict::Reproduced,
            };
            prop_assert_eq!(back.verdict, opposite);
        }

        #[test]
        fn an_interval_across_the_threshold_is_undecided(
            threshold in -5.0..5.0f64, below in 0.01..3.0f64, above in 0.01..3.0f64,
        ) {
            let (low, high) = (threshold - below, threshold + above);
            let effect = Estimate { value: (low + high) / 2.0, low, high };
            let direction = if threshold > 0.0 { Direction::Better } else { Direction::AtLeastAsGood };
            prop_assert_eq!(Verdict::of(&effect, direction, threshold.abs()), Verdict::Undecided);
        }
    }
}
