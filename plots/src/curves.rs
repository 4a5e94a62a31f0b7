//! Curves with interval bands: learning curves, performance profiles, rates on log-log axes.

use assay_environments::picture::{Anchor, CAP_HEIGHT, Dash, Point, text_width};
use plotters::element::{Circle, EmptyElement, Polygon};

use crate::{
    Error,
    axis::{Axis, AxisLayout, Scale, decimal},
    canvas::{Letters, Plane, Sheet, Trace, drawn, fill, units, write},
    frame::{Frame, Margins, Shown, label_below, label_beside, numbers_below, numbers_beside},
    style::{BAND, CURVE, DOT, LEADING, NEAR, Palette, REFERENCE, REFERENCE_INK, SMALL, Shape},
};

/// Curves over a common x axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The curves, the most important first: it is drawn on top.
    pub series: Vec<Series>,
    /// Horizontal lines to compare with, such as the return at which a task counts as solved.
    pub references: Vec<Reference>,
}

/// One curve, or one row of points.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Its name in the legend; the same name has the same colour in every panel.
    pub label: String,
    /// Where its points lie, from left to right.
    pub x: Vec<f64>,
    /// The value at each x.
    pub y: Vec<f64>,
    /// The lower end of the interval at each x; empty where there are no intervals.
    pub low: Vec<f64>,
    /// The upper end of the interval at each x; empty where there are no intervals.
    pub high: Vec<f64>,
    /// How the points are drawn.
    pub mark: Mark,
    /// A rate that was fitted to the points; for logarithmic axes.
    pub rate: Option<Rate>,
}

/// How a series is drawn. One with a single point is always drawn as a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// A line through the points, the intervals as a band.
    #[default]
    Line,
    /// Points, the intervals as whiskers.
    Points,
    /// A line that jumps at each point, as a distribution function of a sample does.
    Steps,
}

/// A fitted rate, y ≈ exp(intercept) · x^slope. The line is drawn over the range of the series,
/// and, as a band, the lines with the interval's slopes through the middle of its points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The exponent.
    pub slope: f64,
    /// The natural logarithm of the factor.
    pub intercept: f64,
    /// Lower end of the exponent's interval.
    pub low: f64,
    /// Upper end of the exponent's interval.
    pub high: f64,
}

/// A line to compare with.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Where it lies.
    pub value: f64,
    /// Its name in the legend; none where it is empty.
    pub label: String,
}

impl Reference {
    /// A line at `value`.
    pub fn new(label: impl Into<String>, value: f64) -> Self {
        Reference { value, label: label.into() }
    }
}

impl Series {
    /// A curve without intervals.
    pub fn new(label: impl Into<String>, x: Vec<f64>, y: Vec<f64>) -> Self {
        Series { label: label.into(), x, y, ..Series::default() }
    }

    /// The same with an interval at each point.
    pub fn with_intervals(self, low: Vec<f64>, high: Vec<f64>) -> Self {
        Series { low, high, ..self }
    }

    /// The same drawn in another way.
    pub fn marked(self, mark: Mark) -> Self {
        Series { mark, ..self }
    }

    /// The same, as points, with a fitted rate.
    pub fn with_rate(self, rate: Rate) -> Self {
        Series { mark: Mark::Points, rate: Some(rate), ..self }
    }

    fn check(&self, x: &Axis, y: &Axis, part: &str) -> Result<(), Error> {
        if self.x.is_empty() {
            return Err(Error::Empty { part: part.to_owned() });
        }
        let intervals = if self.low.is_empty() && self.high.is_empty() { 0 } else { self.x.len() };
        let buffers = [
            ("values of y", &self.y, self.x.len()),
            ("low ends", &self.low, intervals),
            ("high ends", &self.high, intervals),
        ];
        for (what, buffer, expected) in buffers {
            if buffer.len() != expected {
                return Err(Error::Length { part: part.to_owned(), what, given: buffer.len(), expected });
            }
        }
        x.check(&self.x, "x", part)?;
        y.check(&self.y, "y", part)?;
        y.check(&self.low, "low end", part)?;
        y.check(&self.high, "high end", part)?;
        if let Some(i) = self.x.windows(2).position(|pair| pair[1] < pair[0]) {
            return Err(Error::Disordered { part: part.to_owned(), index: i + 1, value: self.x[i + 1] });
        }
        let Some(rate) = self.rate else { return Ok(()) };
        if x.scale != Scale::Logarithmic || y.scale != Scale::Logarithmic {
            return Err(Error::RateNeedsLogarithms { part: part.to_owned() });
        }
        let numbers = [rate.slope, rate.intercept, rate.low, rate.high];
        Axis::default().check(&numbers, "number of the rate", part)
    }

