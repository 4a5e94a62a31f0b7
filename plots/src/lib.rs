//! Figures for papers, from plain series and tables.
//!
//! A [`Figure`] is a value: [`Panel`]s of [`Curves`] (learning curves, performance profiles, rates
//! on log-log axes), [`Intervals`] (aggregate scores, probabilities of improvement, ablations) or
//! [`GridMap`]s (values, policies and paths on grids). [`write`](fn@write) turns it into an SVG and
//! a PNG of the same drawing, in one house style: column width, letters of 7 and 8 points, colours
//! and dashes that can be told apart by everyone and in grey. Nothing is installed: the font is
//! part of the program, and the same figure gives the same bytes every time.
//!
//! ```
//! use assay_plots::{Axis, Curves, Figure, Panel, Reference, Series};
//!
//! let ppo = Series::new("PPO", vec![0.0, 50e3, 100e3], vec![20.0, 310.0, 480.0])
//!     .with_intervals(vec![15.0, 250.0, 460.0], vec![25.0, 370.0, 495.0]);
//! let curves = Curves::new(Axis::steps(), Axis::new("Return"), vec![ppo])
//!     .with_reference(Reference::new("solved", 475.0));
//! let figure = Figure::new(vec![Panel::new("CartPole-v1", curves)]);
//! let files = assay_plots::write(&figure, &std::env::temp_dir().join("assay-example-figure"))?;
//! # std::fs::remove_file(files.svg).unwrap();
//! # std::fs::remove_file(files.png).unwrap();
//! # Ok::<(), assay_plots::Error>(())
//! ```

mod axis;
mod canvas;
mod curves;
mod error;
mod figure;
mod frame;
mod grid_map;
mod intervals;
mod legend;
mod style;

pub use axis::{Axis, Numbers, Scale};
pub use curves::{Curves, Mark, Rate, Reference, Series};
pub use error::Error;
pub use figure::{COLUMN, Figure, Files, PAGE, Panel, Plot, write};
pub use grid_map::{Arrow, Cell, GridMap, Note, Path};
pub use intervals::{Interval, IntervalLook, Intervals};
