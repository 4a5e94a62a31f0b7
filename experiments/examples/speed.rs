//! Assay's side of the speed comparison with Python: one workload for so many seconds, and one line
//! of JSON with what was done in how long. `experiments/comparison/compare.py` runs it.
//!
//! ```text
//! cargo run --release --example speed -- ppo-cartpole 15
//! ```

use std::{error::Error, process::ExitCode, time::Instant};

use assay_algorithms::{
    catalogue::{self, DeviceKind},
    policies::NetworkConfig,
    tensor::Cpu,
    trajectory_gradient::{BaselineForm, Estimator, PolicyConfig, PolicyForm, Trajectory},
};
use assay_environments::{Actions, BatchedStep, catalogue as environments, parameters, random::Seed};
use rand::Rng;
use toml::Table;

/// Learning, measured in environment steps or in gradient steps.
struct Workload {
    name: &'static str,
    algorithm: &'static str,
    environment: &'static str,
    /// The parameters, as TOML.
    parameters: &'static str,
    /// Environment steps before the clock starts.
    warm_up: u64,
    /// What is counted, per environment step.
    count_per_step: f64,
}

/// The settings are those that `worker.py` gives to the Python implementations. Off-policy, every
/// environment step has one update.
const WORKLOADS: [Workload; 6] = [
    Workload {
        name: "ppo-cartpole",
        algorithm: "ppo",
        environment: "CartPole-v1",
        parameters: "steps = 2048\nepochs = 10\nminibatch_size = 64\nnetwork.hidden = [64, 64]",
        warm_up: 2048,
        count_per_step: 1.0,
    },
    Workload {
        name: "ppo-update",
        algorithm: "ppo",
        environment: "CartPole-v1",
        parameters: "steps = 64\nepochs = 1000\nminibatch_size = 64\nnetwork.hidden = [64, 64]",
        warm_up: 64,
        count_per_step: 1000.0 / 64.0,
    },
    off_policy("sac-pendulum-256", "sac", "hidden = [256, 256]\nbatch_size = 256\nlearning_starts = 256"),
    off_policy("sac-pendulum-64", "sac", "hidden = [64, 64]\nbatch_size = 256\nlearning_starts = 256"),
    off_policy("td3-pendulum-256", "td3", "hidden = [256, 256]\nbatch_size = 256\nlearning_starts = 256"),
    off_policy("td3-pendulum-64", "td3", "hidden = [64, 64]\nbatch_size = 256\nlearning_starts = 256"),
];

const fn off_policy(name: &'static str, algorithm: &'static str, parameters: &'static str) -> Workload {
    Workload { name, algorithm, environment: "Pendulum-v1", parameters, warm_up: 500, count_per_step: 1.0 }
}

/// Stepping alone, with random actions drawn beforehand, measured in environment steps.
struct Stepping {
    name: &'static str,
    environment: &'static str,
    /// How many copies are stepped as one.
    copies: usize,
    /// How many actions are drawn for each copy.
    actions: usize,
}

const STEPPING: [Stepping; 5] = [
    Stepping { name: "cartpole-step", environment: "CartPole-v1", copies: 1024, actions: 100 },
    robot("hopper-step", "RapierHopper"),
    robot("walker2d-step", "RapierWalker2d"),
    robot("half-cheetah-step", "RapierHalfCheetah"),
    robot("ant-step", "RapierAnt"),
];

const fn robot(name: &'static str, environment: &'static str) -> Stepping {
    Stepping { name, environment, copies: 1, actions: 1000 }
}

/// Derivatives over one trajectory, by a policy with two hidden layers of 64, measured in derivatives.
const DERIVATIVES: [&str; 2] = ["policy-gradient-64", "hessian-product-64"];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, seconds] = arguments.as_slice() else {
        return Err("usage: speed WORKLOAD SECONDS".into());
    };
    let seconds: f64 = seconds.parse()?;
    let (count, time) = if let Some(workload) = STEPPING.iter().find(|w| w.name == name) {
        step(workload, seconds)?
    } else if DERIVATIVES.contains(&name.as_str()) {
        differentiate(name == DERIVATIVES[1], seconds)?
    } else {
        let learning = WORKLOADS.iter().map(|w| w.name);
        let known = || learning.clone().chain(STEPPING.iter().map(|w| w.name)).chain(DERIVATIVES);
        let workload = WORKLOADS.iter().find(|w| w.name == name);
        learn(workload.ok_or_else(|| parameters::unknown("workload", name, known()))?, seconds)?
    };
    let memory = peak_memory().map_or("null".to_owned(), |bytes| bytes.to_string());
    let Elapsed { seconds, cpu_seconds } = time;
    println!(
        "{{\"count\": {count}, \"seconds\": {seconds}, \"cpu_seconds\": {cpu_seconds}, \"peak_memory\": {memory}}}"
    );
    Ok(())
}

