//! Pictures of an environment's state.

/// A vector picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {}
