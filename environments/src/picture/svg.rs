//! Pictures as SVG text.

use std::fmt::Write;

use super::{
    Anchor, Lettering, Picture, PictureError, Point, Shape, Style,
    font::{CAP_HEIGHT, FAMILIES},
};

impl Picture {
    /// The picture as an SVG document, `width` CSS pixels wide (96 to the inch); the height
    /// follows. The same picture gives the same text. An error where a number in the picture
    /// cannot be drawn, or the width cannot be had.
    pub fn svg(&self, width: f64) -> Result<String, PictureError> {
        self.check()?;
        let height = self.height_at(width)?;
        let mut out = String::new();
        // Writing into a string cannot fail, so the results of `write!` below carry nothing.
        let _ = writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             stroke-linejoin=\"round\" font-family=\"{FAMILIES}\">",
            w = number(width),
            h = number(height),
        );
        self.write_content(&mut out, width, height);
        out.push_str("</svg>\n");
        Ok(out)
    }

    fn write_content(&self, out: &mut String, width: f64, height: f64) {
        let scale = width / self.width();
        let place = |[x, y]: Point| [(x - self.low[0]) * scale, (self.high[1] - y) * scale];
        let _ = writeln!(
            out,
            "<rect width=\"{}\" height=\"{}\" fill=\"{}\"/>",
            number(width),
            number(height),
            self.background
        );
        for shape in &self.shapes {
            match shape {
                Shape::Line { points, style } => {
                    let style = Style { fill: None, ..*style };
                    write_path(out, "polyline", points.iter().copied().map(place), &style, scale);
                }
                Shape::Polygon { points, style } => {
                    write_path(out, "polygon", points.iter().copied().map(place), style, scale);
                }
                Shape::Circle { centre, radius, style } => {
                    let [x, y] = place(*centre).map(number);
                    let _ = write!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{}\"", number(radius * scale));
                    write_style(out, style, scale);
                }
                Shape::Text { at, text, lettering } => write_text(out, place(*at), text, lettering, scale),
                Shape::Inset { at, width, picture } => {
                    let (width, height) = (width * scale, width * scale / picture.width() * picture.height());
                    let [x, y] = place(*at);
                    let _ = writeln!(
                        out,
                        "<svg x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\">",
                        number(x),
                        number(y - height),
                        number(width),
                        number(height)
                    );
                    picture.write_content(out, width, height);
                    out.push_str("</svg>\n");
                }
            }
        }
    }
}

fn write_path(
    out: &mut String,
    element: &str,
    points: impl Iterator<Item = Point>,
    style: &Style,
    scale: f64,
) {
    let _ = write!(out, "<{element} points=\"");
    for (i, [x, y]) in points.enumerate() {
        let space = if i == 0 { "" } else { " " };
        let _ = write!(out, "{space}{},{}", number(x), number(y));
    }
    out.push('"');
    write_style(out, style, scale);
}

/// Writes the attributes of a style, and ends the element.
fn write_style(out: &mut String, style: &Style, scale: f64) {
    let opacity = |kind: &str| match style.opacity {
        1.0 => String::new(),
        share => format!(" {kind}-opacity=\"{}\"", number(share)),
    };
    let _ = match style.fill {
        Some(fill) => write!(out, " fill=\"{fill}\"{}", opacity("fill")),
        None => write!(out, " fill=\"none\""),
    };
    if let Some(stroke) = style.stroke {
        let width = style.width * scale;
        let _ = write!(out, " stroke=\"{stroke}\" stroke-width=\"{}\"{}", number(width), opacity("stroke"));
        let dashes: Vec<_> = style.dash.pattern().iter().map(|length| number(length * width)).collect();
        if !dashes.is_empty() {
            let _ = write!(out, " stroke-dasharray=\"{}\"", dashes.join(" "));
        }
    }
    out.push_str("/>\n");
}

fn write_text(out: &mut String, [x, y]: Point, text: &str, lettering: &Lettering, scale: f64) {
    let size = lettering.size * scale;
    let anchor = match lettering.anchor {
        Anchor::Start => "",
        Anchor::Middle => " text-anchor=\"middle\"",
        Anchor::End => " text-anchor=\"end\"",
    };
    // The baseline lies half a capital letter below the anchor, in the text's own direction.
    let drop = CAP_HEIGHT * size / 2.0;
    let _ = match lettering.angle {
        0.0 => write!(out, "<text x=\"{}\" y=\"{}\"", number(x), number(y + drop)),
        angle => write!(
            out,
            "<text transform=\"translate({} {}) rotate({})\" y=\"{}\"",
            number(x),
            number(y),
            number(-angle.to_degrees()),
            number(drop)
        ),
    };
    let _ = writeln!(
        out,
        "{anchor} font-size=\"{}\" fill=\"{}\" xml:space=\"preserve\">{}</text>",
        number(size),
        lettering.colour,
        escaped(text)
    );
}

/// A number with at most two decimals: a hundredth of a pixel is finer than any eye or printer.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

/// Text as XML takes it; characters that XML forbids become a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => out.push('?'),
            c if c.is_control() => out.push('?'),
            c => out.push(c),
        }
    }
    out
}
