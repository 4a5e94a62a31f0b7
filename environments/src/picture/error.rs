//! What can go wrong when a picture is written.

use std::path::PathBuf;

use thiserror::Error as ThisError;

use super::Point;

/// A picture or an animation that cannot be written.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum PictureError {
    /// The rectangle that is shown is empty or not finite.
    #[error("the picture shows nothing: it reaches from {low:?} to {high:?}")]
    EmptyView {
        /// Lower left corner.
        low: Point,
        /// Upper right corner.
        high: Point,
    },
    /// A coordinate that is not finite, or a length that is also negative.
    #[error("{what} of shape {shape} of the picture is {value}")]
    InvalidNumber {
        /// Index of the shape in its picture.
        shape: usize,
        /// Which number, for example `the radius`.
        what: &'static str,
        /// The offending value.
        value: f64,
    },
    /// An image with no pixels or with too many.
    #[error("an image of {width} × {height} pixels cannot be written; each side takes 1 to {limit}")]
    ImageSize {
        /// Pixels across.
        width: f64,
        /// Pixels down.
        height: f64,
        /// The largest side.
        limit: u32,
    },
    /// There are no pictures to put together.
    #[error("there are no pictures to put together")]
    NoFrames,
    /// The interval between frames is not a positive number.
    #[error("the interval between the frames of an animation is {seconds} s; it must be positive")]
    Interval {
        /// The offending interval.
        seconds: f64,
    },
    /// A frame of another shape than the first.
    #[error("frame {frame} becomes {given} pixels high, but the first frame {expected}")]
    FrameSize {
        /// Index of the frame.
        frame: usize,
        /// Its height.
        given: u32,
        /// The height of the first.
        expected: u32,
    },
    /// The image encoder failed.
    #[error("the {format} could not be encoded: {reason}")]
    Encoding {
        /// The format.
        format: &'static str,
        /// What the encoder says.
        reason: String,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
