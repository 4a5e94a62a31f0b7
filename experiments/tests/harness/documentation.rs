//! What the README and the pages say about this program is so.

use std::{
    fs,
    path::{Path, PathBuf},
};

use assay_experiments::{claims, evidence, publication};

use super::command::{SUBCOMMANDS, assay};

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn pages() -> Vec<(PathBuf, String)> {
    let page = |path: PathBuf| (path.clone(), fs::read_to_string(path).unwrap());
    let mut pages: Vec<_> = publication::pages(&checkout()).unwrap().into_iter().map(page).collect();
    pages.push(page(checkout().join("experiments/comparison/README.md")));
    pages
}

/// The content of the fenced blocks in a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let opening = format!("\n```{language}\n");
    page.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_readme_shows_the_example_of_an_own_environment_as_it_is() {
    let readme = fs::read_to_string(checkout().join("README.md")).unwrap();
    let example = fs::read_to_string(checkout().join("experiments/examples/own_environment.rs")).unwrap();
    // The file's own documentation is for those who come from elsewhere.
    let code: Vec<&str> =
        example.lines().skip_while(|line| line.starts_with("//!") || line.is_empty()).collect();
    assert_eq!(blocks(&readme, "rust"), [format!("{}\n", code.join("\n"))]);
}

#[test]
fn the_readme_shows_an_experiment_that_runs() {
    let readme = fs::read_to_string(checkout().join("README.md")).unwrap();
    for text in blocks(&readme, "toml") {
        assay_experiments::experiment::Experiment::parse(&text, "README.md", &[]).unwrap();
    }
}

/// Every `assay …` and `cargo …` command in the pages names subcommands, claims, examples,
/// benchmarks and packages that there are.
#[test]
fn commands_in_the_pages_exist() {
    let folder = tempfile::tempdir().unwrap();
    let (_, help, _) = assay(folder.path(), &["--help"]);
    for name in SUBCOMMANDS {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(&format!("{name} "))),
            "{name}: {help}"
        );
    }
    let mut checked = 0;
    for (path, page) in pages() {
        for command in commands(&page) {
            let place = format!("{}: {}", path.display(), command.join(" "));
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            match words.as_slice() {
                ["assay", "claim", name, ..] if !is_placeholder(name) => {
                    claims::find(name).unwrap_or_else(|e| panic!("{place}: {e}"));
                }
                ["assay", subcommand, ..] => assert!(SUBCOMMANDS.contains(subcommand), "{place}"),
                ["cargo", rest @ ..] => check_cargo(rest, &place),
                _ => unreachable!("{place}"),
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked} commands");
}

fn is_placeholder(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_uppercase()) || word.ends_with(".toml")
}

fn check_cargo(words: &[&str], place: &str) {
    let after = |flag: &str| words.iter().position(|word| *word == flag).and_then(|i| words.get(i + 1));
    let file = |path: String| assert!(checkout().join(&path).exists(), "{place}: {path}");
    if let Some(name) = after("--example") {
        let known = ["experiments", "plots"].map(|krate| format!("{krate}/examples/{name}.rs"));
        assert!(known.iter().any(|path| checkout().join(path).exists()), "{place}: {known:?}");
    }
    if let Some(name) = after("--bench") {
        file(format!("experiments/benches/{name}.rs"));
    }
    if let Some(name) = after("--bin") {
        assert_eq!(*name, "assay", "{place}");
    }
    if let Some(path) = after("--path") {
        file(format!("{path}/Cargo.toml"));
    }
    if let Some(package) = after("-p").or(after("--package")) {
        file(format!("{}/Cargo.toml", package.strip_prefix("assay-").unwrap_or(package)));
    }
    if let Some(i) = words.iter().position(|word| *word == "claim")
        && let Some(name) = words.get(i + 1)
        && !is_placeholder(name)
    {
        claims::find(name).unwrap_or_else(|e| panic!("{place}: {e}"));
    }
}

/// The commands in code spans and code blocks, as words; comments are left out.
fn commands(page: &str) -> Vec<Vec<String>> {
    let is_command = |text: &&str| text.starts_with("assay ") || text.starts_with("cargo ");
    let spans = page.split('`').skip(1).step_by(2);
    let lines = page.lines().map(str::trim);
    let words =
        |text: &str| text.split('#').next().unwrap_or("").split_whitespace().map(str::to_owned).collect();
    spans.chain(lines).filter(is_command).map(words).collect()
}

/// What a page says about a claim is the claim's committed report, and each is in some page.
#[test]
fn pages_show_the_committed_reports() {
    let mut shown = String::new();
    for (path, page) in pages() {
        let fresh = publication::refreshed(&path, &page, &checkout()).unwrap();
        shown.push_str(&page);
        assert!(fresh == page, "{} is out of date: `assay claim --publish` mends it", path.display());
    }
    for name in claims::names() {
        assert!(shown.contains(&format!("<!-- begin claim {name} -->")), "no page shows the claim {name}");
    }
}

/// A committed report is what the committed results of its runs give.
#[test]
fn committed_reports_follow_from_the_raw_results() {
    let (results, raw) = (checkout().join(publication::RESULTS), checkout().join(publication::RAW));
    let mut checked = 0;
    for name in claims::names() {
        let Some(published) = evidence::published(name, &results).unwrap() else { continue };
        let claim = claims::find(name).unwrap();
        let report = evidence::judge_look(&claim, published.judgement.seeds, &[], &raw).unwrap();
        let written = fs::read_to_string(results.join(format!("{name}.json"))).unwrap();
        let again = evidence::Published { code: published.code, ..report.published().clone() };
        assert_eq!(again.to_json(), written);
        let markdown = fs::read_to_string(results.join(format!("{name}.md"))).unwrap();
        assert_eq!(report.to_markdown(&format!("{name}.svg")).unwrap(), markdown);
        checked += 1;
    }
    assert!(checked > 0);
}

/// Whoever knows one page finds their way on every other.
#[test]
fn the_pages_of_the_algorithms_have_one_skeleton() {
    const SKELETON: [&str; 8] = [
        "Problem and idea",
        "Equations",
        "Settings",
        "Metrics",
        "Implementation details, and what differs from the paper",
        "Evidence",
        "Reproduce",
        "Cost",
    ];
    for (path, page) in pages() {
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        // The overview of a family leaves to the variants' pages what is theirs.
        match path.file_name().and_then(|name| name.to_str()) {
            Some("README.md") => {}
            Some("mdpo.md") => {
                assert!(headings.iter().all(|heading| SKELETON.contains(heading)), "{headings:?}")
            }
            _ => assert_eq!(headings, SKELETON, "{}", path.display()),
        }
    }
}
