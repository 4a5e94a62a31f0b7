//! Pictures as pixels, by the rasteriser tiny-skia.

use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, PixmapPaint, Stroke, StrokeDash, Transform,
};

use super::{
    Anchor, Colour, Lettering, Picture, PictureError, Point, Shape, Style,
    font::{self, CAP_HEIGHT},
};

/// The largest side of an image, in pixels.
const LIMIT: u32 = 16_384;

impl Picture {
    /// The picture as a PNG file, `width` pixels wide; the height follows. The same picture gives
    /// the same bytes. An error where a number in the picture cannot be drawn, or the image would
    /// be empty or larger than 16,384 pixels on a side.
    pub fn png(&self, width: u32) -> Result<Vec<u8>, PictureError> {
        encode(&self.pixels(width)?, None)
    }

    /// The picture as a PNG file for print, `width` inches wide at `resolution` dots per inch;
    /// the file notes the resolution. Errors as [`png`](Self::png).
    pub fn png_for_print(&self, width: f64, resolution: u32) -> Result<Vec<u8>, PictureError> {
        let pixels = (width * f64::from(resolution)).round();
        encode(&self.pixels(pixels as u32)?, Some(resolution))
    }

    /// The height of an image of this picture, in the unit of `width`.
    pub(super) fn height_at(&self, width: f64) -> Result<f64, PictureError> {
        let height = width / self.width() * self.height();
        let fits = |side: f64| side > 0.0 && side <= f64::from(LIMIT);
        if fits(width) && fits(height) {
            Ok(height)
        } else {
            Err(PictureError::ImageSize { width, height, limit: LIMIT })
        }
    }

    /// The picture as opaque pixels.
    pub(super) fn pixels(&self, width: u32) -> Result<Pixmap, PictureError> {
        self.check()?;
        let height = self.height_at(f64::from(width))?;
        Ok(self.render(width, height))
    }

    /// Renders a picture that has been checked.
    fn render(&self, width: u32, height: f64) -> Pixmap {
        let rows = (height.round() as u32).max(1);
        let pixmap = Pixmap::new(width, rows).expect("the size is positive and within the limit");
        let mut canvas = Canvas { pixmap, picture: self, scale: f64::from(width) / self.width() };
        canvas.pixmap.fill(skia_colour(self.background, 1.0));
        for shape in &self.shapes {
            canvas.draw(shape);
        }
        canvas.pixmap
    }
}

struct Canvas<'a> {
    pixmap: Pixmap,
    picture: &'a Picture,
    /// Pixels per world unit.
    scale: f64,
}

impl Canvas<'_> {
    fn draw(&mut self, shape: &Shape) {
        match shape {
            Shape::Line { points, style } => {
                let path = self.path(points, false);
                self.paint(path, &Style { fill: None, ..*style });
            }
            Shape::Polygon { points, style } => {
                let path = self.path(points, true);
                self.paint(path, style);
            }
            Shape::Circle { centre, radius, style } => {
                let [x, y] = self.place(*centre);
                let path = PathBuilder::from_circle(x as f32, y as f32, (radius * self.scale) as f32);
                self.paint(path, style);
            }
            Shape::Text { at, text, lettering } => self.text(*at, text, lettering),
            Shape::Inset { at, width, picture } => {
                let width = width * self.scale;
                let [x, y] = self.place(*at);
                let height = width / picture.width() * picture.height();
                // An inset of less than a pixel, or beyond the limit, is not there to be seen.
                if width < 0.5 || height < 0.5 || width.max(height) > f64::from(LIMIT) {
                    return;
                }
                let inset = picture.render(width.round() as u32, height);
                let (x, y) = (x.round() as i32, (y - height).round() as i32);
                let paint = PixmapPaint::default();
                self.pixmap.draw_pixmap(x, y, inset.as_ref(), &paint, Transform::identity(), None);
            }
        }
    }

    fn text(&mut self, at: Point, text: &str, lettering: &Lettering) {
        let size = lettering.size * self.scale;
        let Some(path) = font::outline(text, size as f32) else { return };
        let width = font::text_width(text, size);
        let left = match lettering.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -width / 2.0,
            Anchor::End => -width,
        };
        let [x, y] = self.place(at);
        let transform = Transform::from_translate(left as f32, (CAP_HEIGHT * size / 2.0) as f32)
            .post_rotate(-lettering.angle.to_degrees() as f32)
            .post_translate(x as f32, y as f32);
        self.paint(path.transform(transform), &Style::fill(lettering.colour));
    }

    fn place(&self, [x, y]: Point) -> Point {
        [(x - self.picture.low[0]) * self.scale, (self.picture.high[1] - y) * self.scale]
    }

    /// `None` where there are too few points to see anything.
    fn path(&self, points: &[Point], closed: bool) -> Option<Path> {
        let mut path = PathBuilder::with_capacity(points.len() + 1, points.len());
        for (i, &point) in points.iter().enumerate() {
            let [x, y] = self.place(point).map(|v| v as f32);
            if i == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
        }
        if closed {
            path.close();
        }
        path.finish()
    }

    fn paint(&mut self, path: Option<Path>, style: &Style) {
        let Some(path) = path else { return };
        let mut paint = Paint::default();
        if let Some(fill) = style.fill {
            paint.set_color(skia_colour(fill, style.opacity));
            self.pixmap.fill_path(&path, &paint, FillRule::Winding, Transform::identity(), None);
        }
        // A width of zero means no line, as in SVG; to the rasteriser it would be a hairline.
        if let Some(stroke) = style.stroke.filter(|_| style.width > 0.0) {
            paint.set_color(skia_colour(stroke, style.opacity));
            let width = style.width * self.scale;
            let dashes: Vec<f32> =
                style.dash.pattern().iter().map(|length| (length * width) as f32).collect();
            let stroke = Stroke {
                width: width as f32,
                line_cap: LineCap::Butt,
                line_join: LineJoin::Round,
                dash: StrokeDash::new(dashes, 0.0),
                ..Stroke::default()
            };
            self.pixmap.stroke_path(&path, &paint, &stroke, Transform::identity(), None);
        }
    }
}

fn skia_colour(colour: Colour, opacity: f64) -> tiny_skia::Color {
    let alpha = (255.0 * opacity.clamp(0.0, 1.0)).round() as u8;
    tiny_skia::Color::from_rgba8(colour.red, colour.green, colour.blue, alpha)
}

/// PNG bytes of opaque pixels; with the dots per inch, where they are known.
fn encode(pixmap: &Pixmap, resolution: Option<u32>) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, pixmap.width(), pixmap.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    encoder.set_pixel_dims(resolution.map(|dots| {
        let per_metre = (f64::from(dots) / 0.0254).round() as u32;
        png::PixelDimensions { xppu: per_metre, yppu: per_metre, unit: png::Unit::Meter }
    }));
    let colours: Vec<u8> = pixmap.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
    let failed = |e: png::EncodingError| PictureError::Encoding { format: "PNG", reason: e.to_string() };
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&colours)).map_err(failed)?;
    Ok(bytes)
}
