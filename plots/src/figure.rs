//! A figure: panels in rows, their layout, and the files it is written to.

use std::{
    ffi::OsString,
    fs, mem,
    path::{Path, PathBuf},
};

use assay_environments::picture::Picture;
use plotters::drawing::IntoDrawingArea;

use crate::{
    Curves, Error, GridMap, Intervals,
    canvas::Canvas,
    frame::{Frame, Margins, Shown, title_above},
    legend::{Kind, Legend},
    style::{APART, Palette},
};

/// Width of a column of a paper, in inches.
pub const COLUMN: f64 = 3.3;
/// Width of both columns of a paper, in inches.
pub const PAGE: f64 = 6.8;

/// Dots per inch of the PNG.
const RESOLUTION: u32 = 300;
/// Points per inch.
const POINTS: f64 = 72.0;
/// CSS pixels per inch.
const PIXELS: f64 = 96.0;
/// Space at the edge of the figure, in points.
const EDGE: f64 = 2.0;
/// The narrowest inside of a panel, in points.
const NARROWEST: f64 = 30.0;
/// The widest figure, in inches.
const WIDEST: f64 = 50.0;
/// The height that the room for the numbers at an axis is estimated with, in points.
const USUAL_HEIGHT: f64 = 100.0;

/// Panels side by side and below each other, with one legend for all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The panels, read like text.
    pub panels: Vec<Panel>,
    /// How many panels lie side by side.
    pub columns: usize,
    /// Width in inches, for example [`COLUMN`] or [`PAGE`].
    pub width: f64,
    /// Labels that take the first colours and places in the legend, in this order, whether or not
    /// they appear: with the same order, an algorithm looks the same in all figures. Other labels
    /// follow as they come.
    pub order: Vec<String>,
}

/// One set of axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What stands above it; nothing where it is empty.
    pub title: String,
    /// What it shows.
    pub plot: Plot,
}

/// What a panel shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Plot {
    /// Curves over an x axis.
    Curves(Curves),
    /// Estimates with intervals, one below the other.
    Intervals(Intervals),
    /// Values on a grid.
    GridMap(GridMap),
}

impl From<Curves> for Plot {
    fn from(curves: Curves) -> Self {
        Plot::Curves(curves)
    }
}

impl From<Intervals> for Plot {
    fn from(intervals: Intervals) -> Self {
        Plot::Intervals(intervals)
    }
}

impl From<GridMap> for Plot {
    fn from(map: GridMap) -> Self {
        Plot::GridMap(map)
    }
}

impl Panel {
    /// A panel with a title, which may be empty.
    pub fn new(title: impl Into<String>, plot: impl Into<Plot>) -> Self {
        Panel { title: title.into(), plot: plot.into() }
    }
}

/// Where a figure was written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The vector drawing.
    pub svg: PathBuf,
    /// The same at 300 dots per inch.
    pub png: PathBuf,
}

