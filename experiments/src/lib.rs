//! Everything between a learner and files: experiments, runs, records, statistics, claims.
//!
//! An [`Experiment`](experiment::Experiment) is a TOML file. It becomes one [`Run`] per algorithm
//! and seed; [`driver::drive`] takes a run from wherever its folder says it is to its end, and
//! [`schedule::drive_all`] does so with many at once. What is on the disk is described in
//! [`records`]; [`results`] reads it back for [`statistics`], [`tables`] and [`figures`], and
//! [`evidence`] gathers what a claim in [`claims`] is judged by, a [`report`] shows it, and
//! [`publication`] puts it under version control and into the pages. The `assay` command is a thin layer
//! over these, [`playback`] shows what a policy does, and [`demonstration`] is what examples are made with.

pub mod claims;
pub mod cli;
pub mod demonstration;
pub mod driver;
pub mod evidence;
pub mod experiment;
pub mod figures;
pub mod maps;
pub mod overrides;
pub mod playback;
pub mod progress;
pub mod publication;
pub mod rates;
pub mod records;
pub mod report;
pub mod results;
pub mod run;
pub mod schedule;
pub mod statistics;
pub mod tables;

mod averages;
mod error;
mod evaluation;
mod timing;

pub use error::Error;
pub use run::Run;
