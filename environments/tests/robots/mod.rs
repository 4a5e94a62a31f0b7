//! Reads the recordings in this folder; README.md beside this file says what they hold.

use std::{collections::HashMap, path::Path};

use serde::Deserialize;

/// A recording: facts from its header, and arrays by name.
pub(crate) struct Recording {
    /// The header, with all facts.
    pub(crate) header: toml::Table,
    arrays: HashMap<String, Array>,
}

/// An array of numbers, the last axis contiguous. Single precision and bytes are widened, exactly.
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    r#type: String,
    shape: Vec<usize>,
}

impl Recording {
    /// The recording called `name`, for example `hopper`.
    pub(crate) fn load(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/robots");
        let bytes = std::fs::read(folder.join(format!("{name}.recording"))).expect("a recording");
        let mark = b"---\n";
        let end = bytes.windows(mark.len()).position(|w| w == mark).expect("a header");
        let mut header: toml::Table = std::str::from_utf8(&bytes[..end]).unwrap().parse().unwrap();
        let entries: Vec<Entry> = header.remove("arrays").expect("arrays").try_into().unwrap();
        let mut rest = &bytes[end + mark.len()..];
        let arrays = entries.into_iter().map(|entry| {
            let count = entry.shape.iter().product();
            let values = match entry.r#type.as_str() {
                "f64" => take(&mut rest, count, f64::from_le_bytes),
                "f32" => take(&mut rest, count, |bytes| f64::from(f32::from_le_bytes(bytes))),
                "u8" => take(&mut rest, count, |[byte]| f64::from(byte)),
                other => panic!("{} has the unknown type {other}", entry.name),
            };
            (entry.name, Array { shape: entry.shape, values })
        });
        let arrays = arrays.collect();
        assert!(rest.is_empty(), "{name} goes on after its last array");
        Recording { header, arrays }
    }

    /// The array called `name`.
    pub(crate) fn array(&self, name: &str) -> &Array {
        self.arrays.get(name).unwrap_or_else(|| panic!("there is no array {name}"))
    }
}

impl Array {
    /// The values at `index` of the first axes.
    pub(crate) fn at(&self, index: &[usize]) -> &[f64] {
        let mut values = self.values.as_slice();
        for (i, length) in index.iter().zip(&self.shape) {
            let part = values.len() / length;
            values = &values[i * part..(i + 1) * part];
        }
        values
    }
}

fn take<const N: usize>(rest: &mut &[u8], count: usize, read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    let (values, after) = rest.split_at(N * count);
    *rest = after;
    values.chunks_exact(N).map(|chunk| read(chunk.try_into().unwrap())).collect()
}
