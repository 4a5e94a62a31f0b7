//! `assay claim`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Done, SessionArguments};
use crate::{
    Error,
    claims::{self, Claim},
    evidence::{self, Progress},
};

/// Runs the experiments behind a paper's claim and says whether it holds.
///
/// What is there already is not run again. As long as a look leaves the claim undecided, the next
/// one adds seeds. Without a name, lists the claims and the verdicts so far.
#[derive(Args)]
#[command(after_help = "Examples:\n  assay claim\n  assay claim sac-pendulum\n  assay claim my-claim.toml")]
pub(super) struct ClaimCommand {
    /// The claim's name, or a TOML file with one.
    claim: Option<String>,
    /// Changes a field of the claim's experiments, for a quick try; no verdict is recorded then.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    overrides: Vec<String>,
    /// Prints the claim as TOML and runs nothing.
    #[arg(long)]
    show: bool,
    #[command(flatten)]
    session: SessionArguments,
    /// The folder that holds the records of all experiments.
    #[arg(long, default_value = "runs")]
    root: PathBuf,
}

impl ClaimCommand {
    pub(super) fn execute(self) -> Result<Done, Error> {
        let Some(name) = &self.claim else { return list(&self.root) };
        let claim = read(name)?;
        if self.show {
            print!("{}", claim.to_toml());
            return Ok(Done::All);
        }
        eprintln!("{}: {}\n{}", claim.name, claim.statement, claim.paper);
        match evidence::judge(&claim, &self.overrides, &self.root, &self.session.session())? {
            Progress::Judged(published) => {
                print!("{}", published.to_text());
                if !self.overrides.is_empty() {
                    println!("(with overrides: this is not a verdict on the claim)");
                }
                Ok(Done::All)
            }
            Progress::Stopped(outcome) => {
                outcome.errors.iter().for_each(|error| eprintln!("error: {error}"));
                eprintln!("{outcome}\nresume with: assay claim {name} --root {}", self.root.display());
                Ok(if outcome.errors.is_empty() { Done::Stopped } else { Done::WithFailures })
            }
        }
    }
}

fn read(name: &str) -> Result<Claim, Error> {
    if name.ends_with(".toml") {
        let path = Path::new(name);
        let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
        return Ok(Claim::parse(&text)?);
    }
    Ok(claims::find(name)?)
}

fn list(root: &Path) -> Result<Done, Error> {
    let mut rows = vec![["claim", "verdict", "statement"].map(str::to_owned)];
    for name in claims::names() {
        let claim = claims::find(name)?;
        let verdict = evidence::published(&claim, root)?.map(|p| p.judgement.verdict.to_string());
        rows.push([claim.name, verdict.unwrap_or_else(|| "not yet run".into()), claim.statement]);
    }
    print!("{}", super::columns(&rows));
    Ok(Done::All)
}
