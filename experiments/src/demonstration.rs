//! What the examples share: from a few experiments to a table and a figure with one command.
//!
//! An example is its experiments, as TOML, the claims that they are a foretaste of, and a call of
//! [`Demonstration::main`]:
//!
//! ```no_run
//! use assay_experiments::demonstration::Demonstration;
//!
//! const CARTPOLE: &str = r#"
//!     name = "cartpole"
//!     seeds = 5
//!     budget = 20_000
//!     environment = { name = "CartPole-v1", copies = 8 }
//!     [[algorithm]]
//!     name = "random"
//! "#;
//!
//! fn main() -> std::process::ExitCode {
//!     let about = "Random actions on CartPole";
//!     let measures = &[("final-return", true)];
//!     Demonstration { name: "random", about, quick: &[CARTPOLE], measures, rates: false, full: &["sac-pendulum"] }
//!         .main()
//! }
//! ```

use std::{
    ffi::OsString,
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
};

use assay_plots::Figure;
use clap::{Args, Command, FromArgMatches};

use crate::{
    Error, claims,
    cli::{Done, claim::Attempt, exit_code},
    experiment::Experiment,
    figures::{self, Kind},
    rates,
    records::files::write_atomically,
    results::{self, Group, Measure},
    schedule::{self, Session},
    statistics::Bootstrap,
    tables::Table,
};

/// Draws more of the records in a folder: writes files there and says which.
pub type Further = fn(&[Experiment], &Path) -> Result<Vec<PathBuf>, Error>;

/// An example: a few experiments, and the claims that say it properly.
#[derive(Clone, Copy, Debug)]
pub struct Demonstration {
    /// The example's name, as `cargo run --example` takes it.
    pub name: &'static str,
    /// What it shows, for `--help`.
    pub about: &'static str,
    /// Experiments as TOML that together take about two minutes on two cores. The first algorithm
    /// of each is the one that the others are compared with.
    pub quick: &'static [&'static str],
    /// What table and figure show, as `assay compare --measure` takes it, each with whether more of it
    /// is better.
    pub measures: &'static [(&'static str, bool)],
    /// Whether the measures, which must be metrics then, are powers of the number of samples: the
    /// figure has logarithmic axes, and fitted exponents stand below the table.
    pub rates: bool,
    /// The names of the claims that `--full` runs, exactly as `assay claim` does.
    pub full: &'static [&'static str],
}

#[derive(Args, Debug)]
struct Arguments {
    /// How many seeds, or which (`3,5,8`).
    #[arg(long, value_name = "N")]
    seeds: Option<String>,
    /// Only this environment. One that the example does not use is tried with the algorithms of the
    /// first experiment that can act in it.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Runs or resumes the claims behind the example instead, as `assay claim` does, with the
    /// environments, seeds and budgets that they say; takes much longer.
    #[arg(long, conflicts_with_all = ["seeds", "environment", "overrides"])]
    full: bool,
    /// Goes on with what is in the output folder (by default the last one) instead of starting anew.
    /// Claims always do.
    #[arg(long)]
    resume: bool,
    /// Where the networks live: cpu or cuda.
    #[arg(long)]
    device: Option<String>,
    /// Runs that are computed at the same time; default: one per processor.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// The folder for records, table and figure; default: a new one under `runs`, and for claims
    /// `runs` itself.
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Changes a field of the experiments, as `assay run --set` does.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    overrides: Vec<String>,
}

impl Arguments {
    fn session(&self) -> Session {
        Session { threads: self.threads, retry_failed: false }
    }
}

impl Demonstration {
    /// Does what the process's command line says.
    pub fn main(&self) -> ExitCode {
        self.run(std::env::args_os())
    }

    /// The same, and draws something of the experiments' records in the output folder beside table and
    /// figure: `further` writes its files there and says which.
    pub fn main_with(&self, further: Further) -> ExitCode {
        self.run_with(std::env::args_os(), further)
    }

    /// Does what the arguments say; the first one is the program's name.
    pub fn run(&self, arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
        self.run_with(arguments, |_, _| Ok(Vec::new()))
    }

