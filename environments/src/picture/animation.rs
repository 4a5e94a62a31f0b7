//! Moving pictures: an episode as an animated GIF or as numbered images.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use gif::{DisposalMethod, Encoder, Frame, Repeat};
use serde::{Deserialize, Serialize};
use tiny_skia::Pixmap;

use super::{Picture, PictureError};

/// The shortest time, in hundredths of a second, that viewers show a frame of a GIF as asked.
const SHORTEST: f64 = 2.0;

/// Pictures that follow each other in equal steps of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Animation {
    /// Time from one frame to the next, in seconds.
    pub interval: f64,
    /// The pictures, all of the same shape.
    pub frames: Vec<Picture>,
}

impl Animation {
    /// An animation without frames yet, `interval` seconds apart.
    pub fn new(interval: f64) -> Self {
        Animation { interval, frames: Vec::new() }
    }

    /// Adds a frame.
    pub fn push(&mut self, frame: Picture) {
        self.frames.push(frame);
    }

    /// The animation as a GIF file that repeats for ever, `width` pixels wide. Frames that come
    /// faster than 50 a second, the most that viewers show, are thinned out, so that the speed is
    /// right. An error where there are no frames, they differ in shape, the interval is not
    /// positive, or one of them cannot be drawn.
    pub fn gif(&self, width: u32) -> Result<Vec<u8>, PictureError> {
        if !(self.interval > 0.0 && self.interval.is_finite()) {
            return Err(PictureError::Interval { seconds: self.interval });
        }
        let mut encoded: Vec<Frame<'static>> = Vec::new();
        let mut shown: Option<Pixmap> = None;
        // The time at which the frame last taken ends, in hundredths of a second, and as written.
        let (mut start, mut written) = (f64::NEG_INFINITY, 0.0);
        for (i, picture) in self.frames.iter().enumerate() {
            let time = 100.0 * self.interval * i as f64;
            if time - start < SHORTEST - 1e-9 {
                continue;
            }
            start = time;
            let pixels = picture.pixels(width)?;
            let expected = shown.as_ref().map_or(pixels.height(), Pixmap::height);
            if pixels.height() != expected {
                return Err(PictureError::FrameSize { frame: i, given: pixels.height(), expected });
            }
            if let Some(last) = encoded.last_mut() {
                last.delay = last.delay.saturating_add((time.round() - written) as u16);
                written = time.round();
            }
            if let Some(changed) = changed(shown.as_ref(), &pixels) {
                encoded.push(changed.frame(&pixels));
                shown = Some(pixels);
            }
        }
        let (Some(last), Some(size)) = (encoded.last_mut(), shown) else {
            return Err(PictureError::NoFrames);
        };
        let rest = (100.0 * self.interval * self.frames.len() as f64).round() - written;
        last.delay = last.delay.saturating_add(rest.max(SHORTEST) as u16);
        write(&encoded, size.width() as u16, size.height() as u16)
            .map_err(|e| PictureError::Encoding { format: "GIF", reason: e.to_string() })
    }

    /// Writes the frames into a folder, which is made if need be, as `frame-00000.png` and so on,
    /// `width` pixels wide; returns the paths in order.
    pub fn write_frames(&self, folder: &Path, width: u32) -> Result<Vec<PathBuf>, PictureError> {
        fs::create_dir_all(folder)
            .map_err(|source| PictureError::Write { path: folder.to_owned(), source })?;
        let mut paths = Vec::with_capacity(self.frames.len());
        for (i, picture) in self.frames.iter().enumerate() {
            let path = folder.join(format!("frame-{i:05}.png"));
            fs::write(&path, picture.png(width)?)
                .map_err(|source| PictureError::Write { path: path.clone(), source })?;
            paths.push(path);
        }
        Ok(paths)
    }
}

fn write(frames: &[Frame<'_>], width: u16, height: u16) -> Result<Vec<u8>, gif::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height, &[])?;
    encoder.set_repeat(Repeat::Infinite)?;
    for frame in frames {
        encoder.write_frame(frame)?;
    }
    drop(encoder);
    Ok(bytes)
}

/// A part of an image: columns and rows from the first to before the last.
struct Part {
    left: u32,
    right: u32,
    top: u32,
    bottom: u32,
}

/// The smallest part that holds every pixel that changed: the whole of a first image, and nothing
/// where two images are the same. Only this part is stored, which keeps the file small.
fn changed(before: Option<&Pixmap>, now: &Pixmap) -> Option<Part> {
    let Some(before) = before else {
        return Some(Part { left: 0, right: now.width(), top: 0, bottom: now.height() });
    };
    let mut part: Option<Part> = None;
    for (i, (a, b)) in before.pixels().iter().zip(now.pixels()).enumerate() {
        if a != b {
            let (x, y) = (i as u32 % now.width(), i as u32 / now.width());
            let known = part.get_or_insert(Part { left: x, right: x + 1, top: y, bottom: y + 1 });
            known.left = known.left.min(x);
            known.right = known.right.max(x + 1);
            known.bottom = y + 1;
        }
    }
    part
}

impl Part {
    /// This part of an image as a frame, with a palette of its own.
    fn frame(&self, image: &Pixmap) -> Frame<'static> {
        let row = |y: u32| {
            let start = (y * image.width()) as usize;
            &image.pixels()[start + self.left as usize..start + self.right as usize]
        };
        let colours = || (self.top..self.bottom).flat_map(row).map(|p| [p.red(), p.green(), p.blue()]);
        let (palette, index) = palette(colours());
        let pixels = colours().map(|c| index[&c]).collect();
        Frame {
            left: self.left as u16,
            top: self.top as u16,
            width: (self.right - self.left) as u16,
            height: (self.bottom - self.top) as u16,
            dispose: DisposalMethod::Keep,
            palette: Some(palette.concat()),
            buffer: std::borrow::Cow::Owned(pixels),
            ..Frame::default()
        }
    }
}

/// Up to 256 colours, and which of them stands for each of the given ones. Where there are more,
/// colours that differ only in their last bits share the most frequent of them, with as few bits
/// given up as will do: drawings have few colours, and many shades between them only along edges.
fn palette(colours: impl Iterator<Item = [u8; 3]>) -> (Vec<[u8; 3]>, BTreeMap<[u8; 3], u8>) {
    let mut counts: BTreeMap<[u8; 3], u64> = BTreeMap::new();
    for colour in colours {
        *counts.entry(colour).or_default() += 1;
    }
    let mut bits = 0;
    let groups = loop {
        let mut groups: BTreeMap<[u8; 3], Vec<[u8; 3]>> = BTreeMap::new();
        for &colour in counts.keys() {
            groups.entry(colour.map(|part| part >> bits)).or_default().push(colour);
        }
        if groups.len() <= 256 {
            break groups;
        }
        bits += 1;
    };
    let (mut palette, mut index) = (Vec::new(), BTreeMap::new());
    for (group, number) in groups.into_values().zip(0..=u8::MAX) {
        palette.extend(group.iter().copied().max_by_key(|colour| counts[colour]));
        index.extend(group.into_iter().map(|colour| (colour, number)));
    }
    (palette, index)
}
