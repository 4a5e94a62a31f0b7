//! `assay compare` and `assay export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Done, FolderArguments};
use crate::{
    Error, records,
    results::{self, Measure},
};

/// Compares the algorithms of experiments in a table.
///
/// Interquartile means over the seeds with stratified bootstrap 95 % intervals, and the probability
/// that a run beats one of the first algorithm. Of each run the last policy counts, not the best.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    assay compare runs/cartpole\n  \
    assay compare runs/cartpole --against PPO --format markdown\n  \
    assay compare runs/cartpole --measure area-under-curve --format csv > table.csv")]
pub(super) struct Compare {
    #[command(flatten)]
    folders: FolderArguments,
    /// What is compared: final-return, area-under-curve, or a column of metrics.csv.
    #[arg(long, default_value = "final-return")]
    measure: String,
    /// Less of the measure is better.
    #[arg(long)]
    less_is_better: bool,
    /// How the table is printed.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Aligned columns.
    Text,
    /// A Markdown table.
    Markdown,
    /// Comma-separated values with every digit.
    Csv,
}

impl Compare {
    pub(super) fn execute(self) -> Result<Done, Error> {
        let groups = self.folders.groups()?;
        let measure = Measure::named(&self.measure);
        let table = results::table(&groups, &measure, !self.less_is_better)?;
        print!(
            "{}",
            match self.format {
                Format::Text => table.to_text(),
                Format::Markdown => table.to_markdown(),
                Format::Csv => table.to_csv(),
            }
        );
        Ok(Done::All)
    }
}

/// Copies finished runs without their checkpoints.
///
/// What statistics need (configuration, machine, evaluations, metrics, result) is small enough to be kept
/// with a paper, and `assay compare` and `assay plot` read it as they read the whole records.
#[derive(Args)]
#[command(after_help = "Example:\n  assay export runs/cartpole results")]
pub(super) struct Export {
    /// Folder of records.
    from: PathBuf,
    /// The folder that gets `<experiment>/<label>/seed-<n>`.
    to: PathBuf,
}

impl Export {
    pub(super) fn execute(self) -> Result<Done, Error> {
        let mut runs = 0;
        for group in results::groups(std::slice::from_ref(&self.from))? {
            for (record, _) in &group.finished {
                records::copy(record, &self.to, &records::KeptMetrics::All)?;
                runs += 1;
            }
        }
        eprintln!("{runs} finished runs are in {}", self.to.display());
        Ok(Done::All)
    }
}
