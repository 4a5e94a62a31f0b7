//! The experiment harness from outside: files in, records out, whatever happens in between.

mod catalogue;
mod command;
mod damage;
mod demonstration;
mod documentation;
mod experiment;
mod resume;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use assay_experiments::{experiment::Experiment, records::Record, schedule};

/// A small experiment of a learner with networks and memory and one without, both quick.
const SMALL: &str = r#"
    name = "small"
    seeds = 2
    budget = 600

    [evaluation]
    interval = 150
    episodes = 2

    [records]
    interval = 20
    checkpoint = 50

    [environment]
    name = "Pendulum-v1"
    copies = 2

    [[algorithm]]
    name = "random"
    parameters = { steps = 7 }

    [[algorithm]]
    name = "sac"
    parameters = { steps = 10, hidden = [8], batch_size = 8, learning_starts = 40, replay_capacity = 200 }
"#;

/// The experiment's runs with their folders under `root`.
fn prepared(text: &str, root: &Path) -> Vec<Record> {
    let experiment = Experiment::parse(text, "test.toml", &[]).unwrap();
    schedule::prepare(experiment.runs().unwrap(), root).unwrap()
}

/// What must be the same bytes every time, by path.
fn reproducible_files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    const REPRODUCIBLE: [&str; 5] =
        ["config.toml", "metrics.csv", "evaluations.csv", "checkpoint.safetensors", "result.json"];
    let mut files = BTreeMap::new();
    for record in assay_experiments::records::find_runs(root).unwrap() {
        for name in REPRODUCIBLE {
            let path = record.folder.join(name);
            let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            files.insert(path.strip_prefix(root).unwrap().to_owned(), bytes);
        }
        let left: Vec<_> = fs::read_dir(&record.folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{left:?}");
    }
    files
}

/// Fails with the paths that differ.
fn assert_same(files: &BTreeMap<PathBuf, Vec<u8>>, reference: &BTreeMap<PathBuf, Vec<u8>>) {
    assert!(files.keys().eq(reference.keys()), "{:?} and {:?}", files.keys(), reference.keys());
    let differing: Vec<_> = files.iter().filter(|(path, bytes)| reference[*path] != **bytes).collect();
    let differing: Vec<_> = differing.iter().map(|(path, _)| path).collect();
    assert!(differing.is_empty(), "{differing:?} differ");
}