    /// The fitted line as x, y and the ends of its band, at the first and the last point.
    fn rate_line(&self, rate: Rate) -> [[f64; 4]; 2] {
        let middle = self.x.iter().map(|x| x.ln()).sum::<f64>() / self.x.len() as f64;
        let at = |x: f64| {
            let line = |slope: f64| (rate.intercept + rate.slope * middle + slope * (x.ln() - middle)).exp();
            let (a, b) = (line(rate.low), line(rate.high));
            [x, line(rate.slope), a.min(b), a.max(b)]
        };
        [at(self.x[0]), at(self.x[self.x.len() - 1])]
    }

    /// All values that the y axis must show.
    fn heights(&self) -> Vec<f64> {
        let mut heights = [self.y.as_slice(), &self.low, &self.high].concat();
        if let Some(rate) = self.rate {
            heights.extend(self.rate_line(rate).iter().flat_map(|point| &point[1..]));
        }
        heights
    }
}

impl Curves {
    /// Curves over these axes.
    pub fn new(x: Axis, y: Axis, series: Vec<Series>) -> Self {
        Curves { x, y, series, references: Vec::new() }
    }

    /// The same with a horizontal line to compare with.
    pub fn with_reference(mut self, reference: Reference) -> Self {
        self.references.push(reference);
        self
    }

    pub(crate) fn check(&self, panel: &str) -> Result<(), Error> {
        if self.series.is_empty() {
            return Err(Error::Empty { part: panel.to_owned() });
        }
        for series in &self.series {
            let part = format!("series `{}` of {panel}", series.label);
            series.check(&self.x, &self.y, &part)?;
            let fitted = series.rate.map(|rate| series.rate_line(rate).concat()).unwrap_or_default();
            self.y.check(&fitted, "number of the fitted line", &part)?;
        }
        for reference in &self.references {
            let part = format!("reference `{}` of {panel}", reference.label);
            self.y.check(&[reference.value], "value", &part)?;
        }
        self.x.check(&self.x.include, "included number", &format!("the x axis of {panel}"))?;
        self.y.check(&self.y.include, "included number", &format!("the y axis of {panel}"))
    }

    fn y_layout(&self, height: f64) -> AxisLayout {
        let references = self.references.iter().map(|reference| reference.value);
        let values = self.series.iter().flat_map(Series::heights).chain(references);
        self.y.laid_out(values, 0.04, (height / 15.0) as usize)
    }

    fn x_layout(&self, width: f64) -> AxisLayout {
        let values = || self.series.iter().flat_map(|series| series.x.iter().copied());
        self.x.laid_out_across(values, 0.02, width)
    }

    pub(crate) fn margins(&self, shown: Shown, height: f64) -> Margins {
        let x_label = if shown.x_label { self.x.label.as_str() } else { "" };
        let y_label = if shown.y_label { self.y.label.as_str() } else { "" };
        Margins {
            left: numbers_beside(&self.y_layout(height)) + label_beside(y_label),
            right: 6.0,
            top: 0.0,
            bottom: numbers_below() + label_below(x_label),
        }
    }

