//! Scores on one scale, so that tasks can be pooled.

use assay_environments::parameters::require;
use serde::{Deserialize, Serialize};

use super::{Scores, StatisticsError};

/// Two scores of a task that everybody knows, for example a random policy's and an expert's: they
/// become 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The score that becomes 0.
    pub low: f64,
    /// The score that becomes 1.
    pub high: f64,
}

impl Reference {
    /// Errors unless both scores are finite and `low` is below `high`.
    pub fn validate(&self) -> Result<(), StatisticsError> {
        require("low", self.low, self.low.is_finite(), "a finite number")?;
        let valid = self.high.is_finite() && self.high > self.low;
        Ok(require("high", self.high, valid, &format!("a finite number above {}", self.low))?)
    }

    /// The distance between the two scores.
    pub fn range(&self) -> f64 {
        self.high - self.low
    }

    /// One score, normalised: (score − low) / (high − low).
    pub fn normalise(&self, score: f64) -> f64 {
        (score - self.low) / self.range()
    }
}

impl Scores {
    /// The scores normalised with one reference per task; errors when there are not as many
    /// references as tasks, or one of them is no range.
    pub fn normalised(&self, references: &[Reference]) -> Result<Scores, StatisticsError> {
        if references.len() != self.tasks() {
            let (first, second) = (self.tasks(), references.len());
            return Err(StatisticsError::Mismatch { what: "tasks", first, second });
        }
        references.iter().try_for_each(Reference::validate)?;
        self.map(|task, score| references[task].normalise(score))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_become_zero_and_one() {
        let scores = Scores::from_tasks(&[[20.0, 500.0], [-1200.0, -200.0]]).unwrap();
        let references = [Reference { low: 20.0, high: 500.0 }, Reference { low: -1200.0, high: -200.0 }];
        let normalised = scores.normalised(&references).unwrap();
        assert_eq!(normalised, Scores::from_tasks(&[[0.0, 1.0], [0.0, 1.0]]).unwrap());
    }

    #[test]
    fn a_reference_that_is_no_range_is_an_error() {
        let scores = Scores::single_task(&[1.0]).unwrap();
        let message = |low, high| scores.normalised(&[Reference { low, high }]).unwrap_err().to_string();
        assert_eq!(message(1.0, 1.0), "`high` is 1; allowed: a finite number above 1");
        assert_eq!(message(f64::NAN, 1.0), "`low` is NaN; allowed: a finite number");
        assert!(scores.normalised(&[]).is_err());
    }
}
