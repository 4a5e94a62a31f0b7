//! What a paper claims, as data, and the verdict on it.
//!
//! A [`Claim`] names an algorithm, the baselines it is compared with, the tasks, a metric, and by
//! how much the algorithm must be better, or may be worse. It is a file under
//! `experiments/claims/`, and [`find`] gives it by name:
//!
//! ```toml
//! name = "example"
//! paper = "Author and Author 2020, arXiv 2001.00001, Table 2"
//! statement = "Example is on par with PPO or better."
//! runs = "example"                 # optional: shares its runs with the other claims that say so
//! seeds = [10, 20, 30]             # looks: stop after 10 seeds if decided, else after 20, else 30
//! confidence = 0.95
//! metric = "final-return"          # "area-under-curve", "worst-return", { steps-to = { level = 0.9 } }, { named = … }
//! direction = "at-least-as-good"   # or "better"
//! margin = { fraction = 0.05 }     # of the tasks' reference ranges; or { absolute = 20.0 }
//! evaluation = { episodes = 20 }   # as in an experiment
//! records = { interval = 1_000 }    # as in an experiment
//!
//! [algorithm]
//! name = "example"
//!
//! [[baselines]]
//! name = "ppo"
//! parameters = { learning_rate = 3e-4 }
//!
//! [[tasks]]
//! environment = { name = "CartPole-v1", copies = 8 }
//! budget = 100_000                 # environment steps
//! reference = { low = 22.0, high = 500.0 }
//! published = 500.0                # optional: a baseline that needs no runs; one value, or [500.0, …]
//! # or: target = 400.0              # a bar of the claim's own in its place
//! parameters.ppo = { epochs = 20 } # on this task only, over the algorithm's own
//! ```
//!
//! How it is decided: the effect is the difference of interquartile means, pooled over tasks and
//! seeds, with a bootstrap interval ([`difference`](crate::statistics::difference)). The claim sets
//! a threshold for it. An interval on the claimed side of the threshold reproduces the claim, one on
//! the other side refutes it, and one across it leaves it [`Undecided`](Verdict::Undecided), which
//! is no verdict on the paper but says that more seeds are needed. The intervals of all baselines and
//! all looks hold together with probability `confidence`: each gets an equal share of the error per
//! baseline, and over the looks as [`Spending`](crate::statistics::Spending) says. So neither many
//! baselines nor many looks make a false verdict more likely.

mod committed;
mod judgement;
mod metric;
mod read;

pub use committed::{find, names};
pub use judgement::{Comparison, Judgement, Verdict};
pub use metric::Metric;
pub use read::ClaimError;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{Error, experiment::Experiment, statistics::Reference};

/// A claim. Made by [`Claim::parse`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Claim {
    /// What it is called on the command line, and where its records are kept.
    pub name: String,
    /// Where the claim stands: authors, year, identifier, table or figure.
    pub paper: String,
    /// The claim in words.
    pub statement: String,
    /// What the runs are called that it rests on, where several claims rest on the same ones; else
    /// they have the claim's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<String>,
    /// After how many seeds to look, increasing. The first look has seeds 0 to `seeds[0]` − 1.
    pub seeds: Vec<usize>,
    /// The probability with which all intervals behind the verdict hold.
    pub confidence: f64,
    /// What is compared.
    pub metric: Metric,
    /// Whether the metric, which must be a named one, is a power of the samples: then its fitted
    /// exponents are reported beside the verdict, and the figure has logarithmic axes.
    pub rates: bool,
    /// Which side of the threshold is claimed.
    pub direction: Direction,
    /// The threshold's distance from no difference.
    pub margin: Margin,
    /// How policies are evaluated: the section `[evaluation]` of every experiment.
    pub evaluation: Table,
    /// What is written how often: the section `[records]` of every experiment.
    pub records: Table,
    /// The algorithm that the claim is about, as in an experiment.
    pub algorithm: Table,
    /// What it is compared with, as in an experiment.
    pub baselines: Vec<Table>,
    /// Where they are compared.
    pub tasks: Vec<Task>,
}

impl Default for Claim {
    /// Nothing is claimed yet; one look at 10 seeds with 95 %.
    fn default() -> Self {
        Claim {
            name: String::new(),
            paper: String::new(),
            statement: String::new(),
            runs: None,
            seeds: vec![10],
            confidence: 0.95,
            metric: Metric::default(),
            rates: false,
            direction: Direction::default(),
            margin: Margin::default(),
            evaluation: Table::new(),
            records: Table::new(),
            algorithm: Table::new(),
            baselines: Vec::new(),
            tasks: Vec::new(),
        }
    }
}

