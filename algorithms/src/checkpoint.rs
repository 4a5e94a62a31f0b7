//! A learner's complete state, as one safetensors file.
//!
//! Network parameters, optimiser moments and replay memory are `F32` tensors under readable names,
//! so other tools can open them; everything else (generators, counters, environment states) is a
//! `postcard` record stored as a `U8` tensor. The file is self-contained: writing it to a
//! temporary name and renaming it makes a save atomic. A checksum over everything makes sure that
//! a damaged file is refused, not continued from.

use std::{borrow::Cow, collections::BTreeMap};

use safetensors::{Dtype, SafeTensors, View};
use serde::{Serialize, de::DeserializeOwned};

use crate::Error;

/// The version of the format; a checkpoint of another version is refused.
const VERSION: &str = "1";

/// Named tensors and records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for &Entry {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

impl Checkpoint {
    /// An empty checkpoint.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores a tensor. `name` is a path such as `policy/layer0/weight`; storing a name twice
    /// replaces the first.
    pub fn put_tensor(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len(), "shape of {name}");
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        let entry = Entry { dtype: Dtype::F32, shape: shape.to_vec(), bytes };
        self.entries.insert(name.to_owned(), entry);
    }

    /// Reads a tensor into `values`; errors when it is absent or has another shape.
    pub fn tensor(&self, name: &str, shape: &[usize], values: &mut [f32]) -> Result<(), Error> {
        let entry = self.entry(name, Dtype::F32)?;
        if entry.shape != shape {
            return Err(Error::Checkpoint {
                reason: format!("`{name}` has shape {:?}; {shape:?} is needed", entry.shape),
            });
        }
        for (value, bytes) in values.iter_mut().zip(entry.bytes.chunks_exact(4)) {
            *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        Ok(())
    }

    /// Stores any serialisable state.
    pub fn put_record(&mut self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        let bytes = postcard::to_allocvec(value)
            .map_err(|e| Error::Checkpoint { reason: format!("`{name}` cannot be stored: {e}") })?;
        let entry = Entry { dtype: Dtype::U8, shape: vec![bytes.len()], bytes };
        self.entries.insert(name.to_owned(), entry);
        Ok(())
    }

    /// Reads a record.
    pub fn record<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        postcard::from_bytes(&self.entry(name, Dtype::U8)?.bytes)
            .map_err(|e| Error::Checkpoint { reason: format!("`{name}` cannot be read: {e}") })
    }

    fn entry(&self, name: &str, dtype: Dtype) -> Result<&Entry, Error> {
        let entry = self
            .entries
            .get(name)
            .ok_or_else(|| Error::Checkpoint { reason: format!("it holds no `{name}`") })?;
        if entry.dtype != dtype {
            return Err(Error::Checkpoint {
                reason: format!("`{name}` is {:?}; {dtype:?} is needed", entry.dtype),
            });
        }
        Ok(entry)
    }

    /// The file's bytes. `owner` (an algorithm's name, say) is written into the header and checked
    /// by [`from_bytes`](Self::from_bytes).
    pub fn to_bytes(&self, owner: &str) -> Result<Vec<u8>, Error> {
        // One key only: the header's map has no fixed order, and the bytes must be reproducible.
        let header = [("assay".to_owned(), format!("{VERSION}:{:016x}:{owner}", self.checksum()))].into();
        safetensors::serialize(self.entries.iter(), Some(header))
            .map_err(|e| Error::Checkpoint { reason: e.to_string() })
    }

    /// Reads a file's bytes; errors when they are truncated, foreign, of another version or of
    /// another owner.
    pub fn from_bytes(bytes: &[u8], owner: &str) -> Result<Self, Error> {
        let damaged = |reason: String| Error::Checkpoint { reason };
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(e.to_string()))?;
        let header = metadata
            .metadata()
            .as_ref()
            .and_then(|map| map.get("assay"))
            .ok_or_else(|| damaged("it is a safetensors file of another program".into()))?;
        let (version, rest) = header.split_once(':').unwrap_or((header, ""));
        if version != VERSION {
            return Err(damaged(format!("its format is version {version}; this is version {VERSION}")));
        }
        let (checksum, found) = rest.split_once(':').unwrap_or((rest, ""));
        if found != owner {
            return Err(damaged(format!("it belongs to `{found}`, not to `{owner}`")));
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| damaged(e.to_string()))?;
        let entries: BTreeMap<String, Entry> = tensors
            .iter()
            .map(|(name, view)| {
                let entry =
                    Entry { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: view.data().to_vec() };
                (name.to_owned(), entry)
            })
            .collect();
        let read = Checkpoint { entries };
        if format!("{:016x}", read.checksum()) != checksum {
            return Err(damaged("its content does not match its checksum".into()));
        }
        Ok(read)
    }

    /// A hash of names, types, shapes and bytes that changes with every single byte.
    fn checksum(&self) -> u64 {
        self.entries.iter().fold(0, |hash, (name, entry)| {
            let head = format!("{name} {:?} {:?}", entry.dtype, entry.shape);
            mix(mix(hash, head.as_bytes()), &entry.bytes)
        })
    }
}

