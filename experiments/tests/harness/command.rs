//! The `assay` command.

use std::{fs, path::Path, process::Command};

/// All that `assay` can do.
pub(super) const SUBCOMMANDS: [&str; 11] = [
    "run",
    "resume",
    "list",
    "compare",
    "plot",
    "watch",
    "export",
    "claim",
    "bench",
    "environments",
    "algorithms",
];

/// Exit code, standard output and standard error of a command run in `folder`.
pub(super) fn assay(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_assay")).args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn run_is_quietly_repeatable_and_more_seeds_add_to_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small.toml"), super::SMALL).unwrap();
    let (code, _, errors) = assay(folder.path(), &["run", "small.toml", "--seeds", "1"]);
    assert_eq!(code, 0, "{errors}");
    assert!(errors.contains("small / sac / seed 0: finished"), "{errors}");
    let result = folder.path().join("runs/small/sac/seed-0/result.json");
    let written = fs::metadata(&result).unwrap().modified().unwrap();
    let (code, _, errors) = assay(folder.path(), &["run", "small.toml", "--seeds", "0,5"]);
    assert_eq!(code, 0, "{errors}");
    assert!(errors.contains("4 finished"), "{errors}");
    assert!(folder.path().join("runs/small/sac/seed-5/result.json").exists());
    assert_eq!(fs::metadata(&result).unwrap().modified().unwrap(), written);

    let (code, _, errors) = assay(folder.path(), &["run", "small.toml", "--set", "budget=700"]);
    assert_eq!(code, 1);
    assert!(errors.contains("`budget` = 600, not 700; give the experiment another name"), "{errors}");
}

#[test]
fn mistakes_have_an_exit_code_and_a_message_and_help_has_examples() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, errors) = assay(folder.path(), &["run", "absent.toml"]);
    assert_eq!(code, 1);
    assert!(errors.contains("cannot read absent.toml"), "{errors}");
    let (code, _, errors) = assay(folder.path(), &["resume"]);
    assert_eq!(code, 1);
    assert!(errors.contains("cannot read runs"), "{errors}");
    assert_eq!(assay(folder.path(), &["runn"]).0, 2);
    for command in SUBCOMMANDS {
        let (code, output, _) = assay(folder.path(), &[command, "--help"]);
        assert_eq!(code, 0);
        assert!(output.contains("Example") && output.contains(&format!("assay {command}")), "{output}");
    }
}

#[test]
fn results_are_listed_compared_drawn_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("small.toml"), super::SMALL).unwrap();
    let succeed = |arguments: &[&str]| {
        let (code, output, errors) = assay(folder, arguments);
        assert_eq!(code, 0, "{arguments:?}: {errors}");
        output
    };
    succeed(&["run", "small.toml"]);
    let list = succeed(&["list"]);
    assert!(list.lines().any(|line| line.starts_with("small       sac        Pendulum-v1")), "{list}");

    let table = succeed(&["compare", "--against", "sac"]);
    let rows: Vec<&str> = table.lines().collect();
    assert!(rows.len() == 3 && rows[1].contains("sac") && rows[2].contains("random"), "{table}");
    assert!(succeed(&["compare", "--format", "markdown"]).starts_with("| metric"));

    // The same numbers from what is kept without checkpoints.
    succeed(&["export", "runs/small", "kept"]);
    assert!(!folder.join("kept/small/sac/seed-0/checkpoint.safetensors").exists());
    for measure in ["final-return", "area-under-curve", "episode_length"] {
        let csv = |root| succeed(&["compare", root, "--measure", measure, "--format", "csv"]);
        assert_eq!(csv("kept"), csv("runs"));
    }
    for kind in ["curves", "scores", "profiles", "improvement"] {
        let output = succeed(&["plot", "kept", "--kind", kind, "--output", &format!("figures/{kind}")]);
        assert_eq!(output.lines().count(), 2);
        assert!(fs::read_to_string(folder.join(format!("figures/{kind}.svg"))).unwrap().contains("<svg"));
        assert!(folder.join(format!("figures/{kind}.png")).exists());
    }

    let refused = |arguments: &[&str], part: &str| {
        let (code, _, errors) = assay(folder, arguments);
        assert!(code == 1 && errors.contains(part), "{arguments:?}: {errors}");
    };
    refused(&["compare", "--against", "sca"], "did you mean `sac`?");
    refused(&["compare", "--measure", "episode_lenth"], "did you mean `episode_length`?");
    refused(&["compare", "figures"], "there are no runs in figures");
    // A run that is not finished is left out, and that is said.
    fs::remove_file(folder.join("runs/small/sac/seed-1/result.json")).unwrap();
    let (code, table, errors) = assay(folder, &["compare"]);
    assert!(
        code == 0 && errors.contains("small / sac: of 2 runs, 1 not finished; they are left out"),
        "{errors}"
    );
    assert!(table.contains("sac           1"), "{table}");
    // Runs of one label that differ in more than the seed are never pooled.
    let config = folder.join("runs/small/sac/seed-0/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("batch_size = 8", "batch_size = 9")).unwrap();
    refused(&["compare"], "`algorithm.parameters.batch_size` is 9 in one and 8 in the other");
}