/// One environment with a budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The environment, as in an experiment.
    pub environment: Table,
    /// Environment steps of each run, over all copies.
    pub budget: u64,
    /// Two values of the metric that span what matters, for example a random policy's return and
    /// the best one known. For [`Metric::StepsTo`], two returns.
    pub reference: Reference,
    /// What others have reached, as a further baseline called `published` that needs no runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<PublishedValues>,
    /// A value of the metric that the claim sets as a bar of its own, where nothing is published: a
    /// baseline called `target` that needs no runs. Not beside [`Task::published`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// Parameters on this task only, by the algorithm's label, over its own parameters.
    #[serde(default)]
    pub parameters: Table,
}

/// Values of the metric that another implementation has reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PublishedValues {
    /// One value, as papers and benchmark tables give it. Its own uncertainty is unknown and not in
    /// the interval.
    Value(f64),
    /// One value per run, at least two; how they vary is in the interval.
    Runs(Vec<f64>),
}

impl PublishedValues {
    /// The values, however many there are.
    pub fn values(&self) -> &[f64] {
        match self {
            PublishedValues::Value(value) => std::slice::from_ref(value),
            PublishedValues::Runs(values) => values,
        }
    }
}

/// The label of the baseline that [`Task::published`] is.
pub const PUBLISHED: &str = "published";

/// The label of the baseline that [`Task::target`] is.
pub const TARGET: &str = "target";

/// Which side of the threshold is claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Not worse than the baseline by more than the margin (non-inferiority).
    #[default]
    AtLeastAsGood,
    /// Better than the baseline by more than the margin (superiority).
    Better,
}

/// How much of a difference matters; not negative.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Margin {
    /// In the metric's own unit; for claims about one task.
    Absolute(f64),
    /// As a fraction of each task's reference range, or of its budget where the metric is a number
    /// of steps. Scores are normalised by it before they are pooled.
    Fraction(f64),
}

impl Default for Margin {
    fn default() -> Self {
        Margin::Fraction(0.0)
    }
}

impl Margin {
    /// The number, whatever its unit.
    pub fn value(self) -> f64 {
        match self {
            Margin::Absolute(value) | Margin::Fraction(value) => value,
        }
    }
}

/// What an algorithm is called in a claim: its label, or its name where it has none.
fn label(algorithm: &Table) -> &str {
    let text = |key| algorithm.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    text("label").or_else(|| text("name")).unwrap_or_default()
}

impl Claim {
    /// The algorithm's label.
    pub fn label(&self) -> &str {
        label(&self.algorithm)
    }

    /// The labels of the baselines that are run.
    pub fn baseline_labels(&self) -> impl Iterator<Item = &str> {
        self.baselines.iter().map(label)
    }

    /// The baseline that needs no runs, if the claim has one: its label, and its values on every task.
    fn given_baseline(&self) -> Option<(&'static str, Vec<&[f64]>)> {
        let published = self.tasks.iter().map(|task| Some(task.published.as_ref()?.values()));
        let target = self.tasks.iter().map(|task| Some(std::slice::from_ref(task.target.as_ref()?)));
        match published.collect::<Option<_>>() {
            Some(values) => Some((PUBLISHED, values)),
            None => Some((TARGET, target.collect::<Option<_>>()?)),
        }
    }

    /// The experiment behind one task with so many seeds: the algorithm first, then the baselines,
    /// each with the task's parameters over its own. It is called `name-1`, `name-2`, … after the
    /// claim's runs, or as they are where there is one task only. More seeds leave the runs of fewer as
    /// they are. Panics when there is no such task.
    pub fn experiment(&self, task: usize, seeds: usize) -> Result<Experiment, Error> {
        Experiment::from_table(self.table(task, seeds), &format!("claim {}", self.name))
    }