    pub(crate) fn draw(
        &self,
        sheet: &Sheet<'_>,
        frame: Frame,
        left: f64,
        shown: Shown,
        palette: &Palette,
    ) -> Result<(), Error> {
        let (x, y) = (self.x_layout(frame.width), self.y_layout(frame.height));
        let plane = frame.plane(sheet, &x, &y);
        frame.draw_vertical_grid(sheet, &x)?;
        frame.draw_horizontal_grid(sheet, &y)?;
        for series in self.series.iter().rev() {
            self.draw_intervals(&plane, series, palette)?;
        }
        for reference in &self.references {
            let height = self.y.position(reference.value);
            drawn(plane.draw(&Trace {
                points: vec![(x.low, height), (x.high, height)],
                colour: REFERENCE_INK,
                width: REFERENCE,
                dash: Dash::Dashed,
            }))?;
        }
        for series in self.series.iter().rev() {
            self.draw_series(&plane, series, palette)?;
        }
        self.write_slopes(sheet, frame, (&x, &y), palette)?;
        frame.draw_x_axis(sheet, &x, if shown.x_label { &self.x.label } else { "" })?;
        frame.draw_y_axis(sheet, &y, if shown.y_label { &self.y.label } else { "" }, left)
    }

    /// Positions of points in the plane.
    fn positions(&self, xs: &[f64], ys: &[f64]) -> Vec<(f64, f64)> {
        xs.iter().zip(ys).map(|(&x, &y)| (self.x.position(x), self.y.position(y))).collect()
    }

    fn draw_intervals(&self, plane: &Plane<'_>, series: &Series, palette: &Palette) -> Result<(), Error> {
        let (colour, _) = palette.look(&series.label);
        if let Some(rate) = series.rate {
            let [first, last] = series.rate_line(rate);
            // Between the ends the band is pinched where the two lines meet.
            let middle = series.x.iter().map(|x| x.log10()).sum::<f64>() / series.x.len() as f64;
            let meeting = (rate.intercept / std::f64::consts::LN_10 + rate.slope * middle, middle);
            let at = |point: [f64; 4], end: usize| (self.x.position(point[0]), self.y.position(point[end]));
            let pinch = (meeting.1, meeting.0);
            let corners = vec![at(first, 2), pinch, at(last, 2), at(last, 3), pinch, at(first, 3)];
            drawn(plane.draw(&Polygon::new(corners, fill(colour, BAND))))?;
        }
        if series.low.is_empty() {
            return Ok(());
        }
        let low = self.positions(&series.x, &series.low);
        let high = self.positions(&series.x, &series.high);
        if series.as_points() {
            for (low, high) in low.into_iter().zip(high) {
                let points = vec![low, high];
                drawn(plane.draw(&Trace { points, colour, width: 0.75 * CURVE, dash: Dash::Solid }))?;
            }
            return Ok(());
        }
        let (mut corners, mut back) = (series.outline(low), series.outline(high));
        back.reverse();
        corners.extend(back);
        drawn(plane.draw(&Polygon::new(corners, fill(colour, BAND))))
    }

    fn draw_series(&self, plane: &Plane<'_>, series: &Series, palette: &Palette) -> Result<(), Error> {
        let (colour, dash) = palette.look(&series.label);
        let points = self.positions(&series.x, &series.y);
        if let Some(rate) = series.rate {
            let line = series.rate_line(rate).map(|[x, y, ..]| (self.x.position(x), self.y.position(y)));
            drawn(plane.draw(&Trace { points: line.to_vec(), colour, width: CURVE, dash }))?;
        }
        if series.as_points() {
            let shape = palette.shape(&series.label);
            // Plotters counts downwards.
            let corner = |[x, y]: [f64; 2]| (units(x), -units(y));
            let corners: Vec<_> = shape.corners(DOT).into_iter().map(corner).collect();
            for point in points {
                let style = fill(colour, 1.0);
                if shape == Shape::Disc {
                    drawn(plane.draw(&Circle::new(point, units(DOT), style)))?;
                } else {
                    let polygon = Polygon::new(corners.clone(), style);
                    drawn(plane.draw(&(EmptyElement::at(point) + polygon)))?;
                }
            }
            return Ok(());
        }
        drawn(plane.draw(&Trace { points: series.outline(points), colour, width: CURVE, dash }))
    }

