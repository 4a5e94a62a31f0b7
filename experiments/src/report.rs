//! What a person is shown of a claim's evidence: the verdict, the effect with its interval, a table
//! and a figure. As text for a terminal and as Markdown for a page.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use assay_plots::{Figure, Plot, Reference};

use crate::{
    Error,
    claims::{Claim, Comparison, Direction, Judgement, Margin, Metric, PUBLISHED, PublishedValues},
    evidence::Published,
    figures::{self, Kind},
    rates,
    records::files::write_atomically,
    results::{Group, Measure},
    statistics::{Aggregate, Bootstrap, Scores},
    tables::Table,
};

/// A claim, the verdict on it, and the finished runs that it rests on. Made by
/// [`evidence::judge`](crate::evidence::judge).
#[derive(Clone, Debug)]
pub struct Report {
    claim: Claim,
    published: Published,
    /// Of each task, the algorithm's runs and those of the baselines, in the claim's order.
    tasks: Vec<Vec<Group>>,
}

/// Where a report was written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The verdict and what it rests on, for programs ([`Published`]).
    pub json: PathBuf,
    /// The report, for people.
    pub markdown: PathBuf,
    /// The figure.
    pub figure: assay_plots::Files,
}

impl Report {
    pub(crate) fn new(claim: Claim, published: Published, tasks: Vec<Vec<Group>>) -> Self {
        Report { claim, published, tasks }
    }

    /// The claim that was judged.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The verdict.
    pub fn published(&self) -> &Published {
        &self.published
    }

