//! Damaged, foreign and unusable records: an error that says what and where, never a panic, and
//! nothing finished is lost.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use assay_environments::{
    Action, Batch, BatchedEnvironment, Environment, Outcome, Space,
    random::{Seed, Stream},
};
use assay_experiments::{
    Error,
    driver::{Conditions, Ending, drive, drive_in},
    records::{self, Record, Status},
    schedule,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{SMALL, prepared, reproducible_files};

fn finished(root: &Path) -> Vec<Record> {
    let records = prepared(SMALL, root);
    for ending in schedule::drive_all(&records, &Conditions { threads: 2, ..Conditions::default() }) {
        assert!(matches!(ending, Ok(Ending::Finished(_))), "{ending:?}");
    }
    records
}

fn drive_again(record: &Record) -> Result<Ending, Error> {
    drive(&record.run, &record.folder, &Conditions::default())
}

/// Why the run cannot go on after its result was removed and `name` was replaced.
fn refused(record: &Record, name: &str, bytes: &[u8]) -> String {
    let _ = fs::remove_file(record.folder.join("result.json"));
    fs::write(record.folder.join(name), bytes).unwrap();
    drive_again(record).unwrap_err().to_string()
}

#[test]
fn a_damaged_or_foreign_file_is_named_and_nothing_is_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let records = finished(root.path());
    let [random, sac] = [&records[0], &records[1]];
    let checkpoint = fs::read(sac.folder.join("checkpoint.safetensors")).unwrap();

    let message = refused(sac, "checkpoint.safetensors", &checkpoint[..checkpoint.len() / 2]);
    assert!(
        message.contains("checkpoint.safetensors") && message.contains("remove it to start"),
        "{message}"
    );
    let message = refused(random, "checkpoint.safetensors", &checkpoint);
    assert!(message.contains("belongs to `sac`, not to `random`"), "{message}");
    assert_eq!(fs::read(random.folder.join("checkpoint.safetensors")).unwrap(), checkpoint);

    fs::write(sac.folder.join("checkpoint.safetensors"), &checkpoint).unwrap();
    let message = refused(sac, "metrics.csv", b"iterations\n");
    assert!(message.contains("metrics.csv") && message.contains("11 bytes"), "{message}");

    let message = refused(&records[2], "result.json", b"{\"experiment\": 3");
    assert!(message.contains("result.json is damaged"), "{message}");

    let config = fs::read_to_string(records[3].folder.join("config.toml")).unwrap();
    for (from, to, part) in [
        ("format = 1", "format = 2", "format version 2; this program reads version 1"),
        ("format = 1", "", "says no format version"),
        ("budget = 600", "budget = 500", "already holds a run with `budget` = 500, not 600"),
        ("steps = 10", "steps = 11", "`algorithm.parameters.steps` = 11, not 10"),
        ("budget = 600", "budget = 600\nbudgets = 1", "unknown field `budgets`"),
        ("interval = 20", "interval = 0", "zero"),
    ] {
        assert!(config.contains(from), "{from}");
        let message = refused(&records[3], "config.toml", config.replacen(from, to, 1).as_bytes());
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_removed_checkpoint_starts_the_run_again_with_the_same_result() {
    let root = tempfile::tempdir().unwrap();
    let records = finished(root.path());
    let reference = reproducible_files(root.path());
    for name in ["checkpoint.safetensors", "result.json"] {
        fs::remove_file(records[1].folder.join(name)).unwrap();
    }
    drive_again(&records[1]).unwrap();
    super::assert_same(&reproducible_files(root.path()), &reference);
}

#[test]
fn a_file_where_a_folder_is_needed_is_an_error_before_anything_starts() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("small")).unwrap();
    fs::write(root.path().join("small/sac"), "in the way").unwrap();
    let experiment = assay_experiments::experiment::Experiment::parse(SMALL, "test.toml", &[]).unwrap();
    let message = schedule::prepare(experiment.runs().unwrap(), root.path()).unwrap_err().to_string();
    assert!(message.contains("cannot create") && message.contains("sac"), "{message}");
    assert!(!root.path().join("small/random/seed-0/metrics.csv").exists());
}

#[test]
fn a_folder_where_a_file_is_needed_stops_that_run_only_and_it_can_be_resumed() {
    let root = tempfile::tempdir().unwrap();
    let records = prepared(SMALL, root.path());
    let in_the_way = records[0].folder.join("evaluations.csv");
    fs::create_dir(&in_the_way).unwrap();
    let endings = schedule::drive_all(&records, &Conditions { threads: 2, ..Conditions::default() });
    let message = endings[0].as_ref().unwrap_err().to_string();
    assert!(message.contains("cannot open") && message.contains("evaluations.csv"), "{message}");
    assert!(endings[1..].iter().all(|ending| matches!(ending, Ok(Ending::Finished(_)))));

    fs::remove_dir(&in_the_way).unwrap();
    assert!(matches!(drive_again(&records[0]), Ok(Ending::Finished(_))));
}