    /// The fitted slopes in words, in a corner that points and lines leave free. Nothing where there is
    /// none: words over lines can be read no better than none.
    fn write_slopes(
        &self,
        sheet: &Sheet<'_>,
        frame: Frame,
        (x, y): (&AxisLayout, &AxisLayout),
        palette: &Palette,
    ) -> Result<(), Error> {
        let of_series = |series: &Series| {
            let [slope, low, high] =
                series.rate.map(|rate| [rate.slope, rate.low, rate.high])?.map(|v| decimal(v, 2));
            Some((format!("slope {slope} [{low}, {high}]"), palette.look(&series.label).0))
        };
        let lines: Vec<_> = self.series.iter().filter_map(of_series).collect();
        let width = lines.iter().map(|(text, _)| text_width(text, SMALL)).fold(0.0, f64::max) + 2.0 * NEAR;
        let height = lines.len() as f64 * LEADING * SMALL + NEAR;
        let taken = self.taken(frame, x, y);
        let is_free = |corner: &Corner| {
            let left = if corner.right { frame.right() - width } else { frame.left };
            let top = if corner.low { frame.bottom() - height } else { frame.top };
            let inside = |&[x, y]: &Point| x >= left && x <= left + width && y >= top && y <= top + height;
            !taken.iter().any(inside)
        };
        let Some(corner) = CORNERS.iter().find(|corner| is_free(corner)) else { return Ok(()) };
        let (x, anchor) = if corner.right {
            (frame.right() - NEAR, Anchor::End)
        } else {
            (frame.left + 2.0 * NEAR, Anchor::Start)
        };
        let top = if corner.low { frame.bottom() - height } else { frame.top };
        for (i, (text, colour)) in lines.iter().enumerate() {
            let y = top + CAP_HEIGHT * SMALL / 2.0 + NEAR + i as f64 * LEADING * SMALL;
            write(sheet, [x, y], text, Letters::new(SMALL, *colour, anchor))?;
        }
        Ok(())
    }

    /// Where points are and fitted lines pass, on the sheet.
    fn taken(&self, frame: Frame, x: &AxisLayout, y: &AxisLayout) -> Vec<Point> {
        const STEPS: usize = 50;
        let share = |axis: &AxisLayout, position: f64| (position - axis.low) / (axis.high - axis.low);
        let on_sheet = |(at, height): (f64, f64)| {
            [frame.left + share(x, at) * frame.width, frame.bottom() - share(y, height) * frame.height]
        };
        let mut taken = Vec::new();
        for series in &self.series {
            taken.extend(self.positions(&series.x, &series.y).into_iter().map(on_sheet));
            if let Some(rate) = series.rate {
                let [first, last] =
                    series.rate_line(rate).map(|[x, y, ..]| (self.x.position(x), self.y.position(y)));
                taken.extend((0..=STEPS).map(|step| {
                    let part = step as f64 / STEPS as f64;
                    on_sheet((first.0 + part * (last.0 - first.0), first.1 + part * (last.1 - first.1)))
                }));
            }
        }
        taken
    }
}

/// A corner of the plane.
struct Corner {
    right: bool,
    low: bool,
}

/// Where words may stand, from the best place to the worst.
const CORNERS: [Corner; 4] = [
    Corner { right: true, low: false },
    Corner { right: false, low: true },
    Corner { right: false, low: false },
    Corner { right: true, low: true },
];

impl Series {
    /// Whether it is drawn as points.
    pub(crate) fn as_points(&self) -> bool {
        self.mark == Mark::Points || self.x.len() == 1
    }

    /// The line through points, with the corners of its steps if it has any.
    fn outline(&self, points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
        if self.mark != Mark::Steps {
            return points;
        }
        let mut corners = Vec::with_capacity(2 * points.len());
        for pair in points.windows(2) {
            corners.extend([pair[0], (pair[1].0, pair[0].1)]);
        }
        corners.extend(points.last());
        corners
    }
}
