//! Estimates with their intervals, one below the other: aggregate scores, probabilities of
//! improvement, ablations.

use assay_environments::picture::{Anchor, Colour, Dash, text_width};
use plotters::element::Rectangle;

use crate::{
    Error, Reference,
    axis::{Axis, AxisLayout},
    canvas::{Letters, Plane, Sheet, Trace, drawn, fill},
    frame::{Frame, Margins, Shown, label_below, numbers_below, write_fitted},
    style::{AXIS, AXIS_INK, CURVE, INK, NEAR, Palette, REFERENCE, REFERENCE_INK, SMALL},
};

/// Height of a row, in points.
const ROW: f64 = 12.0;
/// Height of a bar as a share of that of its row.
const BAR: f64 = 0.6;
/// The widest that a row's name may be, in points, before it is shortened.
const WIDEST: f64 = 130.0;

/// Estimates over a common horizontal axis, one row each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Intervals {
    /// The horizontal axis.
    pub x: Axis,
    /// The rows, from the top down.
    pub rows: Vec<Interval>,
    /// How an estimate is drawn.
    pub look: IntervalLook,
    /// Vertical lines to compare with, such as a probability of one half.
    pub references: Vec<Reference>,
}

/// An estimate and its interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interval {
    /// What stands left of the row.
    pub label: String,
    /// The estimate.
    pub estimate: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

/// How estimates and intervals are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IntervalLook {
    /// The interval as a box, the estimate as a line across it, as rliable does.
    #[default]
    Box,
    /// The estimate as a bar from zero, the interval as a whisker.
    Bar,
}

impl Interval {
    /// An estimate with its interval.
    pub fn new(label: impl Into<String>, estimate: f64, low: f64, high: f64) -> Self {
        Interval { label: label.into(), estimate, low, high }
    }
}

impl Intervals {
    /// Rows of boxes over this axis.
    pub fn new(x: Axis, rows: Vec<Interval>) -> Self {
        Intervals { x, rows, ..Intervals::default() }
    }

    /// The same as bars from zero, which becomes part of the axis.
    pub fn as_bars(self) -> Self {
        Intervals { look: IntervalLook::Bar, x: self.x.including([0.0]), ..self }
    }

    /// The same with a vertical line to compare with.
    pub fn with_reference(mut self, reference: Reference) -> Self {
        self.references.push(reference);
        self
    }

    pub(crate) fn check(&self, panel: &str) -> Result<(), Error> {
        if self.rows.is_empty() {
            return Err(Error::Empty { part: panel.to_owned() });
        }
        for row in &self.rows {
            let part = format!("row `{}` of {panel}", row.label);
            self.x.check(&[row.estimate, row.low, row.high], "number", &part)?;
        }
        for reference in &self.references {
            let part = format!("reference `{}` of {panel}", reference.label);
            self.x.check(&[reference.value], "value", &part)?;
        }
        self.x.check(&self.x.include, "included number", &format!("the x axis of {panel}"))
    }

    fn x_layout(&self, width: f64) -> AxisLayout {
        let values = || {
            let rows = self.rows.iter().flat_map(|row| [row.estimate, row.low, row.high]);
            rows.chain(self.references.iter().map(|reference| reference.value))
        };
        let layout = self.x.laid_out_across(values, 0.05, width);
        // Bars stand on the axis when all of them point to the right.
        let rightwards = self.look == IntervalLook::Bar && values().all(|value| value >= 0.0);
        AxisLayout { low: if rightwards { layout.low.max(0.0) } else { layout.low }, ..layout }
    }

    pub(crate) fn height(&self) -> f64 {
        ROW * self.rows.len() as f64 + NEAR
    }

    pub(crate) fn margins(&self, shown: Shown) -> Margins {
        let widest = self.rows.iter().map(|row| text_width(&row.label, SMALL)).fold(0.0, f64::max);
        let x_label = if shown.x_label { self.x.label.as_str() } else { "" };
        Margins {
            left: if shown.y_label { widest.min(WIDEST) + 2.0 * NEAR } else { NEAR },
            right: 6.0,
            top: 0.0,
            bottom: numbers_below() + label_below(x_label),
        }
    }

    pub(crate) fn draw(
        &self,
        sheet: &Sheet<'_>,
        frame: Frame,
        shown: Shown,
        palette: &Palette,
    ) -> Result<(), Error> {
        let x = self.x_layout(frame.width);
        // Row i lies around i + 1/2, from the top down.
        let y = AxisLayout::bare(self.rows.len() as f64, 0.0);
        let plane = frame.plane(sheet, &x, &y);
        frame.draw_vertical_grid(sheet, &x)?;
        // Bars begin at zero, or at the end of a logarithmic axis.
        let base = 0f64.clamp(x.low, x.high);
        for (i, row) in self.rows.iter().enumerate() {
            self.draw_bar(&plane, row, i as f64 + 0.5, base, palette)?;
            if shown.y_label {
                let at = [frame.left - 2.0 * NEAR, frame.y(&y, i as f64 + 0.5)];
                write_fitted(sheet, at, &row.label, WIDEST, Letters::new(SMALL, INK, Anchor::End))?;
            }
        }
        for reference in &self.references {
            let at = self.x.position(reference.value);
            drawn(plane.draw(&Trace {
                points: vec![(at, y.low), (at, y.high)],
                colour: REFERENCE_INK,
                width: REFERENCE,
                dash: Dash::Dashed,
            }))?;
        }
        for (i, row) in self.rows.iter().enumerate() {
            self.draw_estimate(&plane, row, i as f64 + 0.5)?;
        }
        if self.look == IntervalLook::Bar {
            let points = vec![(base, y.low), (base, y.high)];
            drawn(plane.draw(&Trace { points, colour: AXIS_INK, width: AXIS, dash: Dash::Solid }))?;
        }
        frame.draw_x_axis(sheet, &x, if shown.x_label { &self.x.label } else { "" })
    }

    /// The filled part of a row around `middle`: the interval's box, or the bar from `base`.
    fn draw_bar(
        &self,
        plane: &Plane<'_>,
        row: &Interval,
        middle: f64,
        base: f64,
        palette: &Palette,
    ) -> Result<(), Error> {
        let (colour, _) = palette.look(&row.label);
        let (from, to, paleness) = match self.look {
            IntervalLook::Box => (self.x.position(row.low), self.x.position(row.high), 0.5),
            IntervalLook::Bar => (base, self.x.position(row.estimate), 0.3),
        };
        let corners = [(from, middle - BAR / 2.0), (to, middle + BAR / 2.0)];
        drawn(plane.draw(&Rectangle::new(corners, fill(colour.towards(Colour::WHITE, paleness), 1.0))))
    }

    /// The lines of a row around `middle`: the estimate across its box, or the interval's whisker.
    fn draw_estimate(&self, plane: &Plane<'_>, row: &Interval, middle: f64) -> Result<(), Error> {
        let [estimate, low, high] = [row.estimate, row.low, row.high].map(|v| self.x.position(v));
        let trace =
            |points, width| drawn(plane.draw(&Trace { points, colour: INK, width, dash: Dash::Solid }));
        let across = |at: f64, share: f64| vec![(at, middle - share / 2.0), (at, middle + share / 2.0)];
        match self.look {
            IntervalLook::Box => trace(across(estimate, BAR), CURVE),
            IntervalLook::Bar => {
                trace(vec![(low, middle), (high, middle)], 0.75 * CURVE)?;
                trace(across(low, BAR / 2.0), 0.75 * CURVE)?;
                trace(across(high, BAR / 2.0), 0.75 * CURVE)
            }
        }
    }
}
