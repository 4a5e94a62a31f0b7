//! What is committed of a claim: in a checkout of the source, its report and the raw results of
//! every run behind it under `experiments/results/`, and the report once more in the pages that ask
//! for it. So no number in a page is typed by hand.
//!
//! A page asks with a block, whose content is written here:
//!
//! ```text
//! <!-- begin claim mdpo-on-policy -->
//! <!-- end -->
//! ```
//!
//! `verdicts` in place of `claim NAME` is the table of all claims.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Error,
    claims::{self, Claim, Metric},
    evidence,
    records::{self, KeptMetrics, files::write_atomically},
    report::{Files, Report},
};

/// Where committed reports are in a checkout.
pub const RESULTS: &str = "experiments/results";

/// Where the records behind them are.
pub const RAW: &str = "experiments/results/raw";

const BEGIN: &str = "<!-- begin ";
const END: &str = "<!-- end -->";

/// The checkout of the source that the current folder is in. Errors when it is in none.
pub fn checkout() -> Result<PathBuf, Error> {
    let here = std::env::current_dir().map_err(Error::file("read", ".".as_ref()))?;
    let checkout = here.ancestors().find(|folder| folder.join("experiments/claims").is_dir());
    checkout.map(Path::to_owned).ok_or_else(|| {
        Error::Records(format!("{} is not in a checkout of the source, which this needs", here.display()))
    })
}

/// Writes the report, and the records behind it without checkpoints, into the checkout, and brings
/// its pages up to date. Of the metrics only those are copied that this claim, or another one that shares
/// its runs, is about.
pub fn publish(report: &Report, checkout: &Path) -> Result<Files, Error> {
    let raw = checkout.join(RAW);
    let sharing = sharing_runs(report.claim())?;
    let named = |claim: &Claim| match &claim.metric {
        Metric::Named { name, .. } => Some(name.clone()),
        _ => None,
    };
    let metrics: BTreeSet<String> = sharing.iter().filter_map(named).collect();
    let mut experiments = BTreeSet::new();
    let mut kept = BTreeSet::new();
    for (record, _) in report.groups().flat_map(|group| &group.finished) {
        experiments.insert(raw.join(&record.run.experiment));
        kept.insert(records::copy(record, &raw, &KeptMetrics::Named(&metrics))?);
    }
    // Runs of an earlier version of the claim. Those of algorithms that only other claims have stay.
    let only_others_have = |label: &str| {
        let has = |claim: &Claim| claim.label() == label || claim.baseline_labels().any(|own| own == label);
        !has(report.claim()) && sharing.iter().any(has)
    };
    for experiment in experiments {
        for old in records::find_runs(&experiment)? {
            if !kept.contains(&old.folder) && !only_others_have(&old.run.label) {
                fs::remove_dir_all(&old.folder).map_err(Error::file("remove", &old.folder))?;
            }
        }
    }
    let files = report.write(&checkout.join(RESULTS))?;
    refresh(checkout)?;
    Ok(files)
}

/// The claim and all others of the project that rest on the same runs.
fn sharing_runs(claim: &Claim) -> Result<Vec<Claim>, Error> {
    let mut sharing = vec![claim.clone()];
    if claim.runs.is_some() {
        for other in claims::names().filter(|name| *name != claim.name) {
            let other = claims::find(other)?;
            if other.runs == claim.runs {
                sharing.push(other);
            }
        }
    }
    Ok(sharing)
}

/// Brings the pages of the checkout up to date with what is committed.
pub fn refresh(checkout: &Path) -> Result<(), Error> {
    for page in pages(checkout)? {
        let text = read(&page)?;
        let fresh = refreshed(&page, &text, checkout)?;
        if fresh != text {
            write_atomically(&page, fresh.as_bytes())?;
        }
    }
    Ok(())
}

/// The pages of a checkout: its README and those of the algorithms.
pub fn pages(checkout: &Path) -> Result<Vec<PathBuf>, Error> {
    let folder = checkout.join("algorithms/docs");
    let mut pages = vec![checkout.join("README.md")];
    for entry in fs::read_dir(&folder).map_err(Error::file("read", &folder))? {
        pages.push(entry.map_err(Error::file("read", &folder))?.path());
    }
    pages.retain(|page| page.extension().is_some_and(|ending| ending == "md"));
    pages.sort();
    Ok(pages)
}

/// The text of `page` with what is committed in each of its blocks. Errors when a block has no end
/// or asks for something that there is not.
pub fn refreshed(page: &Path, text: &str, checkout: &Path) -> Result<String, Error> {
    let mut fresh = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        let (before, block) = rest.split_at(begin);
        let (head, after) = block.split_once(" -->\n").ok_or_else(|| unfinished(page))?;
        let (_, after) = after.split_once(END).ok_or_else(|| unfinished(page))?;
        let content = content(&head[BEGIN.len()..], page, checkout)?;
        fresh.push_str(&format!("{before}{head} -->\n{}\n{END}", content.trim_end()));
        rest = after;
    }
    fresh.push_str(rest);
    Ok(fresh)
}

fn unfinished(page: &Path) -> Error {
    Error::damaged(page, format!("a block that begins with `{BEGIN}` does not end with `{END}`"))
}

fn content(what: &str, page: &Path, checkout: &Path) -> Result<String, Error> {
    if what == "verdicts" {
        return verdicts(checkout);
    }
    let name = what.strip_prefix("claim ").ok_or_else(|| {
        Error::damaged(page, format!("there is no block `{what}`; allowed: `verdicts`, `claim NAME`"))
    })?;
    claims::find(name)?;
    let report = checkout.join(RESULTS).join(format!("{name}.md"));
    if !report.exists() {
        return Ok(format!("Not run yet: `assay claim {name}` runs it."));
    }
    let folders = page.strip_prefix(checkout).map_or(0, |page| page.components().count().saturating_sub(1));
    let results = format!("{}{RESULTS}", "../".repeat(folders));
    let figure = format!("{name}.svg");
    Ok(read(&report)?.replace(&format!("]({figure})"), &format!("]({results}/{figure})")))
}

/// All claims with their verdicts.
fn verdicts(checkout: &Path) -> Result<String, Error> {
    let results = checkout.join(RESULTS);
    let mut table = String::from("| claim | in words | verdict |\n|---|---|---|\n");
    for name in claims::names() {
        let claim = claims::find(name)?;
        let verdict = match evidence::published(name, &results)? {
            None => "not run yet".to_owned(),
            Some(published) => {
                let judgement = published.judgement;
                let file = format!("{RESULTS}/{name}.md");
                format!("[{}]({file}), {} seeds", judgement.verdict, judgement.seeds)
            }
        };
        table.push_str(&format!("| `{name}` | {} | {verdict} |\n", claim.statement));
    }
    Ok(table)
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::file("read", path))
}
