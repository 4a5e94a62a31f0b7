//! What the tasks of classic control share about their physical parameters.

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    physical_parameters::{PhysicalParameter, find},
};

/// The physics of a task, `P`: that of the running episode, and that from the next reset on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Physics<P> {
    pub(super) now: P,
    next: P,
}

/// A physical parameter of a task whose physics is a `P`. Its published value is that of the default.
pub(super) struct Quantity<P> {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    /// Smallest and largest value.
    pub(super) range: [f64; 2],
    pub(super) field: fn(&mut P) -> &mut f64,
}

impl<P: Copy + Default> Physics<P> {
    /// The same physics in this episode and the next ones.
    pub(super) fn of(physics: P) -> Self {
        Physics { now: physics, next: physics }
    }

    /// Lets what was set take effect.
    pub(super) fn reset(&mut self) {
        self.now = self.next;
    }

    /// All parameters; their values are those from the next reset on.
    pub(super) fn parameters(&self, quantities: &[Quantity<P>]) -> Vec<PhysicalParameter> {
        let (mut published, mut next) = (P::default(), self.next);
        let parameter = |quantity: &Quantity<P>| PhysicalParameter {
            name: quantity.name.into(),
            unit: quantity.unit.into(),
            nominal: *(quantity.field)(&mut published),
            range: quantity.range,
            value: *(quantity.field)(&mut next),
        };
        quantities.iter().map(parameter).collect()
    }

    /// Sets a parameter from the next reset on.
    pub(super) fn set(&mut self, quantities: &[Quantity<P>], name: &str, value: f64) -> Result<(), Error> {
        let parameters = self.parameters(quantities);
        let index = find(&parameters, name)?;
        parameters[index].check(value)?;
        *(quantities[index].field)(&mut self.next) = value;
        Ok(())
    }
}
