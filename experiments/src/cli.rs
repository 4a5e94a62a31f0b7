//! The `assay` command: every subcommand is a file in this folder, a thin layer over the library.
//!
//! Results go to standard output, progress and messages to standard error. Exit codes: 0 when all
//! is done, 1 on an error, 2 on a mistake in the arguments, 130 when stopped by Ctrl-C.

mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
}

/// Whether a command has done all that it was asked for.
enum Done {
    /// All of it.
    All,
    /// Some runs failed; their records say why.
    WithFailures,
    /// Stopped; it can be resumed.
    Stopped,
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(command) => command.execute(),
        Command::Resume(command) => command.execute(),
    };
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
