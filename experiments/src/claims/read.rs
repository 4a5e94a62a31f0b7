//! Reading and checking claims.

use assay_environments::parameters::{self, ParameterError, require};
use thiserror::Error as ThisError;

use super::{Claim, Margin, Metric, PUBLISHED, PublishedValues, TARGET, label};
use crate::statistics::StatisticsError;

/// A claim that cannot be read, or scores that it cannot be judged by.
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum ClaimError {
    /// The text is not TOML.
    #[error("the claim is not TOML: {reason}")]
    Syntax {
        /// What the reader says, with line and column.
        reason: String,
    },
    /// A field that is unknown, missing or out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Scores that do not fit the claim.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
}

impl Claim {
    /// Reads and checks a claim's file. What its experiments consist of (algorithms, environments
    /// and their parameters) is checked when they are made.
    pub fn parse(text: &str) -> Result<Self, ClaimError> {
        let syntax = |e: toml::de::Error| ClaimError::Syntax { reason: e.to_string().trim_end().to_owned() };
        let claim: Claim = parameters::read("claim", &text.parse().map_err(syntax)?)?;
        claim.validate()?;
        Ok(claim)
    }

    /// The claim as TOML; reads back as the same value.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a claim is representable in TOML")
    }

    fn validate(&self) -> Result<(), ClaimError> {
        let runs = self.runs.as_ref().map(|runs| ("runs", runs));
        let texts = [("name", &self.name), ("paper", &self.paper), ("statement", &self.statement)];
        for (field, value) in texts.into_iter().chain(runs) {
            require(field, "empty", !value.trim().is_empty(), "some text")?;
        }
        self.validate_statistics()?;
        self.validate_contenders()?;
        self.validate_tasks()
    }

    fn validate_statistics(&self) -> Result<(), ClaimError> {
        let looks = &self.seeds;
        let valid = looks.first().is_some_and(|&first| first > 0) && looks.is_sorted_by(|a, b| a < b);
        require("seeds", format!("{looks:?}"), valid, "increasing numbers of seeds, 1 and more")?;
        let valid = self.confidence > 0.0 && self.confidence < 1.0;
        require("confidence", self.confidence, valid, "between 0 and 1, both excluded")?;
        let margin = self.margin.value();
        require("margin", margin, margin >= 0.0 && margin.is_finite(), "0 and more")?;
        if let Margin::Absolute(_) = self.margin {
            let tasks = self.tasks.len();
            require("tasks", tasks, tasks <= 1, "1, since the margin is absolute")?;
        }
        let named = matches!(self.metric, Metric::Named { .. });
        require("rates", self.rates, named || !self.rates, "true only for a named metric")?;
        if let Metric::StepsTo { level } = self.metric {
            require("level", level, level.is_finite(), "a finite number")?;
        }
        Ok(())
    }

    fn validate_contenders(&self) -> Result<(), ClaimError> {
        let any = !self.baselines.is_empty() || self.given_baseline().is_some();
        let published = self.tasks.iter().filter(|task| task.published.is_some()).count();
        let target = self.tasks.iter().filter(|task| task.target.is_some()).count();
        for (field, count) in [("published", published), ("target", target)] {
            let whole = count == 0 || count == self.tasks.len();
            require(field, format!("given for {count} tasks"), whole, "for all tasks or for none")?;
        }
        require("target", "given", target == 0 || published == 0, "one of `published` and `target`")?;
        require("baselines", "empty", any, "at least one, or a published value, or a target")?;
        let mut counts = self.tasks.iter().flat_map(|task| &task.published).map(|p| p.values().len());
        let first = counts.next();
        for count in counts.chain(first) {
            let allowed = "as many values for every task, at least one";
            require("published", format!("{count} values"), count > 0 && Some(count) == first, allowed)?;
        }
        let mut known: Vec<&str> = Vec::new();
        for algorithm in std::iter::once(&self.algorithm).chain(&self.baselines) {
            let label = label(algorithm);
            require("algorithm", "without a name", !label.is_empty(), "name = \"…\" in each")?;
            let unique = ![PUBLISHED, TARGET].contains(&label) && !known.contains(&label);
            let allowed =
                "a label that no other algorithm of the claim has, and neither `published` nor `target`";
            require("label", label, unique, allowed)?;
            known.push(label);
        }
        for name in self.tasks.iter().flat_map(|task| task.parameters.keys()) {
            if !known.contains(&name.as_str()) {
                return Err(parameters::unknown("algorithm of the claim", name, known).into());
            }
        }
        Ok(())
    }

    fn validate_tasks(&self) -> Result<(), ClaimError> {
        require("tasks", "empty", !self.tasks.is_empty(), "at least one")?;
        for task in &self.tasks {
            let allowed = "1 and more, below 2^63";
            require("budget", task.budget, (1..=i64::MAX as u64).contains(&task.budget), allowed)?;
            task.reference.validate()?;
            for published in task.published.iter().flat_map(PublishedValues::values) {
                require("published", published, published.is_finite(), "finite numbers")?;
            }
            if let Some(target) = task.target {
                require("target", target, target.is_finite(), "a finite number")?;
            }
            for (label, parameters) in &task.parameters {
                require(label, parameters, parameters.is_table(), "a table of parameters")?;
            }
        }
        Ok(())
    }
}
