//! Hands the version of the code and of the compiler to the program, for the records of runs.

use std::process::Command;

fn main() {
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"]);
    let modified = output("git", &["status", "--porcelain", "--untracked-files=no"]);
    let package = env!("CARGO_PKG_VERSION");
    let version = match (commit, modified) {
        (Some(commit), Some(changes)) if changes.is_empty() => format!("{package} ({commit})"),
        (Some(commit), _) => format!("{package} ({commit}, modified)"),
        (None, _) => package.to_owned(),
    };
    println!("cargo::rustc-env=ASSAY_CODE_VERSION={version}");

    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let compiler = output(&compiler, &["--version"]).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=ASSAY_COMPILER={compiler}");

    // The commit changes with the git head, the modified mark with any source file.
    for path in ["HEAD", "index"] {
        if let Some(path) = output("git", &["rev-parse", "--git-path", path]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    for folder in ["environments", "theory", "algorithms", "plots", "experiments"] {
        println!("cargo::rerun-if-changed=../{folder}/src");
    }
}

/// What the command prints, trimmed; `None` when it cannot be run or fails.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