    fn run_with(
        &self,
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
        further: Further,
    ) -> ExitCode {
        let command = Command::new(self.name).about(self.about);
        let command = Arguments::augment_args(command)
            .bin_name(format!("cargo run --example {} --", self.name))
            .version(crate::run::CODE_VERSION)
            .after_help(format!(
                "Examples:\n  cargo run --example {0}\n  cargo run --example {0} -- --seeds 10 --threads 4\n  \
                 cargo run --example {0} -- --resume\n  cargo run --example {0} -- --full\n\n\
                 Claims behind it: {1}",
                self.name,
                self.full.join(", ")
            ));
        let arguments = command.try_get_matches_from(arguments).and_then(|m| Arguments::from_arg_matches(&m));
        let arguments = match arguments {
            Ok(arguments) => arguments,
            Err(error) => {
                // Help goes to standard output, a mistake to standard error.
                let _ = error.print();
                return ExitCode::from(error.exit_code() as u8);
            }
        };
        exit_code(if arguments.full {
            self.conclude(&arguments)
        } else {
            self.demonstrate(&arguments, further)
        })
    }

    /// Runs or resumes the claims, one after the other.
    fn conclude(&self, arguments: &Arguments) -> Result<Done, Error> {
        let device: Vec<String> = arguments.device.iter().map(|device| format!("device={device}")).collect();
        let root = arguments.output.as_deref().unwrap_or(Path::new("runs"));
        let attempt = Attempt {
            is_the_claim: device.is_empty(),
            overrides: &device,
            root,
            session: arguments.session(),
            publish: None,
        };
        let mut line = self.line(arguments);
        arguments.output.iter().for_each(|output| line.push_str(&format!(" --output {}", output.display())));
        let mut all = Done::All;
        for name in self.full {
            match attempt.conclude(&claims::find(name)?, &line)? {
                Done::All => {}
                Done::WithFailures => all = Done::WithFailures,
                Done::Stopped => return Ok(Done::Stopped),
            }
        }
        Ok(all)
    }

    /// Runs the experiments and shows what comes of them.
    fn demonstrate(&self, arguments: &Arguments, further: Further) -> Result<Done, Error> {
        let experiments = self.experiments(arguments)?;
        let output = self.output(arguments)?;
        let mut runs = Vec::new();
        for experiment in &experiments {
            eprintln!("{experiment}");
            runs.extend(experiment.runs()?);
        }
        let records = schedule::prepare(runs, &output)?;
        let outcome = arguments.session().drive(&records)?;
        outcome.errors.iter().for_each(|error| eprintln!("error: {error}"));
        eprintln!("{outcome}\n");
        if outcome.stopped > 0 || !outcome.errors.is_empty() {
            let line = self.line(arguments);
            eprintln!("resume with: {line} --resume --output {}", output.display());
            return Ok(if outcome.errors.is_empty() { Done::Stopped } else { Done::WithFailures });
        }
        let further = further(&experiments, &output)?;
        self.show(arguments, &experiments, &output, &further)?;
        Ok(if outcome.failed == 0 { Done::All } else { Done::WithFailures })
    }

