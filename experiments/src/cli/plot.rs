//! `assay plot`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Done, FolderArguments};
use crate::{Error, figures, results::Measure};

/// Draws the results of experiments as SVG and PNG.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    assay plot runs/cartpole\n  \
    assay plot runs/cartpole runs/pendulum --output figures/returns\n  \
    assay plot runs/cartpole --kind improvement --against MDPO --output figures/improvement")]
pub(super) struct Plot {
    #[command(flatten)]
    folders: FolderArguments,
    /// What is drawn.
    #[arg(long, value_enum, default_value = "curves")]
    kind: Kind,
    /// What is drawn of each run, except for curves: final-return, area-under-curve, or a column of
    /// metrics.csv.
    #[arg(long, default_value = "final-return")]
    measure: String,
    /// Less of the measure is better.
    #[arg(long)]
    less_is_better: bool,
    /// The files without their ending.
    #[arg(long, default_value = "figure")]
    output: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Return over environment steps, interquartile mean with 95 % bands.
    Curves,
    /// Interquartile mean with its 95 % interval, one row per algorithm.
    Scores,
    /// Performance profiles: the share of runs above each threshold.
    Profiles,
    /// The probability that a run of the first algorithm beats one of each other.
    Improvement,
    /// A metric over environment steps on logarithmic axes, with the fitted power.
    Rates,
}

impl Plot {
    pub(super) fn execute(self) -> Result<Done, Error> {
        let kind = match self.kind {
            Kind::Curves => figures::Kind::Curves,
            Kind::Scores => figures::Kind::Scores,
            Kind::Profiles => figures::Kind::Profiles,
            Kind::Improvement => figures::Kind::Improvement,
            Kind::Rates => figures::Kind::Rates,
        };
        let measure = Measure::named(&self.measure);
        let figure = figures::figure(kind, &self.folders.groups()?, &measure, !self.less_is_better)?;
        let files = assay_plots::write(&figure, &self.output)?;
        println!("{}\n{}", files.svg.display(), files.png.display());
        Ok(Done::All)
    }
}