/// Writes a figure to `<stem>.svg` and `<stem>.png` and makes the folder if need be. The same
/// figure gives the same bytes.
///
/// Errors when the figure cannot be drawn (see [`Figure::draw`]) or a file cannot be written.
pub fn write(figure: &Figure, stem: &Path) -> Result<Files, Error> {
    let picture = figure.draw()?;
    let svg = picture.svg(figure.width * PIXELS)?;
    let png = picture.png_for_print(figure.width, RESOLUTION)?;
    let with_ending = |ending: &str| {
        let mut path = OsString::from(stem);
        path.push(ending);
        PathBuf::from(path)
    };
    let files = Files { svg: with_ending(".svg"), png: with_ending(".png") };
    if let Some(folder) = stem.parent() {
        fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
    }
    for (path, bytes) in [(&files.svg, svg.as_bytes()), (&files.png, &png)] {
        fs::write(path, bytes).map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    Ok(files)
}

impl Figure {
    /// A figure of these panels: a single one at the width of a column, several at that of the
    /// page, at most three side by side.
    pub fn new(panels: Vec<Panel>) -> Self {
        let columns = panels.len().clamp(1, 3);
        let width = if columns == 1 { COLUMN } else { PAGE };
        Figure { panels, columns, width, order: Vec::new() }
    }

    /// The same with another number of panels side by side and another width in inches.
    pub fn sized(self, columns: usize, width: f64) -> Self {
        Figure { columns, width, ..self }
    }

    /// The same with labels that come first, in this order.
    pub fn ordered<L: Into<String>>(self, labels: impl IntoIterator<Item = L>) -> Self {
        Figure { order: labels.into_iter().map(Into::into).collect(), ..self }
    }

    /// The figure as a picture whose unit is the point (1/72 inch).
    ///
    /// Errors when there is nothing to draw, a buffer has the wrong length, a number cannot be
    /// shown, or the figure is too narrow or too wide; the error names the panel and the series or row.
    pub fn draw(&self) -> Result<Picture, Error> {
        self.check()?;
        let width = self.width * POINTS;
        let palette = Palette::new(self.order.iter().map(String::as_str).chain(self.labels()));
        let legend = Legend::new(self.names(), width - 2.0 * EDGE);
        let columns = self.columns.min(self.panels.len());
        let layout = self.layout(columns, width)?;
        let bottom = layout.bottom;
        let mut picture = Picture::new([0.0, 0.0], [width, bottom + legend.height() + EDGE]);
        {
            let sheet = Canvas::new(&mut picture).into_drawing_area();
            for (panel, place) in self.panels.iter().zip(&layout.places) {
                let Place { frame, left, shown } = *place;
                match &panel.plot {
                    Plot::Curves(curves) => curves.draw(&sheet, frame, left, shown, &palette)?,
                    Plot::Intervals(intervals) => intervals.draw(&sheet, frame, shown, &palette)?,
                    Plot::GridMap(map) => map.draw(&sheet, frame, &palette)?,
                }
                frame.draw_title(&sheet, &panel.title)?;
            }
            legend.draw(&sheet, width / 2.0, bottom, &palette)?;
        }
        Ok(picture)
    }

    fn check(&self) -> Result<(), Error> {
        if self.panels.is_empty() || self.columns == 0 {
            return Err(Error::Empty { part: "the figure".to_owned() });
        }
        for (i, panel) in self.panels.iter().enumerate() {
            let name = match panel.title.as_str() {
                "" => format!("panel {}", i + 1),
                title => format!("panel `{title}`"),
            };
            match &panel.plot {
                Plot::Curves(curves) => curves.check(&name)?,
                Plot::Intervals(intervals) => intervals.check(&name)?,
                Plot::GridMap(map) => map.check(&name)?,
            }
        }
        Ok(())
    }

    /// The labels of curves and paths, in order, with repetitions.
    fn labels(&self) -> impl Iterator<Item = &str> {
        let names = self.names().into_iter();
        names.filter(|(_, kind)| *kind != Kind::Reference).map(|(name, _)| name)
    }

    /// What the legend names: curves and paths in their order, then references.
    fn names(&self) -> Vec<(&str, Kind)> {
        let mut names = Vec::new();
        let mut references = Vec::new();
        for panel in &self.panels {
            match &panel.plot {
                Plot::Curves(curves) => {
                    names.extend(curves.series.iter().map(|series| {
                        let kind = match series.as_points() {
                            true if series.rate.is_some() => Kind::Fitted,
                            true => Kind::Points,
                            false => Kind::Line,
                        };
                        (series.label.as_str(), kind)
                    }));
                    references.extend(&curves.references);
                }
                Plot::Intervals(intervals) => references.extend(&intervals.references),
                Plot::GridMap(map) => {
                    names.extend(map.paths.iter().map(|path| (path.label.as_str(), Kind::Line)));
                }
            }
        }
        let place = |name: &str| self.order.iter().position(|known| known == name).unwrap_or(usize::MAX);
        names.sort_by_key(|(name, _)| place(name));
        names.extend(references.iter().map(|reference| (reference.label.as_str(), Kind::Reference)));
        names
    }
}

/// Where everything is.
struct Layout {
    places: Vec<Place>,
    /// The lower edge of the lowest row, in points from the top.
    bottom: f64,
}

/// Where a panel is.
#[derive(Clone, Copy)]
struct Place {
    frame: Frame,
    /// Room left of the frame.
    left: f64,
    shown: Shown,
}

impl Figure {
    /// Gives every panel its place: the insides of all panels are equally wide, columns share
    /// their margins left and right, and rows their height.
    fn layout(&self, columns: usize, width: f64) -> Result<Layout, Error> {
        let shown: Vec<Shown> = (0..self.panels.len()).map(|i| self.shown(i, columns)).collect();
        let margins = |height: f64| -> Vec<Margins> {
            self.panels.iter().zip(&shown).map(|(panel, shown)| panel.margins(*shown, height)).collect()
        };
        let first = margins(USUAL_HEIGHT);
        let of_column = |column: usize, side: fn(&Margins) -> f64| {
            first.iter().skip(column).step_by(columns).map(side).fold(0.0, f64::max)
        };
        let lefts: Vec<f64> = (0..columns).map(|column| of_column(column, |m| m.left)).collect();
        let rights: Vec<f64> = (0..columns).map(|column| of_column(column, |m| m.right)).collect();
        let taken = lefts.iter().chain(&rights).sum::<f64>() + APART * (columns - 1) as f64 + 2.0 * EDGE;
        let inside = (width - taken) / columns as f64;
        if !(NARROWEST..).contains(&inside) || self.width > WIDEST {
            return Err(Error::Width { width: self.width, columns });
        }
        let (mut places, mut top) = (Vec::new(), EDGE);
        for (row, panels) in self.panels.chunks(columns).enumerate() {
            let start = row * columns;
            let most = |value: &dyn Fn(usize) -> f64| (0..panels.len()).map(value).fold(0.0, f64::max);
            let height = most(&|i| panels[i].height(inside, columns));
            top += if row == 0 { 0.0 } else { APART };
            top += most(&|i| first[start + i].top);
            let mut left = EDGE;
            for column in 0..panels.len() {
                left += lefts[column];
                let frame = Frame { left, top, width: inside, height };
                places.push(Place { frame, left: lefts[column], shown: shown[start + column] });
                left += inside + rights[column] + APART;
            }
            top += height + most(&|i| first[start + i].bottom);
        }
        Ok(Layout { places, bottom: top })
    }

    /// Which labels panel `i` shows: those of its x axis unless the panel below has the same, and
    /// those of its y axis or rows unless the panel to the left has the same.
    fn shown(&self, i: usize, columns: usize) -> Shown {
        let below = self.panels.get(i + columns);
        let beside = if i.is_multiple_of(columns) { None } else { self.panels.get(i - 1) };
        let panel = &self.panels[i];
        Shown {
            x_label: below.is_none_or(|other| other.plot.x_label() != panel.plot.x_label()),
            y_label: beside.is_none_or(|other| {
                mem::discriminant(&other.plot) != mem::discriminant(&panel.plot)
                    || other.plot.y_labels() != panel.plot.y_labels()
            }),
        }
    }
}

impl Plot {
    fn x_label(&self) -> &str {
        match self {
            Plot::Curves(curves) => &curves.x.label,
            Plot::Intervals(intervals) => &intervals.x.label,
            Plot::GridMap(_) => "",
        }
    }

    fn y_labels(&self) -> Vec<&str> {
        match self {
            Plot::Curves(curves) => vec![&curves.y.label],
            Plot::Intervals(intervals) => intervals.rows.iter().map(|row| row.label.as_str()).collect(),
            Plot::GridMap(_) => Vec::new(),
        }
    }
}

impl Panel {
    /// Room around the inside of a panel of about this height.
    fn margins(&self, shown: Shown, height: f64) -> Margins {
        let margins = match &self.plot {
            Plot::Curves(curves) => curves.margins(shown, height),
            Plot::Intervals(intervals) => intervals.margins(shown),
            Plot::GridMap(map) => map.margins(height),
        };
        Margins { top: title_above(&self.title), ..margins }
    }

    /// Height of the inside of a panel of this width, one of so many side by side.
    fn height(&self, width: f64, columns: usize) -> f64 {
        match &self.plot {
            Plot::Curves(_) => width * if columns == 1 { 0.62 } else { 0.74 },
            Plot::Intervals(intervals) => intervals.height(),
            Plot::GridMap(map) => map.height(width),
        }
    }
}