    /// The experiments with what the arguments change.
    fn experiments(&self, arguments: &Arguments) -> Result<Vec<Experiment>, Error> {
        let mut overrides = arguments.overrides.clone();
        overrides.extend(arguments.seeds.as_deref().map(schedule::seeds_override));
        overrides.extend(arguments.device.iter().map(|device| format!("device={device}")));
        let read = |overrides: &[String]| {
            self.quick.iter().map(|text| Experiment::parse(text, self.name, overrides)).collect::<Vec<_>>()
        };
        let own: Vec<Experiment> = read(&overrides).into_iter().collect::<Result<_, _>>()?;
        let Some(name) = &arguments.environment else { return Ok(own) };
        let chosen: Vec<Experiment> =
            own.into_iter().filter(|experiment| experiment.environment.name == *name).collect();
        if !chosen.is_empty() {
            return Ok(chosen);
        }
        overrides.push(format!("environment.name={name}"));
        overrides.push("environment.parameters={}".to_owned());
        overrides.push(format!("name={}", name.to_lowercase()));
        let mut first_error = None;
        for experiment in read(&overrides) {
            match experiment {
                Ok(experiment) => return Ok(vec![experiment]),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or_else(|| Error::Records(format!("{} has no experiments", self.name))))
    }

    /// The folder: the one given, the last one to go on in, or a new one.
    fn output(&self, arguments: &Arguments) -> Result<PathBuf, Error> {
        let numbered = |n: u32| {
            let suffix = if n == 1 { String::new() } else { format!("-{n}") };
            Path::new("runs").join(format!("{}{suffix}", self.name))
        };
        let Some(output) = &arguments.output else {
            let taken = (1..).take_while(|&n| numbered(n).exists()).last();
            return match (arguments.resume, taken) {
                (true, Some(n)) => Ok(numbered(n)),
                (true, None) => {
                    Err(Error::Records(format!("nothing to resume: there is no {}", numbered(1).display())))
                }
                (false, n) => Ok(numbered(n.unwrap_or(0) + 1)),
            };
        };
        let occupied = fs::read_dir(output).is_ok_and(|mut entries| entries.next().is_some());
        if occupied && !arguments.resume {
            let output = output.display();
            return Err(Error::Records(format!(
                "{output} is not empty: give --resume to go on with what is there, or another --output"
            )));
        }
        Ok(output.clone())
    }

    /// Table, figure, and where everything is.
    fn show(
        &self,
        arguments: &Arguments,
        experiments: &[Experiment],
        output: &Path,
        further: &[PathBuf],
    ) -> Result<(), Error> {
        let mut groups = Vec::new();
        for experiment in experiments {
            groups.extend(in_order(experiment, results::groups(&[output.join(&experiment.name)])?));
        }
        groups.iter().filter_map(Group::missing).for_each(|missing| eprintln!("{missing}"));
        groups.retain(|group| !group.finished.is_empty());
        let mut table = Table::new(Bootstrap::default());
        let mut panels = Vec::new();
        let (kind, mut fitted) = (if self.rates { Kind::Rates } else { Kind::Curves }, String::new());
        for (name, larger_is_better) in self.measures {
            let measure = Measure::named(name);
            results::add_to(&mut table, &groups, &measure, *larger_is_better)?;
            panels.extend(figures::figure(kind, &groups, &measure, *larger_is_better)?.panels);
            if measure == Measure::WorstReturn {
                panels.extend(figures::maps(&groups)?);
            }
            if self.rates {
                fitted.push_str(&rates::tables(&groups, measure.name())?);
            }
        }
        let labels = experiments.iter().flat_map(|experiment| &experiment.algorithms);
        let figure = Figure::new(panels).ordered(labels.map(|algorithm| algorithm.label.as_str()));
        write_atomically(&output.join("table.md"), (table.to_markdown() + &fitted).as_bytes())?;
        let files = assay_plots::write(&figure, &output.join("figure"))?;
        println!("{}{fitted}", table.to_text());
        println!("figure   {}\n         {}", files.svg.display(), files.png.display());
        further.iter().for_each(|file| println!("         {}", file.display()));
        println!("records  {}", output.display());
        println!("again    {}", self.line(arguments));
        Ok(())
    }

    /// The command line that gives the same results.
    fn line(&self, arguments: &Arguments) -> String {
        let mut line = format!("cargo run --example {} --", self.name);
        let mut add = |text: String| line.push_str(&format!(" {text}"));
        arguments.seeds.iter().for_each(|seeds| add(format!("--seeds {seeds}")));
        arguments.environment.iter().for_each(|name| add(format!("--environment {name}")));
        arguments.device.iter().for_each(|device| add(format!("--device {device}")));
        arguments.overrides.iter().for_each(|change| add(format!("--set '{change}'")));
        if arguments.full {
            add("--full".to_owned());
        }
        line.strip_suffix(" --").map(str::to_owned).unwrap_or(line)
    }
}

/// The groups of an experiment in the order of its algorithms.
fn in_order(experiment: &Experiment, groups: Vec<Group>) -> Vec<Group> {
    let place = |label: &str| experiment.algorithms.iter().position(|algorithm| algorithm.label == label);
    let mut groups: Vec<Group> = groups.into_iter().filter(|group| place(&group.label).is_some()).collect();
    groups.sort_by_key(|group| place(&group.label));
    groups
}