#[test]
fn an_episode_of_a_run_or_of_an_environment_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("small.toml"), super::SMALL).unwrap();
    assert_eq!(assay(folder, &["run", "small.toml", "--seeds", "1"]).0, 0);
    let watch = |arguments: &[&str]| {
        let (code, output, errors) =
            assay(folder, &[&["watch", "--width", "60", "--limit", "20"], arguments].concat());
        assert_eq!(code, 0, "{errors}");
        output
    };
    let played = watch(&["runs/small/sac/seed-0", "--frames", "frames"]);
    assert!(played.starts_with("20 steps, return -"), "{played}");
    let gif = fs::read(folder.join("episode.gif")).unwrap();
    assert!(gif.starts_with(b"GIF89a"));
    assert_eq!(fs::read_dir(folder.join("frames")).unwrap().count(), 21);
    // The same episode again, and another one.
    assert_eq!(watch(&["runs/small/sac", "--output", "again.gif"]).lines().next(), played.lines().next());
    assert_eq!(fs::read(folder.join("again.gif")).unwrap(), gif);
    watch(&["runs/small/sac", "--seed", "1", "--sample", "--output", "other.gif"]);
    assert_ne!(fs::read(folder.join("other.gif")).unwrap(), gif);
    watch(&["CartPole-v1", "--output", "random.gif"]);

    let refused = |arguments: &[&str], part: &str| {
        let (code, _, errors) = assay(folder, arguments);
        assert!(code == 1 && errors.contains(part), "{arguments:?}: {errors}");
    };
    refused(&["watch", "CartPole-v"], "did you mean `CartPole-v1`?");
    refused(&["watch", "ProbeDelayedReward"], "ProbeDelayedReward has no pictures");
    refused(&["watch", "frames"], "there are no runs in frames");
    refused(&["watch", "CartPole-v1", "--rate", "0"], "must be positive");
    fs::remove_file(folder.join("runs/small/random/seed-0/checkpoint.safetensors")).unwrap();
    refused(&["watch", "runs/small/random"], "has no checkpoint yet");
}

#[test]
fn the_catalogues_are_listed_with_parameters_and_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let output = |arguments: &[&str]| assay(folder.path(), arguments).1;
    assert!(output(&["environments"]).contains("CartPole-v1"));
    let pendulum = output(&["environments", "Pendulum-v1"]);
    assert!(pendulum.contains("time_limit = 200") && pendulum.contains("actions: Box"), "{pendulum}");
    assert!(output(&["algorithms"]).contains("Haarnoja"));
    assert!(output(&["algorithms", "sac"]).contains("batch_size = 256"));
    assert!(assay(folder.path(), &["algorithms", "scc"]).2.contains("did you mean `sac`?"));
}

#[test]
fn a_claim_is_run_resumed_and_judged() {
    const CLAIM: &str = r#"
        name = "tiny"
        paper = "none"
        statement = "Longer rollouts of random actions are as good as shorter ones."
        seeds = [2, 3]
        margin = { fraction = 10.0 }
        evaluation = { episodes = 2 }
        [algorithm]
        name = "random"
        label = "long"
        [[baselines]]
        name = "random"
        label = "short"
        parameters = { steps = 10 }
        [[tasks]]
        environment = { name = "CartPole-v1" }
        budget = 300
        reference = { low = 0.0, high = 500.0 }
        [[tasks]]
        environment = { name = "Pendulum-v1" }
        budget = 300
        reference = { low = -1500.0, high = 0.0 }
    "#;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.toml"), CLAIM).unwrap();
    let (code, first, errors) = assay(folder.path(), &["claim", "tiny.toml"]);
    assert_eq!(code, 0, "{errors}");
    assert!(first.contains("reproduced, after 2 seeds") && first.contains("against short"), "{first}");
    assert!(first.contains("CartPole-v1, final return"), "{first}");
    for ending in ["json", "md", "svg", "png"] {
        assert!(folder.path().join(format!("runs/tiny.{ending}")).exists(), "{ending}");
    }
    let verdict = fs::read_to_string(folder.path().join("runs/tiny.json")).unwrap();
    assert!(verdict.contains("\"reproduced\""), "{verdict}");
    let (_, second, errors) = assay(folder.path(), &["claim", "tiny.toml"]);
    assert_eq!(second, first);
    assert!(!errors.contains("finished after"), "nothing was run again: {errors}");

    // One that cannot be decided looks again with more seeds.
    let unclear = CLAIM.replace("fraction = 10.0", "fraction = 0.0").replace("\"tiny\"", "\"unclear\"");
    fs::write(folder.path().join("unclear.toml"), unclear).unwrap();
    let (code, output, _) = assay(folder.path(), &["claim", "unclear.toml", "--set", "budget=100"]);
    assert_eq!(code, 0);
    assert!(output.contains("not a verdict on the claim"), "{output}");
    assert!(!folder.path().join("runs/unclear.json").exists());

    let (code, output, _) = assay(folder.path(), &["claim", "tiny.toml", "--seeds", "1", "--root", "try"]);
    assert!(code == 0 && output.contains("after 1 seed\n") && output.contains("not a verdict"), "{output}");
    assert!(
        folder.path().join("try/tiny-2/long/seed-0").exists()
            && !folder.path().join("try/tiny.json").exists()
    );
    let (code, _, errors) =
        assay(folder.path(), &["claim", "tiny.toml", "--set", "seeds=1", "--root", "other"]);
    assert!(
        code == 1 && errors.contains("a claim's seeds and its experiments' names are its own"),
        "{errors}"
    );
    assert!(!folder.path().join("other").exists());

    // A verdict that cannot be read hides no other.
    fs::write(folder.path().join("runs/sac-pendulum.json"), "{}").unwrap();
    let (code, output, _) = assay(folder.path(), &["claim"]);
    assert!(code == 0 && output.contains("sac-pendulum.json is damaged"), "{output}");
    assert!(output.lines().any(|line| line.starts_with("td3-pendulum") && line.contains("not yet run")));
}
