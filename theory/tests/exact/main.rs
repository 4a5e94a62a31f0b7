//! The exact layer against itself, on 1,000 random problems of each kind, and against closed forms.

mod constrained;
mod discounted;
mod horizon;
mod known_values;
mod mixture;
mod problems;
mod robust;
