//! The frame of a panel: its place on the sheet, axes, grid lines, ticks and labels.

use assay_environments::picture::{Anchor, CAP_HEIGHT, Colour, Point, text_width};
use plotters::prelude::Cartesian2d;

use crate::{
    Error,
    axis::AxisLayout,
    canvas::{Letters, Plane, Sheet, line, units, write},
    style::{APART, AXIS, AXIS_INK, GRID, GRID_INK, INK, LEADING, NEAR, SMALL, TEXT, TICK},
};

/// The rectangle inside a panel's axes, in points from the figure's upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Room around the inside of a panel, in points.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Margins {
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
}

/// What a panel shows of its labels; the others are the same as a neighbour's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shown {
    /// The label of the x axis.
    pub(crate) x_label: bool,
    /// The label of the y axis, or of the rows.
    pub(crate) y_label: bool,
}

impl Frame {
    pub(crate) fn right(&self) -> f64 {
        self.left + self.width
    }

    pub(crate) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// Where a position on the x axis lies, in points.
    pub(crate) fn x(&self, axis: &AxisLayout, position: f64) -> f64 {
        self.left + (position - axis.low) / (axis.high - axis.low) * self.width
    }

    /// Where a position on the y axis lies, in points.
    pub(crate) fn y(&self, axis: &AxisLayout, position: f64) -> f64 {
        self.bottom() - (position - axis.low) / (axis.high - axis.low) * self.height
    }

    /// The inside as plotters' coordinate system.
    pub(crate) fn plane<'a>(&self, sheet: &Sheet<'a>, x: &AxisLayout, y: &AxisLayout) -> Plane<'a> {
        let across = units(self.left)..units(self.right());
        let upwards = units(self.bottom())..units(self.top);
        sheet.apply_coord_spec(Cartesian2d::new(x.low..x.high, y.low..y.high, (across, upwards)))
    }

    /// Faint vertical lines at the ticks of the x axis.
    pub(crate) fn draw_vertical_grid(&self, sheet: &Sheet<'_>, x: &AxisLayout) -> Result<(), Error> {
        for tick in &x.ticks {
            let x = self.x(x, tick.position);
            line(sheet, &[[x, self.top], [x, self.bottom()]], GRID_INK, GRID)?;
        }
        Ok(())
    }

    /// Faint horizontal lines at the ticks of the y axis.
    pub(crate) fn draw_horizontal_grid(&self, sheet: &Sheet<'_>, y: &AxisLayout) -> Result<(), Error> {
        for tick in &y.ticks {
            let y = self.y(y, tick.position);
            line(sheet, &[[self.left, y], [self.right(), y]], GRID_INK, GRID)?;
        }
        Ok(())
    }

    /// The x axis with its ticks, their numbers and, unless it is empty, its label.
    pub(crate) fn draw_x_axis(&self, sheet: &Sheet<'_>, x: &AxisLayout, label: &str) -> Result<(), Error> {
        let bottom = self.bottom();
        for tick in &x.ticks {
            let x = self.x(x, tick.position);
            line(sheet, &[[x, bottom], [x, bottom + TICK]], AXIS_INK, AXIS)?;
            let at = [x, bottom + TICK + NEAR + CAP_HEIGHT * SMALL / 2.0];
            tick.label.draw(sheet, at, Letters::new(SMALL, INK, Anchor::Middle))?;
        }
        for &position in &x.minor {
            let x = self.x(x, position);
            line(sheet, &[[x, bottom], [x, bottom + 0.6 * TICK]], AXIS_INK, 0.6 * AXIS)?;
        }
        line(sheet, &[[self.left - AXIS / 2.0, bottom], [self.right(), bottom]], AXIS_INK, AXIS)?;
        let at = [self.left + self.width / 2.0, bottom + numbers_below() + LEADING * TEXT / 2.0];
        write_fitted(sheet, at, label, self.width + 2.0 * APART, Letters::new(TEXT, INK, Anchor::Middle))
    }

    /// The y axis with its ticks, their numbers and, unless it is empty, its label, `left` points
    /// left of the frame.
    pub(crate) fn draw_y_axis(
        &self,
        sheet: &Sheet<'_>,
        y: &AxisLayout,
        label: &str,
        left: f64,
    ) -> Result<(), Error> {
        for tick in &y.ticks {
            let y = self.y(y, tick.position);
            line(sheet, &[[self.left - TICK, y], [self.left, y]], AXIS_INK, AXIS)?;
            let at = [self.left - TICK - NEAR, y];
            tick.label.draw(sheet, at, Letters::new(SMALL, INK, Anchor::End))?;
        }
        for &position in &y.minor {
            let y = self.y(y, position);
            line(sheet, &[[self.left - 0.6 * TICK, y], [self.left, y]], AXIS_INK, 0.6 * AXIS)?;
        }
        line(sheet, &[[self.left, self.top], [self.left, self.bottom()]], AXIS_INK, AXIS)?;
        let at = [self.left - left + LEADING * TEXT / 2.0, self.top + self.height / 2.0];
        let letters = Letters { upwards: true, ..Letters::new(TEXT, INK, Anchor::Middle) };
        write_fitted(sheet, at, label, self.height + APART, letters)
    }

    /// The panel's title, unless it is empty, above the frame.
    pub(crate) fn draw_title(&self, sheet: &Sheet<'_>, title: &str) -> Result<(), Error> {
        let at = [self.left + self.width / 2.0, self.top - NEAR - LEADING * TEXT / 2.0];
        write_fitted(sheet, at, title, self.width + APART, Letters::new(TEXT, INK, Anchor::Middle))
    }
}

/// Height of the title above a frame.
pub(crate) fn title_above(title: &str) -> f64 {
    if title.is_empty() { NEAR } else { NEAR + LEADING * TEXT }
}

/// Height of the ticks and their numbers below a frame.
pub(crate) fn numbers_below() -> f64 {
    TICK + NEAR + SMALL
}

/// Height of an axis label below the numbers.
pub(crate) fn label_below(label: &str) -> f64 {
    if label.is_empty() { 0.0 } else { LEADING * TEXT }
}

/// Width of the ticks and their numbers left of a frame.
pub(crate) fn numbers_beside(y: &AxisLayout) -> f64 {
    TICK + NEAR + y.widest(SMALL)
}

/// Width of an upright axis label left of the numbers.
pub(crate) fn label_beside(label: &str) -> f64 {
    if label.is_empty() { 0.0 } else { LEADING * TEXT + NEAR }
}

/// The text, or as much of its beginning as fits into `width` points, with an ellipsis.
pub(crate) fn fitted(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let mut kept: Vec<char> = text.chars().collect();
    while kept.pop().is_some() {
        let shortened: String = kept.iter().collect::<String>().trim_end().to_owned() + "…";
        if text_width(&shortened, size) <= width {
            return shortened;
        }
    }
    String::new()
}

/// Writes a text as far as it fits into `width` points; nothing where it is empty.
pub(crate) fn write_fitted(
    sheet: &Sheet<'_>,
    at: Point,
    text: &str,
    width: f64,
    letters: Letters,
) -> Result<(), Error> {
    let text = fitted(text, letters.size, width);
    if text.is_empty() { Ok(()) } else { write(sheet, at, &text, letters) }
}

/// Black or white, whichever can be read on a background.
pub(crate) fn readable_on(background: Colour) -> Colour {
    let Colour { red, green, blue } = background;
    let luminance = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
    if luminance > 120.0 { INK } else { Colour::WHITE }
}