#[test]
fn a_run_that_another_process_works_on_is_busy() {
    let root = tempfile::tempdir().unwrap();
    let records = prepared(SMALL, root.path());
    let lock = fs::File::open(records[0].folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let message = drive_again(&records[0]).unwrap_err().to_string();
    assert!(message.contains("seed-0 is in use by another process"), "{message}");
    lock.unlock().unwrap();
    assert!(drive_again(&records[0]).is_ok());
}

#[cfg(unix)]
#[test]
fn a_full_disk_stops_the_runs_with_an_error_and_room_lets_them_go_on() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small.toml"), SMALL).unwrap();
    // The system refuses to let a file grow beyond a few kilobytes, in the way of a full disk.
    let script = format!("trap '' XFSZ; ulimit -f 8; exec {} run small.toml", env!("CARGO_BIN_EXE_assay"));
    let output = Command::new("sh").args(["-c", &script]).current_dir(folder.path()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("error: cannot write") && errors.contains("resume with: assay resume"),
        "{errors}"
    );

    let (code, _, errors) = super::command::assay(folder.path(), &["resume"]);
    assert_eq!(code, 0, "{errors}");
    let whole = tempfile::tempdir().unwrap();
    finished(whole.path());
    super::assert_same(&reproducible_files(&folder.path().join("runs")), &reproducible_files(whole.path()));
}

/// An environment of a user, with a mistake: the reward of step 80 is not a number.
#[derive(Clone, Serialize, Deserialize)]
struct Faulty {
    step: u32,
}

/// Whether the mistake is mended.
static MENDED: AtomicBool = AtomicBool::new(false);

impl Environment for Faulty {
    fn observation_space(&self) -> Space {
        Space::symmetric(1, 1.0)
    }
    fn action_space(&self) -> Space {
        Space::discrete(2)
    }
    fn reset(&mut self, _: &mut Stream, observation: &mut [f32]) -> Result<(), assay_environments::Error> {
        observation[0] = 0.0;
        Ok(())
    }
    fn step(
        &mut self,
        _: Action<'_>,
        _: &mut Stream,
        observation: &mut [f32],
    ) -> Result<Outcome, assay_environments::Error> {
        self.step += 1;
        observation[0] = 0.5;
        let faulty = self.step == 80 && !MENDED.load(Ordering::Relaxed);
        let reward = if faulty { f64::NAN } else { 1.0 };
        Ok(Outcome { truncated: self.step.is_multiple_of(10), ..Outcome::running(reward) })
    }
}

#[test]
fn a_reward_that_is_not_a_number_is_the_end_of_the_run_and_recorded() {
    let root = tempfile::tempdir().unwrap();
    let record = &prepared(SMALL, root.path())[0];
    let drive = |retry_failed| {
        let environment = || {
            let batch = Batch::new(Faulty { step: 0 }, 1, Seed::new(0)).unwrap();
            Ok(Box::new(batch) as Box<dyn BatchedEnvironment>)
        };
        let conditions = Conditions { retry_failed, ..Conditions::default() };
        drive_in(&record.run, environment, &record.folder, &conditions).unwrap()
    };
    let Ending::Failed(failure) = drive(false) else { panic!("the run did not fail") };
    assert!(failure.error.contains("reward of environment copy 0 is NaN"), "{}", failure.error);
    assert_eq!(records::status(&record.folder).unwrap(), Status::Failed(failure.clone()));
    assert_eq!(drive(true), Ending::Failed(failure.clone()), "it fails again in the same way");

    MENDED.store(true, Ordering::Relaxed);
    assert_eq!(drive(false), Ending::Failed(failure), "a failed run is left alone");
    assert!(matches!(drive(true), Ending::Finished(_)), "and goes on from its checkpoint when asked to");
}

/// A folder with one finished run, made once for all cases of a property.
fn example() -> &'static (tempfile::TempDir, Record) {
    static EXAMPLE: std::sync::OnceLock<(tempfile::TempDir, Record)> = std::sync::OnceLock::new();
    EXAMPLE.get_or_init(|| {
        let root = tempfile::tempdir().unwrap();
        let record = finished(root.path()).swap_remove(1);
        (root, record)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_damage_to_any_file_makes_a_reader_panic(
        name in prop::sample::select(&["config.toml", "metrics.csv", "evaluations.csv", "timing.csv",
            "result.json", "machine.json", "checkpoint.safetensors", "events.out.tfevents"][..]),
        at in 0.0..1.0, removed in 0usize..50, inserted in prop::collection::vec(any::<u8>(), 0..8),
        resumed in any::<bool>(),
    ) {
        let (_, original) = example();
        let root = tempfile::tempdir().unwrap();
        let record = Record { folder: root.path().join("run"), run: original.run.clone() };
        fs::create_dir(&record.folder).unwrap();
        for entry in fs::read_dir(&original.folder).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), record.folder.join(entry.file_name())).unwrap();
        }
        let path = record.folder.join(name);
        let mut bytes = fs::read(&path).unwrap();
        let start = (at * bytes.len() as f64) as usize;
        let end = (start + removed).min(bytes.len());
        bytes.splice(start..end, inserted);
        fs::write(&path, bytes).unwrap();
        if resumed {
            let _ = fs::remove_file(record.folder.join("result.json"));
        }
        let _ = records::find_runs(root.path());
        let _ = records::status(&record.folder);
        let _ = records::metrics(&record.folder);
        let _ = records::evaluations(&record.folder);
        let ending = &schedule::drive_all(std::slice::from_ref(&record), &Conditions::default())[0];
        prop_assert!(!matches!(ending, Err(Error::Panicked { .. })), "{ending:?}");
    }
}
