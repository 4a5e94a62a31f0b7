//! Any algorithm by name.
//!
//! Each algorithm's `Config` implements [`Configuration`] in the algorithm's own file and is
//! listed once in [`entries`]; whoever runs experiments needs to know nothing more about it.

use assay_environments::{
    BatchedEnvironment,
    parameters::{self, ParameterError},
    random::Seed,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Error, Learner, baseline_only, bpi_ucbvi, domain_randomisation, dope, hapg, is_mbpg, iwocs, m2td3, mdpo,
    n_harpg, normalised_policy_gradient, optpess_lp, pdppo, planned, ppo, props, random, rarl, reinforce,
    sac, srvr_pg, stepmix, storm_pg, subpo, td3,
    tensor::{Cpu, Device},
    trpo, ucbvi,
};

/// A learner's configuration: what turns a table of parameters into a learner.
///
/// `Default` is the paper's setting. The struct refuses unknown fields
/// (`#[serde(default, deny_unknown_fields)]`).
pub trait Configuration: Serialize + DeserializeOwned + Default {
    /// Errors with field, value and what is allowed when a field is out of its range.
    fn validate(&self) -> Result<(), ParameterError>;

    /// The learner at its first step, on `environment`, with its networks on `device`. All its
    /// randomness derives from `seed`. Errors when the algorithm cannot act in the environment's
    /// spaces, or the device fails.
    fn learner<D: Device>(
        self,
        environment: Box<dyn BatchedEnvironment>,
        seed: Seed,
        device: D,
    ) -> Result<Box<dyn Learner>, Error>;
}

/// Where a learner's networks live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// The processor.
    #[default]
    Cpu,
    /// The first CUDA device; needs the `cuda` feature.
    Cuda,
}

/// One algorithm of the catalogue.
pub struct Entry {
    name: &'static str,
    summary: &'static str,
    resolve: fn(&str, &toml::Table) -> Result<toml::Table, Error>,
    make: Make,
}

type Make =
    fn(&str, &toml::Table, Box<dyn BatchedEnvironment>, Seed, DeviceKind) -> Result<Box<dyn Learner>, Error>;

impl Entry {
    const fn of<C: Configuration>(name: &'static str, summary: &'static str) -> Self {
        Entry { name, summary, resolve: resolve_as::<C>, make: make_as::<C> }
    }

    /// The name by which experiments call it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// One line: what it is and which paper it is from.
    pub fn summary(&self) -> &'static str {
        self.summary
    }

    /// All parameters, `given` ones over the defaults. Errors as [`make`] does.
    pub fn resolve(&self, given: &toml::Table) -> Result<toml::Table, Error> {
        (self.resolve)(self.name, given)
    }

    /// The parameters with their defaults. A field that is absent by default is not among them.
    pub fn parameters(&self) -> toml::Table {
        self.resolve(&toml::Table::new()).expect("a default configuration is valid")
    }
}

fn read_as<C: Configuration>(name: &str, given: &toml::Table) -> Result<C, Error> {
    let configuration: C = parameters::read(name, given)?;
    configuration.validate()?;
    Ok(configuration)
}

fn resolve_as<C: Configuration>(name: &str, given: &toml::Table) -> Result<toml::Table, Error> {
    let configuration: C = read_as(name, given)?;
    toml::Table::try_from(configuration).map_err(|e| {
        let value = given.to_string();
        Error::Parameter(ParameterError::Malformed { field: name.into(), value, reason: e.to_string() })
    })
}

fn make_as<C: Configuration>(
    name: &str,
    given: &toml::Table,
    environment: Box<dyn BatchedEnvironment>,
    seed: Seed,
    device: DeviceKind,
) -> Result<Box<dyn Learner>, Error> {
    let configuration = read_as::<C>(name, given)?;
    match device {
        DeviceKind::Cpu => configuration.learner(environment, seed, Cpu::open()?),
        #[cfg(feature = "cuda")]
        DeviceKind::Cuda => configuration.learner(environment, seed, crate::tensor::Cuda::open()?),
        #[cfg(not(feature = "cuda"))]
        DeviceKind::Cuda => Err(Error::Device {
            device: "cuda",
            reason: "this program was built without the feature `cuda`; build it with `--features cuda`"
                .into(),
        }),
    }
}

