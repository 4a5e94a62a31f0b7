//! What every on-policy learner must do.

use assay_environments::{
    Batch as Copies, BatchedEnvironment,
    classic::CartPole,
    probe::{ActionForm, Probe, Question},
    random::Seed,
};

use super::ActorCritic;
use crate::{
    Learner,
    mdpo::StepSize,
    mdpo::on_policy::{Config as MdpoConfig, OnPolicyMdpo},
    optimisers::Schedule,
    ppo::{Config as PpoConfig, Ppo},
    reinforce::{Config as ReinforceConfig, Reinforce},
    tensor::{Cpu, Device},
    trpo::{Config as TrpoConfig, Trpo},
};

trait OnPolicy: Learner {
    fn agent(&self) -> &ActorCritic<Cpu>;
}

impl OnPolicy for Ppo<Cpu> {
    fn agent(&self) -> &ActorCritic<Cpu> {
        Ppo::agent(self)
    }
}
impl OnPolicy for Trpo<Cpu> {
    fn agent(&self) -> &ActorCritic<Cpu> {
        Trpo::agent(self)
    }
}
impl OnPolicy for Reinforce<Cpu> {
    fn agent(&self) -> &ActorCritic<Cpu> {
        Reinforce::agent(self)
    }
}
impl OnPolicy for OnPolicyMdpo<Cpu> {
    fn agent(&self) -> &ActorCritic<Cpu> {
        OnPolicyMdpo::agent(self)
    }
}

type Make = fn(Box<dyn BatchedEnvironment>, Seed) -> Box<dyn OnPolicy>;

/// Every learner, set up to learn the probes within a second.
const LEARNERS: [(&str, Make); 4] = [
    ("ppo", |environment, seed| {
        let config = PpoConfig {
            steps: 16,
            discount: 0.5,
            learning_rate: Schedule::Constant(3e-3),
            epochs: 8,
            ..PpoConfig::default()
        };
        Box::new(Ppo::new(config, environment, seed, Cpu::open().unwrap()).unwrap())
    }),
    ("trpo", |environment, seed| {
        let config = TrpoConfig {
            steps: 16,
            discount: 0.5,
            value_learning_rate: 3e-3,
            target_kl: 0.03,
            ..TrpoConfig::default()
        };
        Box::new(Trpo::new(config, environment, seed, Cpu::open().unwrap()).unwrap())
    }),
    ("reinforce", |environment, seed| {
        let config = ReinforceConfig {
            steps: 16,
            discount: 0.5,
            learning_rate: Schedule::Constant(1e-2),
            value_learning_rate: 3e-3,
            ..ReinforceConfig::default()
        };
        Box::new(Reinforce::new(config, environment, seed, Cpu::open().unwrap()).unwrap())
    }),
    ("mdpo", |environment, seed| {
        let config = MdpoConfig {
            steps: 16,
            discount: 0.5,
            learning_rate: 3e-3,
            value_learning_rate: 3e-3,
            step_size: StepSize::Constant { value: 1.0 },
            normalise_observations: false,
            normalise_rewards: false,
            value_clip_range: None,
            ..MdpoConfig::default()
        };
        Box::new(OnPolicyMdpo::new(config, environment, seed, Cpu::open().unwrap()).unwrap())
    }),
];

#[test]
fn try_probes() {
    for (name, make) in LEARNERS {
        for actions in [ActionForm::Discrete, ActionForm::Continuous] {
            for question in Question::ALL {
                let start = std::time::Instant::now();
                let seed = Seed::new(1);
                let probe = Probe::new(question, actions);
                let environment = Box::new(Copies::new(probe.clone(), 8, seed).unwrap());
                let mut learner = make(environment, seed);
                for _ in 0..100 {
                    learner.advance().unwrap();
                }
                let mut values = [0.0; 3];
                let observations = [-1.0, 0.0, 1.0];
                learner.agent().value.infer(&observations, &mut values);
                let mut a = assay_environments::Actions::zeros(
                    learner.agent().collector.environment().action_space(),
                    3,
                );
                learner.act(&observations, crate::Mode::Greedy, &mut seed.stream("x"), &mut a).unwrap();
                println!("{name} {actions:?} {question:?} {values:?} {a:?} {:?}", start.elapsed());
            }
        }
    }
}

#[test]
fn try_cartpole() {
    for seed in 0..3 {
        let seed = Seed::new(seed);
        let environment = || Box::new(Copies::new(CartPole::default(), 8, seed).unwrap());
        let mut learners: Vec<(&str, Box<dyn OnPolicy>)> = vec![
            (
                "ppo",
                Box::new(
                    Ppo::new(
                        PpoConfig {
                            steps: 128,
                            learning_rate: Schedule::Constant(1e-3),
                            minibatch_size: 128,
                            discount: 0.98,
                            lambda: 0.9,
                            ..PpoConfig::default()
                        },
                        environment(),
                        seed,
                        Cpu::open().unwrap(),
                    )
                    .unwrap(),
                ),
            ),
            (
                "trpo",
                Box::new(
                    Trpo::new(
                        TrpoConfig {
                            steps: 128,
                            target_kl: 0.02,
                            discount: 0.98,
                            lambda: 0.9,
                            ..TrpoConfig::default()
                        },
                        environment(),
                        seed,
                        Cpu::open().unwrap(),
                    )
                    .unwrap(),
                ),
            ),
            (
                "mdpo",
                Box::new(
                    OnPolicyMdpo::new(
                        MdpoConfig {
                            steps: 128,
                            learning_rate: 1e-3,
                            value_learning_rate: 1e-3,
                            discount: 0.98,
                            lambda: 0.9,
                            total_steps: 60_000,
                            ..MdpoConfig::default()
                        },
                        environment(),
                        seed,
                        Cpu::open().unwrap(),
                    )
                    .unwrap(),
                ),
            ),
            (
                "reinforce",
                Box::new(
                    Reinforce::new(
                        ReinforceConfig {
                            steps: 128,
                            learning_rate: Schedule::Constant(1e-2),
                            discount: 0.98,
                            ..ReinforceConfig::default()
                        },
                        environment(),
                        seed,
                        Cpu::open().unwrap(),
                    )
                    .unwrap(),
                ),
            ),
        ];
        for (name, learner) in &mut learners {
            let start = std::time::Instant::now();
            while learner.steps() < 60_000 {
                let report = learner.advance().unwrap();
                if (learner.steps() / 1024) % 10 == 0 {
                    let mean: f64 = report.episodes.iter().map(|e| e.total_reward).sum::<f64>()
                        / report.episodes.len() as f64;
                    println!("{name} {} {mean} {:?} {:?}", learner.steps(), start.elapsed(), report.metrics);
                }
            }
        }
    }
}
