//! TensorBoard's event files.
//!
//! A file is a sequence of records (length, checksum of the length, data, checksum of the data;
//! TensorFlow's `TFRecord`), each an `Event` in protocol-buffer encoding. Only scalar summaries
//! are needed, so the few fields are encoded by hand:
//!
//! - `Event`: 1 `wall_time` (double), 2 `step` (int64), 3 `file_version` (string), 5 `summary`
//! - `Summary`: 1 `value` (repeated); `Value`: 1 `tag` (string), 2 `simple_value` (float)
//!
//! Wall-clock times are in these files, so they are not the same from run to run. Their length is.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use super::files::Appender;
use crate::Error;

/// Appends events to a file.
pub(crate) struct EventWriter {
    file: Appender,
    event: Vec<u8>,
}

impl EventWriter {
    /// Opens the file and cuts it back to `length` bytes, as [`Appender::open`] does.
    pub(crate) fn open(path: PathBuf, length: u64) -> Result<Self, Error> {
        let mut writer = EventWriter { file: Appender::open(path, length)?, event: Vec::new() };
        if length == 0 {
            writer.start(None);
            put_bytes(&mut writer.event, 3, b"brain.Event:2");
            writer.finish()?;
        }
        Ok(writer)
    }

    /// Appends values at a step; those that are not there (NaN) are left out.
    pub(crate) fn scalars<'a>(
        &mut self,
        step: u64,
        values: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<(), Error> {
        let mut summary = Vec::new();
        for (tag, value) in values.into_iter().filter(|(_, value)| !value.is_nan()) {
            let mut encoded = Vec::with_capacity(tag.len() + 8);
            put_bytes(&mut encoded, 1, tag.as_bytes());
            put_key(&mut encoded, 2, FIXED_32);
            encoded.extend((value as f32).to_le_bytes());
            put_bytes(&mut summary, 1, &encoded);
        }
        if summary.is_empty() {
            return Ok(());
        }
        self.start(Some(step));
        put_bytes(&mut self.event, 5, &summary);
        self.finish()
    }

    /// The file's length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.file.length()
    }

    /// Makes sure that everything is on the disk.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.file.sync()
    }

    fn start(&mut self, step: Option<u64>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.event.clear();
        put_key(&mut self.event, 1, FIXED_64);
        self.event.extend(now.as_secs_f64().to_le_bytes());
        if let Some(step) = step {
            put_key(&mut self.event, 2, VARINT);
            put_varint(&mut self.event, step);
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.file.append(&record(&self.event))
    }
}

/// Frames data as one `TFRecord`.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked_crc32c(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_crc32c(data).to_le_bytes());
    record
}

const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

fn put_key(buffer: &mut Vec<u8>, field: u64, kind: u64) {
    put_varint(buffer, field << 3 | kind);
}

fn put_bytes(buffer: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_key(buffer, field, BYTES);
    put_varint(buffer, bytes.len() as u64);
    buffer.extend(bytes);
}

fn put_varint(buffer: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        buffer.push(value as u8 | 0x80);
        value >>= 7;
    }
    buffer.push(value as u8);
}

/// `TFRecord`'s checksum: CRC-32C, rotated and shifted so that data that itself holds checksums is
/// no trouble.
fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit-reflected, byte by byte.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut remainder = i as u32;
            let mut bit = 0;
            while bit < 8 {
                let low = remainder & 1;
                remainder >>= 1;
                if low == 1 {
                    remainder ^= 0x82f6_3b78;
                }
                bit += 1;
            }
            table[i] = remainder;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, &byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32c_agrees_with_the_published_test_vectors() {
        // RFC 3720, appendix B.4.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn a_record_is_framed_as_another_writer_frames_it() {
        // The record of no bytes, as tensorboardX 2.6 writes it.
        let empty = [0, 0, 0, 0, 0, 0, 0, 0, 0x29, 0x03, 0x98, 0x07, 0xd8, 0xea, 0x82, 0xa2];
        assert_eq!(record(b""), empty);
    }

    #[test]
    fn an_event_holds_step_tag_and_value_and_has_a_fixed_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.out.tfevents");
        let mut writer = EventWriter::open(path.clone(), 0).unwrap();
        let header = writer.length();
        writer.scalars(300, [("loss", 0.5), ("absent", f64::NAN)]).unwrap();
        let length = writer.length();
        let bytes = std::fs::read(&path).unwrap();
        let event = &bytes[header as usize + 12..bytes.len() - 4];
        // wall_time, step 300, then summary { value { tag: "loss" simple_value: 0.5 } }
        assert_eq!(event[0], 0x09);
        let rest =
            [0x10, 0xac, 0x02, 0x2a, 13, 0x0a, 11, 0x0a, 4, b'l', b'o', b's', b's', 0x15, 0, 0, 0, 0x3f];
        assert_eq!(event[9..], rest);
        writer.scalars(301, [("absent", f64::NAN)]).unwrap();
        assert_eq!(writer.length(), length);
    }
}
