//! Weighted coverage: every state covers some elements, and what counts is the union.

use serde::{Deserialize, Serialize};

use super::{Look, SetFunction, set_function::distinct};
use crate::Error;

/// F(A) = Σ of the weights of all elements that some state in A covers.
///
/// With discs on a grid it is the coverage of Prajapat et al. 2024, with neighbourhoods in a graph its
/// exploration. An increment costs as much as the state's own region is large.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// By element; at least 0.
    weights: Vec<f64>,
    /// The largest weight, for pictures.
    largest: f64,
    /// Where each state's region begins in `elements`, and where the last one ends.
    starts: Vec<u32>,
    elements: Vec<u32>,
}

impl Coverage {
    /// Coverage in which state s covers the elements `regions[s]`. Errors when an element has no
    /// weight, or a weight is negative or not finite.
    pub fn new(regions: &[Vec<usize>], weights: Vec<f64>) -> Result<Self, Error> {
        let invalid = |reason| Err(Error::InvalidProcess { reason });
        if let Some(weight) = weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0)) {
            return invalid(format!("an element of weight {weight}"));
        }
        let (mut starts, mut elements) = (vec![0], Vec::new());
        for (state, region) in regions.iter().enumerate() {
            for element in distinct(region) {
                if element >= weights.len() {
                    return invalid(format!("state {state} covers element {element} of {}", weights.len()));
                }
                elements.push(element as u32);
            }
            starts.push(elements.len() as u32);
        }
        let largest = weights.iter().copied().fold(0.0, f64::max);
        Ok(Coverage { weights, largest, starts, elements })
    }

    /// The elements that a state covers. Panics when there is no such state.
    pub fn region(&self, state: usize) -> &[u32] {
        &self.elements[self.starts[state] as usize..self.starts[state + 1] as usize]
    }

    /// The weight of every element.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }
}

/// What is remembered: a one for every element that is covered.
impl SetFunction for Coverage {
    fn states(&self) -> usize {
        self.starts.len() - 1
    }

    fn value(&self, set: &[usize]) -> f64 {
        let covered: Vec<usize> =
            set.iter().flat_map(|&state| self.region(state)).map(|&element| element as usize).collect();
        distinct(&covered).iter().map(|&element| self.weights[element]).sum()
    }

    fn memory(&self, _capacity: usize) -> usize {
        self.weights.len()
    }

    fn gain(&self, _members: &[usize], covered: &mut [f64], state: usize) -> f64 {
        let new = self.region(state).iter().filter(|&&element| covered[element as usize] == 0.0);
        new.map(|&element| self.weights[element as usize]).sum()
    }

    fn include(&self, _members: &[usize], covered: &mut [f64], state: usize) -> f64 {
        let mut gain = 0.0;
        for &element in self.region(state) {
            let covered = &mut covered[element as usize];
            if *covered == 0.0 {
                *covered = 1.0;
                gain += self.weights[element as usize];
            }
        }
        gain
    }

    /// Where elements are states, as on a grid, the element tells the look.
    fn look(&self, _members: &[usize], covered: &[f64], state: usize) -> Look {
        let weight = self.weights.get(state).copied().unwrap_or(0.0);
        let value = if self.largest > 0.0 { weight / self.largest } else { 0.0 };
        Look { value, done: covered.get(state) == Some(&1.0), group: None }
    }
}