/// Takes eight bytes at a time into the hash. For fixed bytes each step is a bijection of the hash,
/// so two inputs that differ in one word never meet again.
fn mix(hash: u64, bytes: &[u8]) -> u64 {
    let step = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let mut words = bytes.chunks_exact(8);
    let hash = words.by_ref().fold(step(hash, bytes.len() as u64), |hash, word| {
        step(hash, word.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    });
    step(hash, words.remainder().iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> Checkpoint {
        let mut checkpoint = Checkpoint::new();
        checkpoint.put_tensor("policy/weight", &[2, 3], &[1.0, -2.0, 3.5, f32::MIN_POSITIVE, 0.0, -0.0]);
        checkpoint.put_record("counters", &(17_u64, "text")).unwrap();
        checkpoint
    }

    #[test]
    fn bytes_round_trip_and_are_reproducible() {
        let bytes = example().to_bytes("ppo").unwrap();
        assert_eq!(bytes, example().to_bytes("ppo").unwrap());
        let read = Checkpoint::from_bytes(&bytes, "ppo").unwrap();
        assert_eq!(read, example());
        let mut values = [0.0; 6];
        read.tensor("policy/weight", &[2, 3], &mut values).unwrap();
        assert_eq!(values[2], 3.5);
        assert_eq!(read.record::<(u64, String)>("counters").unwrap(), (17, "text".into()));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let checkpoint = example();
        let message = |e: Error| e.to_string();
        let e = checkpoint.tensor("policy/bias", &[1], &mut [0.0]).unwrap_err();
        assert!(message(e).contains("policy/bias"));
        let e = checkpoint.tensor("policy/weight", &[3, 2], &mut [0.0; 6]).unwrap_err();
        assert!(message(e).contains("[2, 3]"));
        let e = checkpoint.record::<u64>("policy/weight").unwrap_err();
        assert!(message(e).contains("F32"));
        let bytes = checkpoint.to_bytes("ppo").unwrap();
        let e = Checkpoint::from_bytes(&bytes, "sac").unwrap_err();
        assert!(message(e).contains("belongs to `ppo`"));
    }

    proptest! {
        #[test]
        fn truncated_and_corrupted_files_are_errors(
            cut in 0usize..400, flip in 0usize..400, bit in 0u8..8,
        ) {
            let bytes = example().to_bytes("ppo").unwrap();
            if cut < bytes.len() {
                prop_assert!(Checkpoint::from_bytes(&bytes[..cut], "ppo").is_err());
            }
            let mut damaged = bytes.clone();
            let index = flip % damaged.len();
            damaged[index] ^= 1 << bit;
            prop_assert!(Checkpoint::from_bytes(&damaged, "ppo").is_err(), "byte {index} bit {bit}");
        }

        #[test]
        fn arbitrary_bytes_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Checkpoint::from_bytes(&bytes, "ppo").is_err());
        }
    }
}
