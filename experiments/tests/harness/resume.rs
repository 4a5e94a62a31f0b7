//! Stopped or killed at any moment and resumed: the same bytes as if never interrupted, with any
//! number of threads.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use assay_environments::random::Seed;
use assay_experiments::{
    Run,
    driver::{Conditions, Ending, Event, Observer},
    schedule::drive_all,
};
use rand::Rng;

use super::{SMALL, assert_same, prepared, reproducible_files};

fn uninterrupted(root: &Path, threads: usize) {
    let records = prepared(SMALL, root);
    for ending in drive_all(&records, &Conditions { threads, ..Conditions::default() }) {
        assert!(matches!(ending, Ok(Ending::Finished(_))), "{ending:?}");
    }
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let (one, many) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    uninterrupted(one.path(), 1);
    uninterrupted(many.path(), 3);
    let reference = reproducible_files(one.path());
    assert_eq!(reference.len(), 4 * 5);
    assert_same(&reproducible_files(many.path()), &reference);
}

/// Asks for a stop after so many events.
struct StopAfter {
    events: AtomicU64,
    stop: AtomicBool,
}

impl Observer for StopAfter {
    fn observe(&self, _run: &Run, _event: Event<'_>) {
        if self.events.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn stopped_at_any_event_and_resumed_gives_the_same_bytes() {
    let reference = tempfile::tempdir().unwrap();
    uninterrupted(reference.path(), 2);
    let reference = reproducible_files(reference.path());
    let mut rng = Seed::new(5).stream("stops");
    for _ in 0..6 {
        let root = tempfile::tempdir().unwrap();
        let records = prepared(SMALL, root.path());
        for sessions in 0.. {
            assert!(sessions < 1000, "the runs never end");
            let observer =
                StopAfter { events: AtomicU64::new(rng.random_range(1..150)), stop: AtomicBool::new(false) };
            let conditions =
                Conditions { stop: &observer.stop, observer: &observer, threads: 2, ..Conditions::default() };
            let endings = drive_all(&records, &conditions);
            if endings.iter().all(|ending| matches!(ending, Ok(Ending::Finished(_)))) {
                break;
            }
            assert!(endings.iter().all(Result::is_ok), "{endings:?}");
            // A killed process leaves more: rows after the checkpoint, half a row, a file half
            // written to its temporary name.
            for record in &records {
                for name in ["metrics.csv", "evaluations.csv", "timing.csv", "events.out.tfevents"] {
                    let unfinished = !record.folder.join("result.json").exists();
                    let file = OpenOptions::new().append(true).open(record.folder.join(name));
                    if let Some(mut file) = file.ok().filter(|_| unfinished) {
                        file.write_all(b"600,600,1,2\n300,1").unwrap();
                    }
                }
                if rng.random() {
                    fs::write(record.folder.join("checkpoint.safetensors.tmp"), b"half").unwrap();
                }
            }
        }
        // A finished run is left alone, but opening it tidies up.
        drive_all(&records, &Conditions::default());
        assert_same(&reproducible_files(root.path()), &reference);
    }
}

fn assay(arguments: &[&str], root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.args(arguments).current_dir(root).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[cfg(unix)]
#[test]
fn killed_by_the_system_and_resumed_gives_the_same_bytes() {
    // Long enough to be killed several times in the middle, with checkpoints all the time.
    let text = SMALL.replace("budget = 600", "budget = 3000");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small.toml"), &text).unwrap();
    let run = |root: &str| assay(&["run", "small.toml", "--root", root], folder.path());
    assert!(run("whole").status().unwrap().success());

    let mut rng = Seed::new(6).stream("kills");
    let mut kills = 0;
    for session in 0_u64.. {
        assert!(session < 200, "the runs never end");
        let mut child = run("killed").spawn().unwrap();
        // Later sessions are given more time, so that the end is reached on a slow machine, too.
        std::thread::sleep(Duration::from_millis(rng.random_range(1..40) + 5 * session));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 0, "the run was over before it could be killed");
    assert_same(
        &reproducible_files(&folder.path().join("killed")),
        &reproducible_files(&folder.path().join("whole")),
    );
}

#[cfg(unix)]
#[test]
fn a_termination_signal_stops_cleanly_and_resume_needs_only_the_folder() {
    let text =
        SMALL.replace("budget = 600", "budget = 100000").replace("checkpoint = 50", "checkpoint = 50000");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small.toml"), &text).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(["run", "small.toml", "--threads", "1"])
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let first = folder.path().join("runs/small/random/seed-0/metrics.csv");
    while !first.exists() {
        assert!(child.try_wait().unwrap().is_none(), "the command ended too early");
        std::thread::sleep(Duration::from_millis(5));
    }
    let signalled = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(
        errors.contains("stopped") && errors.contains("resume with: assay resume runs/small"),
        "{errors}"
    );
    assert!(folder.path().join("runs/small/sac/seed-1/config.toml").exists());

    // Resuming one run from its folder alone; the others wait.
    let resumed = assay(&["resume", "runs/small/random/seed-0"], folder.path()).status().unwrap();
    assert!(resumed.success());
    assert!(folder.path().join("runs/small/random/seed-0/result.json").exists());
    assert!(!folder.path().join("runs/small/sac/seed-1/result.json").exists());
}