    /// The same as an experiment's file would have it.
    fn table(&self, task: usize, seeds: usize) -> Table {
        let Task { environment, budget, parameters, .. } = &self.tasks[task];
        let runs = self.runs.as_ref().unwrap_or(&self.name);
        let name = if self.tasks.len() == 1 { runs.clone() } else { format!("{runs}-{}", task + 1) };
        let algorithm = |algorithm: &Table| {
            let mut algorithm = algorithm.clone();
            if let Some(over) = parameters.get(label(&algorithm)).and_then(Value::as_table) {
                let own = algorithm.entry("parameters").or_insert_with(|| Table::new().into());
                if let Some(own) = own.as_table_mut() {
                    own.extend(over.clone());
                }
            }
            Value::from(algorithm)
        };
        let algorithms = std::iter::once(&self.algorithm).chain(&self.baselines).map(algorithm);
        Table::from_iter([
            ("name".to_owned(), name.into()),
            ("seeds".to_owned(), Value::Integer(seeds as i64)),
            ("budget".to_owned(), Value::Integer(*budget as i64)),
            ("environment".to_owned(), environment.clone().into()),
            ("evaluation".to_owned(), self.evaluation.clone().into()),
            ("records".to_owned(), self.records.clone().into()),
            ("algorithm".to_owned(), Value::Array(algorithms.collect())),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"
        name = "example"
        paper = "Author 2020"
        statement = "Ours is better."
        seeds = [10, 20]
        direction = "better"
        margin = { fraction = 0.1 }

        [algorithm]
        name = "mdpo"
        label = "ours"
        parameters = { steps = 10 }

        [[baselines]]
        name = "ppo"

        [[tasks]]
        environment = { name = "CartPole-v1", copies = 8 }
        budget = 1000
        reference = { low = 20.0, high = 500.0 }
        parameters.ppo = { epochs = 3 }

        [[tasks]]
        environment = { name = "Acrobot-v1" }
        budget = 2000
        reference = { low = -500.0, high = -80.0 }
        parameters.ours = { rate = 1e-3 }
    "#;

    fn example() -> Claim {
        Claim::parse(EXAMPLE).unwrap()
    }

    /// The message about the example with `from` replaced by `to`.
    fn message(from: &str, to: &str) -> String {
        assert!(EXAMPLE.contains(from), "{from}");
        Claim::parse(&EXAMPLE.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_reads_back() {
        assert_eq!(Claim::parse(&example().to_toml()).unwrap(), example());
    }

    #[test]
    fn every_task_is_an_experiment_with_its_parameters_over_the_algorithms() {
        let expected: Table = r#"
            name = "example-2"
            seeds = 20
            budget = 2000
            environment = { name = "Acrobot-v1" }
            evaluation = {}
            records = {}
            algorithm = [
                { name = "mdpo", label = "ours", parameters = { steps = 10, rate = 1e-3 } },
                { name = "ppo" },
            ]
        "#
        .parse()
        .unwrap();
        assert_eq!(example().table(1, 20), expected);
        let first = example().table(0, 10);
        assert_eq!(first["algorithm"][1]["parameters"]["epochs"], Value::Integer(3));
        assert_eq!(first["name"], Value::from("example-1"));
    }

    #[test]
    fn a_mistake_is_named_with_field_value_and_what_is_allowed() {
        for (from, to, expected) in [
            ("[10, 20]", "[20, 10]", "`seeds` is [20, 10]; allowed: increasing numbers of seeds"),
            ("[10, 20]", "[]", "`seeds` is []"),
            ("[10, 20]", "[0]", "`seeds` is [0]"),
            ("0.1", "-0.1", "`margin` is -0.1; allowed: 0 and more"),
            ("fraction", "absolute", "`tasks` is 2; allowed: 1, since the margin is absolute"),
            ("\"better\"", "\"beter\"", "unknown direction `beter` (did you mean `better`?)"),
            ("budget = 1000", "budget = 0", "`budget` is 0; allowed: 1 and more"),
            ("budget = 1000", "budgt = 1000", "unknown field of claim's tasks `budgt`"),
            ("low = 20.0", "low = 500.0", "`high` is 500; allowed: a finite number above 500"),
            ("parameters.ours", "parameters.our", "`our` (did you mean `ours`?); known: ours, ppo"),
            ("name = \"ppo\"", "name = \"ours\"", "`label` is ours"),
            ("name = \"ppo\"", "", "`algorithm` is without a name"),
            ("name = \"ppo\"", "name = \"published\"", "`label` is published"),
            ("budget = 2000", "budget = 2000\npublished = 1.0", "`published` is given for 1 tasks"),
            ("budget = 1000", "budget = 1000\ntarget = 1.0", "`target` is given for 1 tasks"),
            ("statement", "runs = \"\"\nstatement", "`runs` is empty"),
            ("\"Author 2020\"", "\"\"", "`paper` is empty"),
            ("seeds", "sedes", "unknown field of claim `sedes` (did you mean `seeds`?)"),
            ("= \"better\"", "=", "not TOML"),
        ] {
            let message = message(from, to);
            assert!(message.contains(expected), "{message}");
        }
    }
}
