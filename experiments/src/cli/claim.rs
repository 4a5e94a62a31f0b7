//! `assay claim`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Done, SessionArguments};
use crate::{
    Error,
    claims::{self, Claim},
    evidence::{self, Progress},
    publication,
    schedule::Session,
};

/// Runs the experiments behind a paper's claim and says whether it holds.
///
/// What is there already is not run again. As long as a look leaves the claim undecided, the next
/// one adds seeds. Prints the verdict, the effect with its interval and a table, and writes them
/// with a figure into the root folder. Without a name, lists the claims and the verdicts so far.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    assay claim\n  \
    assay claim sac-pendulum\n  \
    assay claim sac-pendulum --show > my-claim.toml\n  \
    assay claim my-claim.toml\n  \
    assay claim sac-pendulum --seeds 2 --set budget=2_000 --root try")]
pub(super) struct ClaimCommand {
    /// The claim's name, or a TOML file with one.
    claim: Option<String>,
    /// Changes a field of the claim's experiments, for a quick try; no verdict is recorded then.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    overrides: Vec<String>,
    /// Takes so many seeds in place of the claim's, for a quick try; no verdict is recorded then.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: Option<u64>,
    /// Prints the claim as TOML and runs nothing.
    #[arg(long)]
    show: bool,
    /// In a checkout of the source: puts the verdict and the results of every run under
    /// experiments/results, and into the pages that show them. Without a name, only brings the pages
    /// up to date.
    #[arg(long, conflicts_with_all = ["overrides", "seeds"])]
    publish: bool,
    #[command(flatten)]
    session: SessionArguments,
    /// The folder that holds the records of all experiments.
    #[arg(long, default_value = "runs")]
    root: PathBuf,
}

impl ClaimCommand {
    pub(super) fn execute(self) -> Result<Done, Error> {
        let checkout = self.publish.then(publication::checkout).transpose()?;
        let Some(name) = &self.claim else {
            checkout.iter().try_for_each(|checkout| publication::refresh(checkout))?;
            return list(&self.root);
        };
        let mut claim = read(name)?;
        if let Some(seeds) = self.seeds {
            claim.seeds = vec![seeds as usize];
        }
        if self.show {
            print!("{}", claim.to_toml());
            return Ok(Done::All);
        }
        let attempt = Attempt {
            is_the_claim: self.overrides.is_empty() && self.seeds.is_none(),
            overrides: &self.overrides,
            root: &self.root,
            session: self.session.session(),
            publish: checkout.as_deref(),
        };
        let mut line = format!("assay claim {name} --root {}", self.root.display());
        self.overrides.iter().for_each(|change| line.push_str(&format!(" --set '{change}'")));
        self.seeds.iter().for_each(|seeds| line.push_str(&format!(" --seeds {seeds}")));
        attempt.conclude(&claim, &line)
    }
}

/// How claims are run and where it is written, whichever command asks for it.
pub(crate) struct Attempt<'a> {
    /// Whether it is run as it stands; a verdict is written only then.
    pub(crate) is_the_claim: bool,
    /// Changes to the experiments.
    pub(crate) overrides: &'a [String],
    /// The folder of the records and the report.
    pub(crate) root: &'a Path,
    /// How runs are driven.
    pub(crate) session: Session,
    /// The checkout that the results are published in.
    pub(crate) publish: Option<&'a Path>,
}

impl Attempt<'_> {
    /// Runs or resumes the claim and shows what comes of it. `line` is the command that resumes it.
    pub(crate) fn conclude(&self, claim: &Claim, line: &str) -> Result<Done, Error> {
        eprintln!("{}: {}\n{}", claim.name, claim.statement, claim.paper);
        let report = match evidence::judge(claim, self.overrides, self.root, &self.session)? {
            Progress::Judged(report) => report,
            Progress::Stopped(outcome) => {
                outcome.errors.iter().for_each(|error| eprintln!("error: {error}"));
                eprintln!("{outcome}\nresume with: {line}");
                return Ok(if outcome.errors.is_empty() { Done::Stopped } else { Done::WithFailures });
            }
        };
        println!("{}", report.to_text()?);
        if !self.is_the_claim {
            println!("The claim was changed: this is not a verdict on the claim, and none is written.");
            return Ok(Done::All);
        }
        let mut written = vec![report.write(self.root)?];
        if let Some(checkout) = self.publish {
            written.push(publication::publish(&report, checkout)?);
        }
        for files in written {
            println!("verdict  {}", files.json.display());
            println!("page     {}", files.markdown.display());
            println!("figure   {}\n         {}", files.figure.svg.display(), files.figure.png.display());
        }
        println!("records  {}", self.root.display());
        Ok(Done::All)
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

/// One verdict that cannot be read does not hide the others.
fn list(root: &Path) -> Result<Done, Error> {
    let mut rows = vec![["claim", "verdict", "statement"].map(str::to_owned)];
    for name in claims::names() {
        let verdict = match evidence::published(name, root) {
            Ok(Some(published)) => published.judgement.verdict.to_string(),
            Ok(None) => "not yet run".to_owned(),
            Err(error) => error.to_string(),
        };
        rows.push([name.to_owned(), verdict, claims::find(name)?.statement]);
    }
    print!("{}", super::columns(&rows));
    Ok(Done::All)
}
