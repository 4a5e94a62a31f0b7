//! Where plotters draws: a backend that turns plotters' marks into a vector
//! [`Picture`], from which both the SVG and the PNG are written.
//!
//! Plotters counts in whole pixels. Here a pixel is a hundredth of a typographic point, finer than
//! any printer, so that nothing shows of the rounding. Distances in this crate are in points (1/72
//! inch) from the figure's upper left corner; [`units`] makes pixels of them.

use std::convert::Infallible;

use assay_environments::picture::{Anchor, Colour, Dash, Lettering, Picture, Point, Style};
use plotters::{
    coord::{Shift, types::RangedCoordf64},
    element::{Drawable, PathElement, PointCollection, Polygon, Text},
    prelude::{Cartesian2d, DrawingArea, RGBAColor, RGBColor, ShapeStyle},
    style::{
        Color, FontDesc, FontFamily, FontStyle, FontTransform, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

use crate::Error;

/// Plotters' pixels to a point.
const UNITS: f64 = 100.0;

/// The whole figure, in plotters' pixels.
pub(crate) type Sheet<'a> = DrawingArea<Canvas<'a>, Shift>;

/// The inside of a panel, in the coordinates of its axes.
pub(crate) type Plane<'a> = DrawingArea<Canvas<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A length in points, in plotters' pixels.
pub(crate) fn units(points: f64) -> i32 {
    (points * UNITS).round() as i32
}

/// A place in points, in plotters' pixels.
pub(crate) fn place([x, y]: Point) -> (i32, i32) {
    (units(x), units(y))
}

/// Plotters' name for a colour.
pub(crate) fn rgba(colour: Colour, opacity: f64) -> RGBAColor {
    RGBColor(colour.red, colour.green, colour.blue).mix(opacity)
}

/// A solid line of this width in points.
pub(crate) fn stroke(colour: Colour, width: f64) -> ShapeStyle {
    ShapeStyle { color: rgba(colour, 1.0), filled: false, stroke_width: units(width) as u32 }
}

/// A filled area.
pub(crate) fn fill(colour: Colour, opacity: f64) -> ShapeStyle {
    ShapeStyle { color: rgba(colour, opacity), filled: true, stroke_width: 0 }
}

/// Letters: what plotters needs to know beside the text and its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letters {
    /// Font size in points.
    pub(crate) size: f64,
    /// Colour.
    pub(crate) colour: Colour,
    /// Which part of the text lies at its place.
    pub(crate) anchor: Anchor,
    /// Whether the text runs upwards.
    pub(crate) upwards: bool,
}

impl Letters {
    /// Horizontal letters.
    pub(crate) fn new(size: f64, colour: Colour, anchor: Anchor) -> Self {
        Letters { size, colour, anchor, upwards: false }
    }
}

/// Draws text at a place in points; half the height of its capitals lies at the place.
pub(crate) fn write(sheet: &Sheet<'_>, at: Point, text: &str, letters: Letters) -> Result<(), Error> {
    let font = FontDesc::new(FontFamily::SansSerif, letters.size * UNITS, FontStyle::Normal);
    let turn = if letters.upwards { FontTransform::Rotate270 } else { FontTransform::None };
    let h_pos = match letters.anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    let style = TextStyle {
        font: font.transform(turn),
        color: rgba(letters.colour, 1.0).to_backend_color(),
        pos: Pos::new(h_pos, VPos::Center),
    };
    drawn(sheet.draw(&Text::new(text, place(at), style)))
}

/// Draws a solid line through places in points.
pub(crate) fn line(sheet: &Sheet<'_>, points: &[Point], colour: Colour, width: f64) -> Result<(), Error> {
    let points: Vec<_> = points.iter().copied().map(place).collect();
    drawn(sheet.draw(&PathElement::new(points, stroke(colour, width))))
}

/// Fills the polygon with corners in points.
pub(crate) fn area(sheet: &Sheet<'_>, corners: &[Point], colour: Colour) -> Result<(), Error> {
    let corners: Vec<_> = corners.iter().copied().map(place).collect();
    drawn(sheet.draw(&Polygon::new(corners, fill(colour, 1.0))))
}

/// The corners of something that looks like a disc.
pub(crate) fn disc([x, y]: Point, radius: f64) -> Vec<Point> {
    let angle = |i: i32| std::f64::consts::TAU * f64::from(i) / 24.0;
    (0..24).map(|i| [x + radius * angle(i).cos(), y + radius * angle(i).sin()]).collect()
}

/// Plotters' result as ours.
pub(crate) fn drawn<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T, Error> {
    result.map_err(|e| Error::Drawing { reason: e.to_string() })
}

/// A line that may be broken up, which plotters itself would draw as one line for each dash.
pub(crate) struct Trace<Coordinate> {
    /// Where it runs.
    pub(crate) points: Vec<Coordinate>,
    /// Its colour.
    pub(crate) colour: Colour,
    /// Its width in points.
    pub(crate) width: f64,
    /// How it is broken up.
    pub(crate) dash: Dash,
}

impl<'a, Coordinate> PointCollection<'a, Coordinate> for &'a Trace<Coordinate> {
    type Point = &'a Coordinate;
    type IntoIter = &'a [Coordinate];

    fn point_iter(self) -> &'a [Coordinate] {
        &self.points
    }
}

