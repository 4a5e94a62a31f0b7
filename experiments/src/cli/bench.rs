//! `assay bench`.

use std::process::Command;

use clap::Args;

use super::Done;
use crate::{Error, publication};

/// Runs the benchmarks.
///
/// They are compiled from source: this needs a checkout and cargo.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    assay bench\n  \
    assay bench cartpole\n\n\
    The same without this program: cargo bench -p assay-experiments -- [FILTER]")]
pub(super) struct Bench {
    /// Only benchmarks whose name contains this.
    filter: Option<String>,
}

impl Bench {
    pub(super) fn execute(self) -> Result<Done, Error> {
        let checkout = publication::checkout()?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(checkout).args(["bench", "--package", "assay-experiments", "--benches"]);
        if let Some(filter) = self.filter {
            command.args(["--", &filter]);
        }
        let status = command.status().map_err(Error::file("run", "cargo".as_ref()))?;
        Ok(if status.success() { Done::All } else { Done::WithFailures })
    }
}