/// A start, by the clock and by the processor time spent until then.
struct Start(Instant, f64);

struct Elapsed {
    seconds: f64,
    cpu_seconds: f64,
}

impl Start {
    fn now() -> Self {
        Start(Instant::now(), cpu_seconds())
    }

    fn elapsed(&self) -> Elapsed {
        Elapsed { seconds: self.0.elapsed().as_secs_f64(), cpu_seconds: cpu_seconds() - self.1 }
    }
}

/// Whole iterations of the learner for at least so many seconds.
fn learn(workload: &Workload, seconds: f64) -> Result<(f64, Elapsed), Box<dyn Error>> {
    let seed = Seed::new(0);
    let environment = environments::make(workload.environment, &Table::new(), 1, seed)?;
    let parameters: Table = workload.parameters.parse()?;
    let mut learner = catalogue::make(workload.algorithm, &parameters, environment, seed, DeviceKind::Cpu)?;
    while learner.steps() < workload.warm_up {
        learner.advance()?;
    }
    let (first, start) = (learner.steps(), Start::now());
    while start.0.elapsed().as_secs_f64() < seconds {
        learner.advance()?;
    }
    let elapsed = start.elapsed();
    Ok(((learner.steps() - first) as f64 * workload.count_per_step, elapsed))
}

/// Batched steps for at least so many seconds.
fn step(workload: &Stepping, seconds: f64) -> Result<(f64, Elapsed), Box<dyn Error>> {
    let seed = Seed::new(0);
    let copies = workload.copies;
    let mut environment = environments::make(workload.environment, &Table::new(), copies, seed)?;
    let mut step = BatchedStep::new(environment.as_ref());
    environment.reset(&mut step.observations)?;
    let mut rng = seed.stream("actions");
    let mut actions = vec![Actions::zeros(environment.action_space(), copies); workload.actions];
    actions.iter_mut().for_each(|batch| environment.action_space().sample(&mut rng, batch));
    let mut round = || actions.iter().try_for_each(|batch| environment.step(batch, &mut step));
    round()?; // the warm-up
    let (mut rounds, start) = (0, Start::now());
    while start.0.elapsed().as_secs_f64() < seconds {
        round()?;
        rounds += 1;
    }
    let elapsed = start.elapsed();
    Ok(((rounds * actions.len() * copies) as f64, elapsed))
}

/// Policy gradients, or Hessian-vector products, for at least so many seconds.
fn differentiate(twice: bool, seconds: f64) -> Result<(f64, Elapsed), Box<dyn Error>> {
    const STEPS: usize = 200;
    const ROUND: usize = 10;
    let seed = Seed::new(0);
    let environment = environments::make("CartPole-v1", &Table::new(), 1, seed)?;
    let network = NetworkConfig { hidden: vec![64, 64], ..NetworkConfig::default() };
    let config = PolicyConfig { form: PolicyForm::Network, network, ..PolicyConfig::default() };
    let mut policy = config.policy(environment.as_ref(), seed, Cpu::default())?;
    let mut rng = seed.stream("trajectory");
    let mut trajectory = Trajectory::default();
    for _ in 0..STEPS {
        trajectory.observations.extend((0..4).map(|_| rng.random_range(-1.0_f32..1.0)));
        let right = rng.random::<bool>();
        trajectory.actions.extend(if right { [0.0, 1.0] } else { [1.0, 0.0] });
        trajectory.rewards.push(1.0);
    }
    let batch = [trajectory];
    let mut estimator = Estimator::new(0.99, BaselineForm::None);
    let direction: Vec<f64> = (0..policy.dimension()).map(|_| rng.random_range(-1.0..1.0)).collect();
    let mut result = vec![0.0; direction.len()];
    let mut round = || {
        for _ in 0..ROUND {
            if twice {
                estimator.hessian_product(&mut *policy, &batch, &direction, &mut result);
            } else {
                estimator.gradient(&mut *policy, &batch, &mut result);
            }
        }
    };
    round(); // the warm-up
    let (mut rounds, start) = (0, Start::now());
    while start.0.elapsed().as_secs_f64() < seconds {
        round();
        rounds += 1;
    }
    let elapsed = start.elapsed();
    Ok(((rounds * ROUND) as f64, elapsed))
}

/// The processor time of this process so far, in seconds to a hundredth; 0 where the system does
/// not say.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in brackets, which may hold anything, come the state and ten numbers, and then
    // the time in the program and in the system, in hundredths of a second.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// The most memory that this process has held, in bytes; `None` where the system does not say.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}