impl<Coordinate> Drawable<Canvas<'_>> for Trace<Coordinate> {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        points: I,
        canvas: &mut Canvas<'_>,
        _size: (u32, u32),
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let points: Vec<_> = points.map(|p| canvas.world(p)).collect();
        canvas.picture.line(points, Style::line(self.colour, self.width).dashed(self.dash));
        Ok(())
    }
}

/// A plotters backend over a picture whose unit is the point.
pub(crate) struct Canvas<'a> {
    picture: &'a mut Picture,
}

impl<'a> Canvas<'a> {
    /// Draws on top of what the picture holds. Its lower left corner must be the origin.
    pub(crate) fn new(picture: &'a mut Picture) -> Self {
        Canvas { picture }
    }

    /// A place in the picture: in points, from the lower left corner.
    fn world(&self, (x, y): BackendCoord) -> Point {
        [f64::from(x) / UNITS, self.picture.height() - f64::from(y) / UNITS]
    }
}

fn colour(colour: BackendColor) -> Colour {
    let (red, green, blue) = colour.rgb;
    Colour::new(red, green, blue)
}

/// Plotters' style as a picture's.
fn look(style: &impl BackendStyle, filled: bool) -> Style {
    let ink = colour(style.color());
    let width = f64::from(style.stroke_width()) / UNITS;
    let style_of_shape = if filled { Style::fill(ink) } else { Style::line(ink, width) };
    style_of_shape.with_opacity(style.color().alpha)
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (units(self.picture.width()) as u32, units(self.picture.height()) as u32)
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Infallible>> {
        Ok(())
    }

    fn draw_pixel(
        &mut self,
        (x, y): BackendCoord,
        ink: BackendColor,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        self.draw_rect((x, y), (x + 1, y + 1), &ink, true)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        filled: bool,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let (low, high) = (self.world((left, bottom)), self.world((right, top)));
        self.picture.rectangle(low, high, look(style, filled));
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let points: Vec<_> = path.into_iter().map(|p| self.world(p)).collect();
        self.picture.line(points, look(style, false));
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        centre: BackendCoord,
        radius: u32,
        style: &S,
        filled: bool,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let centre = self.world(centre);
        self.picture.circle(centre, f64::from(radius) / UNITS, look(style, filled));
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let corners: Vec<_> = corners.into_iter().map(|p| self.world(p)).collect();
        self.picture.polygon(corners, look(style, true));
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        at: BackendCoord,
    ) -> Result<(), DrawingErrorKind<Infallible>> {
        let anchor = match style.anchor().h_pos {
            HPos::Left => Anchor::Start,
            HPos::Center => Anchor::Middle,
            HPos::Right => Anchor::End,
        };
        let quarters = match style.transform() {
            FontTransform::None => 0.0,
            FontTransform::Rotate90 => -1.0,
            FontTransform::Rotate180 => 2.0,
            FontTransform::Rotate270 => 1.0,
        };
        let lettering = Lettering::new(style.size() / UNITS)
            .coloured(colour(style.color()))
            .anchored(anchor)
            .turned(quarters * std::f64::consts::FRAC_PI_2);
        self.picture.lettering(self.world(at), text, lettering);
        Ok(())
    }
}
