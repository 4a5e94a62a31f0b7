//! Examples: one command from experiments to table and figure.

use std::{fs, path::Path, process::ExitCode};

use assay_experiments::demonstration::Demonstration;

const PENDULUM: &str = r#"
    name = "pendulum"
    seeds = 2
    budget = 300
    evaluation = { episodes = 2 }
    environment = { name = "Pendulum-v1", parameters = { gravity = 9.0 } }
    [[algorithm]]
    name = "sac"
    label = "SAC"
    parameters = { hidden = [8], batch_size = 8 }
    [[algorithm]]
    name = "random"
    label = "Random"
"#;

const CARTPOLE: &str = r#"
    name = "cartpole"
    seeds = 2
    budget = 300
    evaluation = { episodes = 2 }
    environment = { name = "CartPole-v1", copies = 2 }
    [[algorithm]]
    name = "random"
    label = "Random"
    parameters = { steps = 20 }
"#;

fn run(folder: &Path, arguments: &[&str]) -> ExitCode {
    let example = Demonstration {
        name: "example",
        about: "an example",
        quick: &[PENDULUM, CARTPOLE],
        measures: &[("final-return", true), ("iterations", true)],
        rates: false,
        full: &["sac-pendulum"],
    };
    let output = folder.to_str().unwrap();
    example.run(["example", "--output", output].into_iter().chain(arguments.iter().copied()))
}

fn experiments(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.map(|f| f.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_example_leaves_records_a_table_and_a_figure_and_never_overwrites() {
    let root = tempfile::tempdir().unwrap();
    let all = root.path().join("all");
    assert_eq!(run(&all, &["--threads", "2"]), ExitCode::SUCCESS);
    assert_eq!(experiments(&all), ["cartpole", "pendulum"]);
    let table = fs::read_to_string(all.join("table.md")).unwrap();
    let place = |part: &str| table.find(part).unwrap_or_else(|| panic!("{part}: {table}"));
    // In the order of the experiments and of their algorithms, not of the alphabet.
    assert!(place("pendulum") < place("cartpole") && place("SAC") < place("Random"), "{table}");
    assert!(place("pendulum, iterations") > place("cartpole, final-return"), "{table}");
    let figure = fs::read_to_string(all.join("figure.svg")).unwrap();
    assert!(figure.contains("CartPole-v1") && figure.contains("iterations (IQM)"));
    assert!(all.join("figure.png").exists());

    assert_eq!(run(&all, &[]), ExitCode::FAILURE, "the folder is taken");
    fs::remove_file(all.join("figure.svg")).unwrap();
    assert_eq!(run(&all, &["--resume", "--seeds", "3"]), ExitCode::SUCCESS);
    assert!(all.join("pendulum/SAC/seed-2/result.json").exists() && all.join("figure.svg").exists());
}

#[test]
fn an_example_can_be_limited_to_or_tried_on_one_environment() {
    let root = tempfile::tempdir().unwrap();
    let folder = |name: &str| root.path().join(name);
    let own = folder("own");
    assert_eq!(run(&own, &["--environment", "CartPole-v1", "--seeds", "1"]), ExitCode::SUCCESS);
    assert_eq!(experiments(&own), ["cartpole"]);
    let other = folder("other");
    let arguments = ["--environment", "MountainCarContinuous-v0", "--seeds", "1", "--set", "budget=100"];
    assert_eq!(run(&other, &arguments), ExitCode::SUCCESS);
    assert_eq!(experiments(&other), ["mountaincarcontinuous-v0"]);
    assert!(other.join("mountaincarcontinuous-v0/SAC/seed-0/result.json").exists());
    assert_eq!(run(&folder("none"), &["--environment", "CartPol"]), ExitCode::FAILURE);
    assert_eq!(run(&folder("none"), &["--seeds", "none"]), ExitCode::FAILURE);
    assert_eq!(run(&folder("none"), &["--sed", "1"]), ExitCode::from(2));
    assert_eq!(run(&folder("none"), &["--help"]), ExitCode::SUCCESS);
    assert!(!folder("none").exists());
}

#[test]
fn the_full_size_is_the_claims_whose_environments_and_seeds_are_their_own() {
    let root = tempfile::tempdir().unwrap();
    for argument in [["--seeds", "3"], ["--environment", "CartPole-v1"], ["--set", "budget=100"]] {
        assert_eq!(run(root.path(), &["--full", argument[0], argument[1]]), ExitCode::from(2));
    }
    // Every claim on a device that this program is built without ends before anything is written.
    let folder = root.path().join("claims");
    assert_eq!(run(&folder, &["--full", "--device", "cpuu"]), ExitCode::FAILURE);
    assert!(!folder.exists());
}
