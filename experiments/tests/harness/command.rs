//! The `assay` command.

use std::{fs, path::Path, process::Command};

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
    for command in ["run", "resume"] {
        let (code, output, _) = assay(folder.path(), &[command, "--help"]);
        assert_eq!(code, 0);
        assert!(output.contains("Examples:") && output.contains(&format!("assay {command}")), "{output}");
    }
}