    /// The runs behind the verdict, task by task.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.tasks.iter().flatten()
    }

    /// The report for a terminal.
    pub fn to_text(&self) -> Result<String, Error> {
        let Judgement { verdict, seeds, .. } = &self.published.judgement;
        let mut text = format!("{}: {}\n", self.claim.name, self.claim.statement);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{verdict}, after {}\n", counted(*seeds));
        for line in self.comparisons() {
            let _ = writeln!(text, "  {line}");
        }
        let _ = writeln!(text, "\n{}\n\n{}", self.explanation()?, self.table()?.to_text().trim_end());
        Ok(text + &self.rates()?)
    }

    /// The report for a page. `figure` is where the page finds the figure.
    pub fn to_markdown(&self, figure: &str) -> Result<String, Error> {
        let Judgement { verdict, seeds, .. } = &self.published.judgement;
        let name = &self.claim.name;
        let mut text =
            format!("{}\n\n**Verdict: {verdict}**, after {seeds} seeds.\n\n", self.claim.statement);
        for line in self.comparisons() {
            let _ = writeln!(text, "- {line}");
        }
        let _ = writeln!(text, "\n{}\n\n{}", self.explanation()?, self.table()?.to_markdown());
        text.push_str(&self.rates()?);
        let _ = writeln!(text, "![Learning curves of the claim {name}]({figure})\n");
        let _ = writeln!(text, "Reproduce it with `assay claim {name}`.");
        Ok(text)
    }

    /// Writes the report into `folder` as `<claim>.json`, `.md`, `.svg` and `.png`.
    pub fn write(&self, folder: &Path) -> Result<Files, Error> {
        let name = &self.claim.name;
        let json = folder.join(format!("{name}.json"));
        let markdown = folder.join(format!("{name}.md"));
        let page = self.to_markdown(&format!("{name}.svg"))?;
        let figure = assay_plots::write(&self.figure()?, &folder.join(name))?;
        write_atomically(&markdown, page.as_bytes())?;
        write_atomically(&json, self.published.to_json().as_bytes())?;
        Ok(Files { json, markdown, figure })
    }

    /// One line per baseline.
    fn comparisons(&self) -> Vec<String> {
        let Judgement { comparisons, confidence, .. } = &self.published.judgement;
        let line = |comparison: &Comparison| {
            format!(
                "against {}: {}; effect {:.3} ({:.1} % interval); probability of improvement {:.2} ({:.0} % interval)",
                comparison.baseline,
                comparison.verdict,
                comparison.effect,
                100.0 * confidence,
                comparison.probability_of_improvement,
                100.0 * self.claim.confidence,
            )
        };
        comparisons.iter().map(line).collect()
    }

    /// What the effect is, and what is claimed of it.
    fn explanation(&self) -> Result<String, Error> {
        let unit = match (self.claim.margin, &self.claim.metric) {
            (Margin::Absolute(_), _) => "",
            (Margin::Fraction(_), Metric::StepsTo { .. }) => " as a fraction of the budget",
            (Margin::Fraction(_), _) => " as a fraction of each task's reference range",
        };
        let margin = self.claim.margin.value();
        let threshold = match self.claim.direction {
            Direction::AtLeastAsGood => format!("at least {}", if margin == 0.0 { 0.0 } else { -margin }),
            Direction::Better => format!("above {margin}"),
        };
        let mut text = format!(
            "The effect is the difference of interquartile means of {}{unit}, positive where {} is better; \
             claimed is an effect {threshold}.",
            measured(&self.claim.metric),
            self.claim.label(),
        );
        if let Metric::Named { name, .. } = &self.claim.metric {
            for task in 0..self.tasks.len() {
                let _ = write!(
                    text,
                    "\nWorst {name} of any run, {}: {}.",
                    self.task_name(task),
                    self.worst(task)?
                );
            }
        }
        Ok(text)
    }

    /// What the worst run of each algorithm came to on a task: interquartile means leave bad runs out.
    fn worst(&self, task: usize) -> Result<String, Error> {
        let metric = &self.claim.metric;
        let worst = |group: &Group| {
            let scores = group.metric(metric, &self.claim.tasks[task])?;
            let pick = if metric.larger_is_better() { f64::min } else { f64::max };
            let worst = scores.task(0).iter().copied().reduce(pick).unwrap_or(f64::NAN);
            Ok(format!("{} {}", group.label, (worst * 1e4).round() / 1e4))
        };
        Ok(self.tasks[task].iter().map(worst).collect::<Result<Vec<_>, Error>>()?.join(", "))
    }

    /// The claim's metric on each task, and the final return where it is another. Claims about returns
    /// also have the average return.
    fn table(&self) -> Result<Table, Error> {
        let mut metrics = vec![self.claim.metric.clone()];
        let of_returns = !matches!(self.claim.metric, Metric::Named { .. });
        let returns = [Metric::FinalReturn].into_iter().chain(of_returns.then_some(Metric::AreaUnderCurve));
        metrics.extend(returns.filter(|metric| *metric != self.claim.metric));
        let mut table = Table::new(Bootstrap::default());
        for (i, (groups, task)) in self.tasks.iter().zip(&self.claim.tasks).enumerate() {
            let published = task.published.as_ref().map(PublishedValues::values);
            for (j, metric) in metrics.iter().enumerate() {
                let scores = groups.iter().map(|group| group.metric(metric, task));
                let scores = scores.collect::<Result<Vec<Scores>, _>>()?;
                let labels = groups.iter().map(|group| group.label.as_str());
                let algorithms: Vec<(&str, &Scores)> = labels.zip(&scores).collect();
                let title = format!("{}, {}", self.task_name(i), measured(metric));
                table.add(&title, metric.larger_is_better(), &algorithms)?;
                if let (0, Some(values)) = (j, published) {
                    table.add_published(&title, PUBLISHED, values)?;
                }
            }
        }
        Ok(table)
    }

    /// The environment's name, where that tells the task from the others; else the experiment's.
    fn task_name(&self, task: usize) -> &str {
        let name = |groups: &'_ [Group]| groups.first().map(|group| group.environment.clone());
        let same = self.tasks.iter().filter(|groups| name(groups) == name(&self.tasks[task])).count();
        let first = &self.tasks[task][0];
        if same == 1 { &first.environment } else { &first.experiment }
    }

    /// The fitted exponents of the metric, where the claim is about a rate.
    fn rates(&self) -> Result<String, Error> {
        match &self.claim.metric {
            Metric::Named { name, .. } if self.claim.rates => rates::tables(&self.tasks.concat(), name),
            _ => Ok(String::new()),
        }
    }

    /// Learning curves, one panel per task, and published returns as lines. Of a claim about a metric,
    /// how that went.
    fn figure(&self) -> Result<Figure, Error> {
        let groups = self.tasks.concat();
        let measure = match &self.claim.metric {
            Metric::Named { name, .. } => Measure::Metric(name.clone()),
            Metric::WorstReturn => Measure::WorstReturn,
            _ => Measure::FinalReturn,
        };
        let kind = if self.claim.rates { Kind::Rates } else { Kind::Curves };
        let mut figure = figures::figure(kind, &groups, &measure, true)?;
        if matches!(self.claim.metric, Metric::FinalReturn | Metric::AreaUnderCurve) {
            for (panel, task) in figure.panels.iter_mut().zip(&self.claim.tasks) {
                if let (Plot::Curves(curves), Some(published)) = (&mut panel.plot, &task.published) {
                    let value = Aggregate::InterquartileMean.of(&Scores::single_task(published.values())?);
                    curves.references.push(Reference::new(PUBLISHED, value));
                }
            }
        }
        if let Metric::WorstReturn = self.claim.metric {
            figure.panels.extend(figures::maps(&groups)?);
            figure = Figure::new(figure.panels).ordered(figure.order);
        }
        Ok(figure)
    }
}

/// The metric's name in a sentence.
fn measured(metric: &Metric) -> String {
    match metric {
        Metric::FinalReturn => "final return".into(),
        Metric::AreaUnderCurve => "average return".into(),
        Metric::WorstReturn => "worst return".into(),
        Metric::StepsTo { level } => format!("steps to {level} of the reference range"),
        Metric::Named { name, .. } => name.clone(),
    }
}

fn counted(seeds: usize) -> String {
    format!("{seeds} seed{}", if seeds == 1 { "" } else { "s" })
}
