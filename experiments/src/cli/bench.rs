//! `assay bench`.

use std::process::Command;

use clap::Args;

use super::Done;
use crate::Error;

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
        let here = std::env::current_dir().map_err(Error::file("read", ".".as_ref()))?;
        let checkout = here.ancestors().find(|folder| folder.join("experiments/benches").is_dir());
        let checkout = checkout.ok_or_else(|| {
            Error::Records(format!(
                "{} is not in a checkout of the source: there are no benchmarks",
                here.display()
            ))
        })?;
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
