//! The one legend of a figure, below its panels.

use assay_environments::picture::{Anchor, Dash, text_width};

use crate::{
    Error,
    canvas::{Letters, Sheet, Trace, area, drawn, place},
    frame::{fitted, write_fitted},
    style::{APART, CURVE, DOT, INK, LEADING, NEAR, Palette, REFERENCE, REFERENCE_INK, TEXT},
};

/// Width of the sample beside a name, in points.
const SAMPLE: f64 = 20.0;
/// Height of a row.
const ROW: f64 = 1.15 * LEADING * TEXT;

/// What a name in the legend stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Line,
    Points,
    /// Points with a fitted line.
    Fitted,
    Reference,
}

/// A name and how it is written.
#[derive(Clone, Debug)]
struct Entry {
    name: String,
    text: String,
    kind: Kind,
}

/// The names and how they are laid out in rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Legend {
    rows: Vec<Vec<Entry>>,
}

impl Legend {
    /// A legend of these names, each once, in a figure `width` points wide. Names that are empty
    /// are left out.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = (&'a str, Kind)>, width: f64) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        for (name, kind) in names {
            if !name.is_empty() && entries.iter().all(|known| known.name != name) {
                let text = fitted(name, TEXT, width - SAMPLE - NEAR);
                entries.push(Entry { name: name.to_owned(), text, kind });
            }
        }
        // As few rows as will do, and among those the narrowest, so that no row holds just a rest.
        let mut rows = arranged(&entries, width);
        loop {
            let narrower = arranged(&entries, widest(&rows) - 0.01);
            if narrower.len() > rows.len() || widest(&narrower) >= widest(&rows) {
                return Legend { rows };
            }
            rows = narrower;
        }
    }

    /// Height of the legend with the space above it, in points.
    pub(crate) fn height(&self) -> f64 {
        if self.rows.is_empty() { 0.0 } else { NEAR + ROW * self.rows.len() as f64 }
    }

    /// Draws the legend around the middle of the figure, `top` points from its upper edge.
    pub(crate) fn draw(
        &self,
        sheet: &Sheet<'_>,
        middle: f64,
        top: f64,
        palette: &Palette,
    ) -> Result<(), Error> {
        for (i, row) in self.rows.iter().enumerate() {
            let mut x = middle - row_width(row) / 2.0;
            let y = top + NEAR + ROW * (i as f64 + 0.5);
            for entry in row {
                draw_sample(sheet, [x, y], entry, palette)?;
                let at = [x + SAMPLE + NEAR, y];
                write_fitted(sheet, at, &entry.text, f64::INFINITY, Letters::new(TEXT, INK, Anchor::Start))?;
                x += entry_width(entry) + APART;
            }
        }
        Ok(())
    }
}

/// The entries in rows that are at most so wide, or hold a single entry.
fn arranged(entries: &[Entry], width: f64) -> Vec<Vec<Entry>> {
    let mut rows: Vec<Vec<Entry>> = Vec::new();
    for entry in entries {
        match rows.last_mut() {
            Some(row) if row_width(row) + APART + entry_width(entry) <= width => row.push(entry.clone()),
            _ => rows.push(vec![entry.clone()]),
        }
    }
    rows
}

fn widest(rows: &[Vec<Entry>]) -> f64 {
    rows.iter().map(|row| row_width(row)).fold(0.0, f64::max)
}

fn row_width(row: &[Entry]) -> f64 {
    row.iter().map(entry_width).sum::<f64>() + APART * (row.len() - 1) as f64
}

fn entry_width(entry: &Entry) -> f64 {
    SAMPLE + NEAR + text_width(&entry.text, TEXT)
}

fn draw_sample(sheet: &Sheet<'_>, [x, y]: [f64; 2], entry: &Entry, palette: &Palette) -> Result<(), Error> {
    let (colour, dash) = palette.look(&entry.name);
    let trace = |colour, width, dash| {
        let points = [[x, y], [x + SAMPLE, y]].map(place).to_vec();
        drawn(sheet.draw(&Trace { points, colour, width, dash }))
    };
    let point = || -> Vec<[f64; 2]> {
        // A sheet counts downwards.
        let corners = palette.shape(&entry.name).corners(DOT);
        corners.into_iter().map(|[right, up]| [x + SAMPLE / 2.0 + right, y - up]).collect()
    };
    match entry.kind {
        Kind::Line => trace(colour, CURVE, dash),
        Kind::Reference => trace(REFERENCE_INK, REFERENCE, Dash::Dashed),
        Kind::Points => area(sheet, &point(), colour),
        Kind::Fitted => {
            trace(colour, CURVE, dash)?;
            area(sheet, &point(), colour)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(names: &[&str], width: f64) -> Vec<usize> {
        let legend = Legend::new(names.iter().map(|name| (*name, Kind::Line)), width);
        assert!(widest(&legend.rows) <= width);
        legend.rows.iter().map(Vec::len).collect()
    }

    #[test]
    fn rows_are_few_and_even() {
        assert_eq!(sizes(&["PPO", "TRPO", "MDPO", "SAC"], 400.0), [4]);
        assert_eq!(sizes(&["PPO", "TRPO", "MDPO", "SAC"], 190.0), [2, 2]);
        assert_eq!(sizes(&[], 400.0), []);
    }

    #[test]
    fn a_name_appears_once_and_an_empty_one_not_at_all() {
        assert_eq!(sizes(&["PPO", "", "PPO"], 400.0), [1]);
    }

    #[test]
    fn a_name_that_is_too_long_is_shortened() {
        assert_eq!(sizes(&["short", &"long ".repeat(100), "short too"], 150.0), [1, 1, 1]);
    }
}
