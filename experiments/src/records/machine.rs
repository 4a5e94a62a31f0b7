//! What a run was computed on: `machine.json`, one entry for every time the run was started.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use super::files::write_atomically;
use crate::{Error, run::CODE_VERSION};

/// A machine and a program, as far as they may matter for speed or for reproducing bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Seconds since 1970 when the run was started or resumed.
    pub started: u64,
    /// Environment steps that the run had then.
    pub steps: u64,
    /// The version of the code.
    pub code: String,
    /// The compiler's version.
    pub compiler: String,
    /// Whether debug assertions were compiled in: such a program is not for timing.
    pub debug_assertions: bool,
    /// Operating system.
    pub system: String,
    /// Processor architecture.
    pub architecture: String,
    /// The processor's name, where the system tells it.
    pub processor: String,
    /// Logical processors that the program may use.
    pub processors: usize,
    /// Runs that were computed at the same time at most.
    pub threads: usize,
}

impl Machine {
    /// This machine, now.
    pub(crate) fn here(steps: u64, threads: usize) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Machine {
            started: now.as_secs(),
            steps,
            code: CODE_VERSION.into(),
            compiler: env!("ASSAY_COMPILER").into(),
            debug_assertions: cfg!(debug_assertions),
            system: std::env::consts::OS.into(),
            architecture: std::env::consts::ARCH.into(),
            processor: processor(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            threads,
        }
    }

    /// Adds this machine to the list in `path`. A list that cannot be read is begun anew: nothing
    /// depends on it.
    pub(crate) fn note(self, path: &Path) -> Result<(), Error> {
        let mut machines: Vec<Machine> =
            fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        machines.push(self);
        let mut text = serde_json::to_vec_pretty(&machines).map_err(|e| Error::damaged(path, e))?;
        text.push(b'\n');
        write_atomically(path, &text)
    }
}

/// The processor's name from Linux's `/proc/cpuinfo`; empty elsewhere.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim().to_owned()).unwrap_or_default()
}