/// Every algorithm, in the order in which they are listed to users.
pub fn entries() -> &'static [Entry] {
    const ENTRIES: &[Entry] = &[
        Entry::of::<random::Config>("random", "Uniformly random actions: what no learning achieves"),
        Entry::of::<reinforce::Config>(
            "reinforce",
            "Policy gradient with a learned baseline (Williams 1992)",
        ),
        Entry::of::<ppo::Config>("ppo", "Proximal policy optimisation (Schulman et al. 2017)"),
        Entry::of::<trpo::Config>("trpo", "Trust region policy optimisation (Schulman et al. 2015)"),
        Entry::of::<mdpo::on_policy::Config>(
            "mdpo-on-policy",
            "Mirror descent policy optimisation (Tomar et al. 2022)",
        ),
        Entry::of::<mdpo::off_policy::Config>(
            "mdpo-off-policy",
            "Mirror descent policy optimisation from replay (Tomar et al. 2022)",
        ),
        Entry::of::<mdpo::tabular::Config>(
            "mdpo-tabular",
            "Mirror descent policy optimisation with exact tables (Tomar et al. 2022)",
        ),
        Entry::of::<pdppo::Config>(
            "pdppo",
            "PPO with a critic of the post-decision state too (Felizardo et al. 2025)",
        ),
        Entry::of::<props::Config>(
            "props",
            "PPO on a buffer that adaptive sampling keeps on-policy (Corrado and Hanna 2023)",
        ),
        Entry::of::<props::RosConfig>(
            "ros",
            "PPO on a batch that robust on-policy sampling collects (Zhong et al. 2022)",
        ),
        Entry::of::<sac::Config>(
            "sac",
            "Soft actor-critic with a learned temperature (Haarnoja et al. 2018)",
        ),
        Entry::of::<stepmix::Config>(
            "stepmix",
            "Conservative exploration by mixing at one step (Li et al. 2023)",
        ),
        Entry::of::<stepmix::EpsMixConfig>(
            "epsmix",
            "Conservative exploration by mixing over episodes (Li et al. 2023)",
        ),
        Entry::of::<bpi_ucbvi::Config>("bpi-ucbvi", "Optimistic value iteration (Ménard et al. 2021)"),
        Entry::of::<ucbvi::Config>("ucbvi", "Optimistic value iteration (Azar et al. 2017)"),
        Entry::of::<optpess_lp::Config>(
            "optpess-lp",
            "Safe exploration by linear programs (Liu et al. 2021)",
        ),
        Entry::of::<dope::Config>(
            "dope",
            "Safe exploration by optimistic linear programs (Bura et al. 2022)",
        ),
        Entry::of::<baseline_only::Config>(
            "baseline-only",
            "The baseline policy of a conservative algorithm",
        ),
        Entry::of::<n_harpg::NHarpgConfig>(
            "n-harpg",
            "Normalised Hessian-aided recursive policy gradient (Fatkhullin et al. 2023)",
        ),
        Entry::of::<n_harpg::HarpgConfig>(
            "harpg",
            "Hessian-aided recursive policy gradient (Fatkhullin et al. 2023)",
        ),
        Entry::of::<n_harpg::NPgIgtConfig>(
            "n-pg-igt",
            "Normalised policy gradient with implicit gradient transport (Fatkhullin et al. 2023)",
        ),
        Entry::of::<normalised_policy_gradient::Config>(
            "n-mpg",
            "Normalised policy gradient with momentum; plain policy gradient (Ding et al. 2022)",
        ),
        Entry::of::<storm_pg::Config>("storm-pg", "Stochastic recursive momentum (Yuan et al. 2020)"),
        Entry::of::<srvr_pg::Config>(
            "srvr-pg",
            "Stochastic recursive variance-reduced policy gradient (Xu et al. 2020)",
        ),
        Entry::of::<hapg::Config>("hapg", "Hessian-aided policy gradient (Shen et al. 2019)"),
        Entry::of::<is_mbpg::Config>(
            "is-mbpg",
            "Momentum-based policy gradient with importance sampling (Huang et al. 2020)",
        ),
        Entry::of::<subpo::Config>("subpo", "Policy gradient on marginal gains (Prajapat et al. 2024)"),
        Entry::of::<planned::Config>(
            "planned",
            "Plans made with knowledge of set function and moves: greedy, beam, optimal",
        ),
        Entry::of::<iwocs::deep::Config>(
            "iwocs",
            "Robust control by worst cases one after the other (Zouitine et al. 2024)",
        ),
        Entry::of::<domain_randomisation::Config>(
            "domain-randomisation",
            "SAC with new physical parameters in every episode (Tobin et al. 2017)",
        ),
        Entry::of::<m2td3::Config>(
            "m2td3",
            "TD3 against the worst physical parameters of a set (Tanabe et al. 2022)",
        ),
        Entry::of::<rarl::Config>(
            "rarl",
            "SAC and an adversary that chooses physical parameters, in turns (Pinto et al. 2017)",
        ),
        Entry::of::<iwocs::tabular::Config>(
            "iwocs-tabular",
            "Robust planning by worst cases one after the other (Zouitine et al. 2024)",
        ),
        Entry::of::<td3::Config>("td3", "Twin delayed deterministic policy gradient (Fujimoto et al. 2018)"),
    ];
    ENTRIES
}

/// The algorithm called `name`. Errors with the nearest spelling when there is none.
pub fn find(name: &str) -> Result<&'static Entry, ParameterError> {
    let found = entries().iter().find(|entry| entry.name == name);
    found.ok_or_else(|| parameters::unknown("algorithm", name, entries().iter().map(|entry| entry.name)))
}

/// A learner by its algorithm's name, with `given` parameters over the defaults. Errors when the
/// name is unknown, a parameter is unknown or out of range, the algorithm cannot act in the
/// environment, or the device is not there.
pub fn make(
    name: &str,
    given: &toml::Table,
    environment: Box<dyn BatchedEnvironment>,
    seed: Seed,
    device: DeviceKind,
) -> Result<Box<dyn Learner>, Error> {
    let entry = find(name)?;
    (entry.make)(entry.name, given, environment, seed, device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_defaults_are_valid_and_survive_a_round_trip() {
        for (i, entry) in entries().iter().enumerate() {
            assert!(entries()[..i].iter().all(|other| other.name != entry.name), "{}", entry.name);
            let defaults = entry.parameters();
            assert_eq!(entry.resolve(&defaults).unwrap(), defaults, "{}", entry.name);
        }
    }

    #[test]
    fn an_unknown_algorithm_or_parameter_is_named_with_the_nearest_spelling() {
        let message = find("randon").err().unwrap().to_string();
        assert!(message.contains("`randon`") && message.contains("did you mean `random`?"), "{message}");
        for entry in entries() {
            let given = toml::Table::from_iter([("no_such_field".to_owned(), toml::Value::Integer(1))]);
            let message = entry.resolve(&given).unwrap_err().to_string();
            assert!(message.contains("`no_such_field`"), "{}: {message}", entry.name);
        }
    }
}
