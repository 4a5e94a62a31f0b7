//! Every algorithm of the catalogue, through the harness: stopped after its first iteration, built
//! anew and resumed, it gives the same bytes as when it is not.

use std::sync::atomic::AtomicBool;

use assay_algorithms::catalogue::{self, DeviceKind};
use assay_environments::{BatchedEnvironment, catalogue as environments, random::Seed};
use assay_experiments::{
    Run,
    driver::{Conditions, Ending, Event, Observer, drive},
    experiment::Experiment,
    schedule,
};
use toml::Table;

/// Environments that between them suit every algorithm.
const ENVIRONMENTS: [&str; 7] =
    ["CartPole-v1", "Pendulum-v1", "Garnet", "LayeredRandom", "WindyWalk", "LotSizing", "GridCoverage"];

/// The first environment that the algorithm can act in, and the steps of its first iteration.
fn first_iteration(algorithm: &catalogue::Entry) -> (&'static str, u64) {
    for name in ENVIRONMENTS {
        let environment: Box<dyn BatchedEnvironment> =
            environments::make(name, &Table::new(), 1, Seed::new(0)).unwrap();
        let parameters = algorithm.parameters();
        let made = catalogue::make(algorithm.name(), &parameters, environment, Seed::new(0), DeviceKind::Cpu);
        if let Ok(mut learner) = made {
            learner.advance().unwrap();
            return (name, learner.steps());
        }
    }
    panic!("no environment here suits {}", algorithm.name());
}

/// Asks for a stop as soon as the learner has advanced.
struct StopAtOnce(AtomicBool);

impl Observer for StopAtOnce {
    fn observe(&self, _run: &Run, event: Event<'_>) {
        if let Event::Advanced { .. } = event {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

#[test]
fn every_algorithm_resumes_to_the_same_bytes() {
    for algorithm in catalogue::entries() {
        let (environment, steps) = first_iteration(algorithm);
        let text = format!(
            "name = \"every\"\nbudget = {}\nevaluation = {{ episodes = 1 }}\nrecords = {{ interval = 1 }}\n\
             environment = {{ name = \"{environment}\" }}\n[[algorithm]]\nname = \"{}\"",
            steps + 1,
            algorithm.name()
        );
        let experiment = Experiment::parse(&text, algorithm.name(), &[]).unwrap();
        let [whole, stopped] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
        let record = |root: &tempfile::TempDir| {
            schedule::prepare(experiment.runs().unwrap(), root.path()).unwrap().remove(0)
        };
        let run = |root| {
            let record = record(root);
            drive(&record.run, &record.folder, &Conditions::default()).unwrap()
        };
        assert!(matches!(run(&whole), Ending::Finished(_)));

        let observer = StopAtOnce(AtomicBool::new(false));
        let conditions = Conditions { stop: &observer.0, observer: &observer, ..Conditions::default() };
        let first = record(&stopped);
        let ending = drive(&first.run, &first.folder, &conditions).unwrap();
        assert_eq!(ending, Ending::Stopped { steps }, "{}", algorithm.name());
        assert!(matches!(run(&stopped), Ending::Finished(_)));
        super::assert_same(
            &super::reproducible_files(stopped.path()),
            &super::reproducible_files(whole.path()),
        );
    }
}
