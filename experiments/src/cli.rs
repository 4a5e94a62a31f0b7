//! The `assay` command: every subcommand is a file in this folder, a thin layer over the library.
//!
//! Results go to standard output, progress and messages to standard error. Exit codes: 0 when all
//! is done, 1 on an error, 2 on a mistake in the arguments, 130 when stopped by Ctrl-C.

mod bench;
pub(crate) mod claim;
mod compare;
mod list;
mod plot;
mod run;
mod watch;

use std::{num::NonZeroUsize, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    Error,
    results::{self, Group},
    schedule::Session,
};

/// Runs reinforcement-learning experiments and says what their results are worth.
#[derive(Parser)]
#[command(name = "assay", version = crate::run::CODE_VERSION, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Resume(run::Resume),
    List(list::List),
    Compare(compare::Compare),
    Plot(plot::Plot),
    Watch(watch::Watch),
    Export(compare::Export),
    Claim(claim::ClaimCommand),
    Bench(bench::Bench),
    Environments(list::Environments),
    Algorithms(list::Algorithms),
}

/// Whether a command has done all that it was asked for.
pub(crate) enum Done {
    /// All of it.
    All,
    /// Some runs failed; their records say why.
    WithFailures,
    /// Stopped; it can be resumed.
    Stopped,
}

/// What commands that drive runs accept.
#[derive(Args)]
struct SessionArguments {
    /// Runs that are computed at the same time; default: one per processor.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Tries runs again that failed before.
    #[arg(long)]
    retry_failed: bool,
}

impl SessionArguments {
    fn session(&self) -> Session {
        Session { threads: self.threads, retry_failed: self.retry_failed }
    }
}

/// What commands that read finished runs accept.
#[derive(Args)]
struct FolderArguments {
    /// Folders of records: all experiments, one, or one algorithm's.
    #[arg(default_value = "runs")]
    folders: Vec<PathBuf>,
    /// The label that stands first and that the others are compared with.
    #[arg(long, value_name = "LABEL")]
    against: Option<String>,
}

impl FolderArguments {
    /// The runs by experiment and label. What is left out of the statistics is said on standard
    /// error.
    fn groups(&self) -> Result<Vec<Group>, Error> {
        let mut groups = results::groups(&self.folders)?;
        if let Some(against) = &self.against {
            if groups.iter().all(|group| group.label != *against) {
                let known = groups.iter().map(|group| group.label.as_str());
                let error = assay_environments::parameters::unknown("label", against, known);
                return Err(Error::parameter("--against")(error));
            }
            // The sort is stable: the others keep their order.
            groups.sort_by_key(|group| (group.folder.clone(), group.label != *against));
        }
        groups.iter().filter_map(Group::missing).for_each(|missing| eprintln!("{missing}"));
        groups.retain(|group| !group.finished.is_empty());
        if groups.is_empty() {
            return Err(Error::Records("no run is finished".into()));
        }
        Ok(groups)
    }
}

/// Rows as columns that are aligned to the left.
fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |i: usize| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(command) => command.execute(),
        Command::Resume(command) => command.execute(),
        Command::List(command) => command.execute(),
        Command::Compare(command) => command.execute(),
        Command::Plot(command) => command.execute(),
        Command::Watch(command) => command.execute(),
        Command::Export(command) => command.execute(),
        Command::Claim(command) => command.execute(),
        Command::Bench(command) => command.execute(),
        Command::Environments(command) => command.execute(),
        Command::Algorithms(command) => command.execute(),
    };
    exit_code(result)
}

/// What the process ends with; an error is said on standard error.
pub(crate) fn exit_code(result: Result<Done, Error>) -> ExitCode {
    match result {
        Ok(Done::All) => ExitCode::SUCCESS,
        Ok(Done::WithFailures) => ExitCode::FAILURE,
        Ok(Done::Stopped) => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
