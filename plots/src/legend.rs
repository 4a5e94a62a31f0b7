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
    Reference,
}

/// The names and how they are laid out in rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Legend {
    rows: Vec<Vec<(String, Kind)>>,
}

impl Legend {
    /// A legend of these names, each once, in a figure `width` points wide. Names that are empty
    /// are left out.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = (&'a str, Kind)>, width: f64) -> Self {
        let mut rows: Vec<Vec<(String, Kind)>> = Vec::new();
        let mut taken = f64::INFINITY;
        for (name, kind) in names {
            if name.is_empty() || rows.iter().flatten().any(|(known, _)| known == name) {
                continue;
            }
            let entry = (fitted(name, TEXT, width - SAMPLE - NEAR), kind);
            taken += APART + entry_width(&entry);
            match rows.last_mut() {
                Some(row) if taken <= width => row.push(entry),
                _ => {
                    taken = entry_width(&entry);
                    rows.push(vec![entry]);
                }
            }
        }
        Legend { rows }
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
            let width = row.iter().map(entry_width).sum::<f64>() + APART * (row.len() - 1) as f64;
            let mut x = middle - width / 2.0;
            let y = top + NEAR + ROW * (i as f64 + 0.5);
            for entry in row {
                draw_sample(sheet, [x, y], entry, palette)?;
                let at = [x + SAMPLE + NEAR, y];
                write_fitted(sheet, at, &entry.0, f64::INFINITY, Letters::new(TEXT, INK, Anchor::Start))?;
                x += entry_width(entry) + APART;
            }
        }
        Ok(())
    }
}

fn entry_width((name, _): &(String, Kind)) -> f64 {
    SAMPLE + NEAR + text_width(name, TEXT)
}

fn draw_sample(
    sheet: &Sheet<'_>,
    [x, y]: [f64; 2],
    (name, kind): &(String, Kind),
    palette: &Palette,
) -> Result<(), Error> {
    let (colour, dash) = palette.look(name);
    let trace = |colour, width, dash| {
        let points = [[x, y], [x + SAMPLE, y]].map(place).to_vec();
        drawn(sheet.draw(&Trace { points, colour, width, dash }))
    };
    match kind {
        Kind::Line => trace(colour, CURVE, dash),
        Kind::Reference => trace(REFERENCE_INK, REFERENCE, Dash::Dashed),
        Kind::Points => {
            trace(colour, CURVE, dash)?;
            let (middle, r) = (x + SAMPLE / 2.0, DOT);
            let corners = (0..24).map(|i| {
                let angle = std::f64::consts::TAU * f64::from(i) / 24.0;
                [middle + r * angle.cos(), y + r * angle.sin()]
            });
            area(sheet, &corners.collect::<Vec<_>>(), colour)
        }
    }
}
