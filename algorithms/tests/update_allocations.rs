//! What a learner's update asks of the allocator once its buffers have grown: nothing beyond what
//! the tensor crate's operations do. Every allocation belongs to the innermost function on its stack
//! that is not the standard library's.
//!
//! This file holds one test: the profile is of the whole process.

use std::path::Path;

use assay_algorithms::catalogue::{self, DeviceKind};
use assay_environments::{catalogue::make, random::Seed};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Allocations, by who asked for them.
#[derive(Debug, Default)]
struct Allocations {
    /// Within an operation of the tensor crate.
    tensors: u64,
    /// Elsewhere, each with the function that asked.
    others: Vec<(String, u64)>,
}

enum Asker {
    TensorCrate,
    Ours,
}

impl Asker {
    /// Whose a frame is, `address: function (file:line:column)` with the last three components of
    /// the file's path; none when it is the standard library's.
    fn of(frame: &str) -> Option<Self> {
        let (_, place) = frame.rsplit_once('(')?;
        let file = place.split(':').next()?;
        let ours = file.strip_prefix("algorithms/").unwrap_or(file);
        let module = file.strip_prefix("src/").unwrap_or(file);
        if Path::new(env!("CARGO_MANIFEST_DIR")).join(ours).exists() {
            Some(Asker::Ours)
        } else {
            let tensors = ["dfdx-", "tensor/", "tensor_ops/"].iter().any(|start| module.starts_with(start));
            tensors.then_some(Asker::TensorCrate)
        }
    }
}

impl Allocations {
    /// Reads a profile as dhat writes it.
    fn read(profile: &[u8]) -> Self {
        let profile: serde_json::Value = serde_json::from_slice(profile).unwrap();
        let list = |value: &serde_json::Value| value.as_array().unwrap().clone();
        let functions = list(&profile["ftbl"]);
        let mut allocations = Allocations::default();
        for point in list(&profile["pps"]) {
            let count = point["tbk"].as_u64().unwrap();
            let mut stack = list(&point["fs"]).into_iter();
            let asked = stack.find_map(|frame| {
                let frame = functions[frame.as_u64().unwrap() as usize].as_str().unwrap();
                Asker::of(frame).map(|asker| (asker, frame.to_owned()))
            });
            match asked {
                Some((Asker::TensorCrate, _)) => allocations.tensors += count,
                Some((Asker::Ours, frame)) => allocations.others.push((frame, count)),
                None => allocations.others.push((String::new(), count)),
            }
        }
        allocations
    }

    fn of_all(&self) -> u64 {
        self.tensors + self.others.iter().map(|(_, count)| count).sum::<u64>()
    }
}

/// Those of one iteration on Pendulum, after several.
fn iteration(algorithm: &str, parameters: &str) -> Allocations {
    let seed = Seed::new(0);
    let environment = make("Pendulum-v1", &toml::Table::new(), 1, seed).unwrap();
    let parameters = parameters.parse().unwrap();
    let mut learner = catalogue::make(algorithm, &parameters, environment, seed, DeviceKind::Cpu).unwrap();
    while learner.steps() < 640 {
        learner.advance().unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("profile.json");
    let profiler = dhat::Profiler::builder().trim_backtraces(None).file_name(&path).build();
    learner.advance().unwrap();
    drop(profiler);
    Allocations::read(&std::fs::read(path).unwrap())
}

/// The numbers stand in the documentation of `assay_algorithms::tensor`.
#[test]
fn an_update_allocates_only_within_tensor_operations_and_as_often_as_documented() {
    let regression = "steps = 128\nvalue_minibatch_size = 128";
    let off_policy = "learning_starts = 200\nbatch_size = 32";
    // One more gradient step is one more of a setting; TD3 takes its policy's at every second step.
    for (algorithm, parameters, setting, values, documented) in [
        ("ppo", "steps = 128\nminibatch_size = 128", "epochs", [1, 2], 78),
        ("trpo", regression, "value_epochs", [1, 2], 18),
        ("mdpo-on-policy", regression, "inner_steps", [1, 2], 80),
        ("mdpo-off-policy", off_policy, "steps", [1, 2], 213),
        ("sac", off_policy, "steps", [1, 2], 142),
        ("td3", off_policy, "steps", [2, 4], 94),
    ] {
        let [fewer, more] =
            values.map(|value| iteration(algorithm, &format!("{parameters}\n{setting} = {value}")));
        // Functions on a stack have names where the program has its line tables.
        if cfg!(debug_assertions) {
            for Allocations { others, .. } in [&fewer, &more] {
                // The report's list of metrics.
                assert!(matches!(&others[..], [(asked, 1)] if !asked.is_empty()), "{algorithm}: {others:?}");
            }
        }
        assert_eq!(more.of_all() - fewer.of_all(), documented, "{algorithm}");
    }
}
