//! Where every random number comes from.
//!
//! A run has one [`Seed`]. Every consumer (environment 3, the policy's sampling, the minibatch
//! order, …) derives its own generator from it by name. The generators are counter-based: the
//! seed is the key, the consumer's name chooses one of 2⁶⁴ independent sequences, and the position
//! is a counter. What one consumer draws can therefore never shift what another one draws, and a
//! generator's whole state is a few words that are saved with the run.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A consumer's random generator: ChaCha with eight rounds, serialisable at any position.
pub type Stream = ChaCha8Rng;

/// The one number that, together with a configuration, determines a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(u64);

impl Seed {
    /// The seed with this value.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The seed's value.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The generator of the consumer called `name`, for example `"policy"`.
    pub fn stream(self, name: &str) -> Stream {
        let mut stream = Stream::seed_from_u64(self.0);
        stream.set_stream(fnv1a(name.as_bytes()));
        stream
    }

    /// The generator of the consumer `name` with a number, for example `("environment", 3)`.
    pub fn indexed_stream(self, name: &str, index: usize) -> Stream {
        self.stream(&format!("{name}/{index}"))
    }

    /// A seed for a part of the run that has consumers of its own, for example `"evaluation"`.
    pub fn child(self, name: &str) -> Seed {
        use rand::RngCore;
        Seed(self.stream(&format!("seed of {name}")).next_u64())
    }
}

/// The 64-bit FNV-1a hash: fixed for ever, unlike the standard library's.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngCore;

    #[test]
    fn fnv1a_agrees_with_the_published_test_vectors() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn consumers_draw_from_different_sequences() {
        let seed = Seed::new(7);
        let draws = [
            seed.stream("policy").next_u64(),
            seed.stream("minibatch").next_u64(),
            seed.indexed_stream("environment", 0).next_u64(),
            seed.indexed_stream("environment", 1).next_u64(),
            seed.child("evaluation").stream("policy").next_u64(),
            Seed::new(8).stream("policy").next_u64(),
        ];
        for (i, a) in draws.iter().enumerate() {
            assert!(!draws[..i].contains(a), "two consumers share a sequence");
        }
        assert_eq!(draws[0], seed.stream("policy").next_u64());
    }

    #[test]
    fn a_restored_stream_continues_where_it_was() {
        let mut stream = Seed::new(1).stream("policy");
        for _ in 0..37 {
            stream.next_u32();
        }
        let bytes = postcard::to_allocvec(&stream).unwrap();
        let mut restored: Stream = postcard::from_bytes(&bytes).unwrap();
        for _ in 0..200 {
            assert_eq!(stream.next_u64(), restored.next_u64());
        }
    }
}
