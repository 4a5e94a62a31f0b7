//! Axes: what they measure, how far they reach, and where their ticks are.

use assay_environments::picture::{Anchor, Point, text_width};

use crate::{
    Error,
    canvas::{Letters, Sheet, write},
    style::{APART, SMALL},
};

/// What an axis measures and how it is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// What it measures, with the unit, for example `Time (s)`.
    pub label: String,
    /// How numbers are laid out along it.
    pub scale: Scale,
    /// How numbers are written at its ticks.
    pub numbers: Numbers,
    /// Numbers that the axis must reach, whatever the data.
    pub include: Vec<f64>,
}

/// How numbers are laid out along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences take equal room.
    #[default]
    Linear,
    /// Equal ratios take equal room. All numbers must be positive.
    Logarithmic,
}

/// How numbers are written at the ticks of a linear axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// As they are; large and small ones with a power of ten.
    #[default]
    Plain,
    /// In thousands and millions: 50k, 1.5M.
    Thousands,
    /// Shares in per cent.
    Percent,
}

impl Axis {
    /// A linear axis with plain numbers.
    pub fn new(label: impl Into<String>) -> Self {
        Axis { label: label.into(), ..Axis::default() }
    }

    /// The axis of environment steps, written in thousands and millions.
    pub fn steps() -> Self {
        Axis::new("Environment steps").written(Numbers::Thousands).including([0.0])
    }

    /// The same with a logarithmic scale.
    pub fn logarithmic(self) -> Self {
        Axis { scale: Scale::Logarithmic, ..self }
    }

    /// The same with its numbers written this way.
    pub fn written(self, numbers: Numbers) -> Self {
        Axis { numbers, ..self }
    }

    /// The same, reaching at least these numbers.
    pub fn including(mut self, numbers: impl IntoIterator<Item = f64>) -> Self {
        self.include.extend(numbers);
        self
    }

    /// Where a number lies on the axis: itself, or its decimal logarithm.
    pub(crate) fn position(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.log10(),
        }
    }

    /// An error where a number cannot be shown on this axis.
    pub(crate) fn check(&self, values: &[f64], what: &'static str, part: &str) -> Result<(), Error> {
        for (index, &value) in values.iter().enumerate() {
            let part = || part.to_owned();
            if value.is_nan() || value.abs() >= LARGEST {
                return Err(Error::NonFinite { part: part(), what, index, value });
            }
            if self.scale == Scale::Logarithmic && value <= 0.0 {
                return Err(Error::NotPositive { part: part(), what, index, value });
            }
        }
        Ok(())
    }

    /// The axis as it must be to show all `values`, with `margin` (a share of the range) to spare
    /// at either end, and about `most` ticks or fewer.
    pub(crate) fn laid_out(
        &self,
        values: impl IntoIterator<Item = f64>,
        margin: f64,
        most: usize,
    ) -> AxisLayout {
        let positions = values.into_iter().chain(self.include.iter().copied()).map(|v| self.position(v));
        let (mut low, mut high) =
            positions.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| (low.min(p), high.max(p)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // A range that is a single number, up to rounding, is widened to one that can be drawn.
        let magnitude = low.abs().max(high.abs());
        if high - low <= (1e-9 * magnitude).max(SMALLEST) {
            let relative = self.scale == Scale::Linear && magnitude > SMALLEST;
            let half = if relative { 0.1 * magnitude } else { 0.5 };
            (low, high) = (low - half, high + half);
        }
        let spare = margin * (high - low);
        let (low, high) = (low - spare, high + spare);
        let (ticks, minor) = match self.scale {
            Scale::Linear => (linear_ticks(low, high, most, self.numbers), Vec::new()),
            Scale::Logarithmic => (logarithmic_ticks(low, high, most), minor_ticks(low, high)),
        };
        AxisLayout { low, high, ticks, minor }
    }
}

impl Axis {
    /// As [`laid_out`](Self::laid_out), for a horizontal axis of this width in points: with as
    /// many ticks as their numbers leave room for.
    pub(crate) fn laid_out_across<V: IntoIterator<Item = f64>>(
        &self,
        values: impl Fn() -> V,
        margin: f64,
        width: f64,
    ) -> AxisLayout {
        let mut most = (width / 20.0) as usize;
        loop {
            let layout = self.laid_out(values(), margin, most);
            if most <= 2 || layout.ticks.len() as f64 * (layout.widest(SMALL) + APART) <= width {
                return layout;
            }
            most -= 1;
        }
    }
}

/// An axis with its ends and ticks, all as positions (see [`Axis::position`]).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AxisLayout {
    /// The lower end.
    pub(crate) low: f64,
    /// The upper end.
    pub(crate) high: f64,
    /// The ticks, from low to high.
    pub(crate) ticks: Vec<Tick>,
    /// Where there are small ticks without numbers.
    pub(crate) minor: Vec<f64>,
}

impl AxisLayout {
    /// An axis without ticks.
    pub(crate) fn bare(low: f64, high: f64) -> Self {
        AxisLayout { low, high, ticks: Vec::new(), minor: Vec::new() }
    }

    /// The width of the widest tick label at this font size.
    pub(crate) fn widest(&self, size: f64) -> f64 {
        self.ticks.iter().map(|tick| tick.label.width(size)).fold(0.0, f64::max)
    }
}

/// A tick and what is written at it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    pub(crate) position: f64,
    pub(crate) label: TickLabel,
}

/// A number as text, with a raised exponent where it has one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TickLabel {
    text: String,
    exponent: Option<i32>,
}

/// Numbers from here on are taken for infinite, so that no difference or margin overflows.
const LARGEST: f64 = 1e300;

/// Differences below this are taken for none.
const SMALLEST: f64 = 1e-290;

/// Font size of an exponent as a share of that of its base.
const EXPONENT: f64 = 0.75;

impl TickLabel {
    fn power(exponent: i32) -> Self {
        TickLabel { text: "10".into(), exponent: Some(exponent) }
    }

    fn exponent_text(&self) -> String {
        self.exponent.map_or(String::new(), |exponent| decimal(f64::from(exponent), 0))
    }

    /// Width at this font size.
    pub(crate) fn width(&self, size: f64) -> f64 {
        text_width(&self.text, size) + text_width(&self.exponent_text(), EXPONENT * size)
    }

    /// Draws the label with its left end, middle or right end at a place in points.
    pub(crate) fn draw(&self, sheet: &Sheet<'_>, [x, y]: Point, letters: Letters) -> Result<(), Error> {
        let Some(_) = self.exponent else { return write(sheet, [x, y], &self.text, letters) };
        let width = self.width(letters.size);
        let left = match letters.anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        let letters = Letters { anchor: Anchor::Start, ..letters };
        write(sheet, [left, y], &self.text, letters)?;
        let at = [left + text_width(&self.text, letters.size), y - 0.36 * letters.size];
        write(sheet, at, &self.exponent_text(), Letters { size: EXPONENT * letters.size, ..letters })
    }
}

/// A number with this many decimals and a true minus sign.
pub(crate) fn decimal(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().any(|b| b.is_ascii_digit() && b != b'0') => format!("\u{2212}{rest}"),
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

/// The smallest of 1, 2, 2.5 and 5 times a power of ten, times `multiple`, that leaves at most
/// `most` multiples of it between `low` and `high`.
fn round_step(low: f64, high: f64, most: usize) -> f64 {
    let least = (high - low) / most.max(1) as f64;
    let start = least.log10().floor() as i32;
    let steps = (start..).flat_map(|power| [1.0, 2.0, 2.5, 5.0].map(|m| (m, power)));
    let mut values =
        steps.map(|(m, power)| if power < 0 { m / 10f64.powi(-power) } else { m * 10f64.powi(power) });
    // The search is endless in type only: the first step of the next power is always long enough.
    values.find(|step| multiples(low, high, *step).count() <= most.max(1)).unwrap_or(least)
}

/// The whole numbers whose multiples of `step` lie between `low` and `high`, rounding forgiven.
fn multiples(low: f64, high: f64, step: f64) -> impl Iterator<Item = i64> {
    let slack = 1e-6;
    (low / step - slack).ceil() as i64..=(high / step + slack).floor() as i64
}

/// How many decimals a step needs to be written in full, four at the most.
fn decimals(step: f64) -> usize {
    (0..4)
        .find(|&d| {
            let scaled = step * 10f64.powi(d as i32);
            (scaled - scaled.round()).abs() < 1e-6 * scaled
        })
        .unwrap_or(4)
}

fn linear_ticks(low: f64, high: f64, most: usize, numbers: Numbers) -> Vec<Tick> {
    let step = round_step(low, high, most);
    let largest = low.abs().max(high.abs());
    multiples(low, high, step)
        .map(|i| i as f64 * step)
        .map(|position| Tick { position, label: tick_label(position, step, largest, numbers) })
        .collect()
}

/// A number that is a multiple of `step`, written like all others on an axis up to `largest`.
fn tick_label(value: f64, step: f64, largest: f64, numbers: Numbers) -> TickLabel {
    let power = largest.log10().floor() as i32;
    // The unit that the numbers are written in, and what follows them.
    let (unit, suffix, exponent) = match numbers {
        Numbers::Percent => (0.01, "%", None),
        Numbers::Thousands if largest >= 1e9 => (1e9, "G", None),
        Numbers::Thousands if largest >= 1e6 => (1e6, "M", None),
        Numbers::Thousands if largest >= 1e3 => (1e3, "k", None),
        Numbers::Plain if !(-3..6).contains(&power) => (10f64.powi(power), "·10", Some(power)),
        _ => (1.0, "", None),
    };
    if value == 0.0 && numbers != Numbers::Percent {
        return TickLabel { text: "0".into(), exponent: None };
    }
    TickLabel { text: decimal(value / unit, decimals(step / unit)) + suffix, exponent }
}

/// Ticks between two decimal logarithms: whole powers of ten, every so many of them; or, where
/// fewer than two of those lie in the range, 1, 2 and 5 times them; or, in a still smaller range,
/// round numbers.
fn logarithmic_ticks(low: f64, high: f64, most: usize) -> Vec<Tick> {
    let powers: Vec<i64> = multiples(low, high, 1.0).collect();
    if powers.len() >= 2 {
        let every = powers.len().div_ceil(most.max(2)) as i64;
        let kept = powers.into_iter().filter(|power| power % every == 0);
        return kept
            .map(|power| Tick { position: power as f64, label: TickLabel::power(power as i32) })
            .collect();
    }
    let candidates = (low.floor() as i32..=high.ceil() as i32)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(power)))
        .filter(|value| (low..=high).contains(&value.log10()));
    let candidates: Vec<f64> = candidates.collect();
    if candidates.len() >= 2 && candidates.len() <= most.max(3) {
        let label = |value: f64| tick_label(value, value, value, Numbers::Plain);
        return candidates.into_iter().map(|v| Tick { position: v.log10(), label: label(v) }).collect();
    }
    let mut ticks = linear_ticks(10f64.powf(low), 10f64.powf(high), most, Numbers::Plain);
    ticks.retain(|tick| tick.position > 0.0);
    ticks.into_iter().map(|tick| Tick { position: tick.position.log10(), ..tick }).collect()
}

/// The multiples of the powers of ten between two decimal logarithms, which make a logarithmic
/// axis look like one; none where there would be too many.
fn minor_ticks(low: f64, high: f64) -> Vec<f64> {
    if high - low > 5.0 {
        return Vec::new();
    }
    let positions = (low.floor() as i32..=high.floor() as i32)
        .flat_map(|power| (1..10).map(move |m| f64::from(power) + f64::from(m).log10()));
    positions.filter(|position| (low..=high).contains(position)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tick labels of an axis that shows these values, exponents after a caret.
    fn labels(axis: &Axis, values: &[f64], most: usize) -> Vec<String> {
        let layout = axis.laid_out(values.iter().copied(), 0.0, most);
        assert!(
            layout.ticks.iter().all(|t| t.position >= layout.low - 1e-6 && t.position <= layout.high + 1e-6)
        );
        let text = |label: &TickLabel| match label.exponent {
            Some(exponent) => format!("{}^{exponent}", label.text),
            None => label.text.clone(),
        };
        layout.ticks.iter().map(|tick| text(&tick.label)).collect()
    }

    #[test]
    fn ticks_are_round_numbers_in_the_range() {
        let axis = Axis::new("");
        assert_eq!(labels(&axis, &[0.0, 1.0], 6), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&axis, &[-500.0, -80.0], 5), ["−500", "−400", "−300", "−200", "−100"]);
        assert_eq!(labels(&axis, &[0.03, 0.97], 5), ["0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(labels(&axis, &[-0.3, 0.3], 7), ["−0.3", "−0.2", "−0.1", "0", "0.1", "0.2", "0.3"]);
        assert_eq!(labels(&axis, &[101.0, 109.0], 5), ["102", "104", "106", "108"]);
    }

    #[test]
    fn steps_are_written_in_thousands_and_millions() {
        let steps = Axis::steps();
        assert_eq!(labels(&steps, &[100e3], 6), ["0", "20k", "40k", "60k", "80k", "100k"]);
        assert_eq!(labels(&steps, &[1e6], 5), ["0", "0.25M", "0.50M", "0.75M", "1.00M"]);
        assert_eq!(labels(&steps, &[900.0], 4), ["0", "250", "500", "750"]);
        assert_eq!(labels(&steps, &[4e9], 5), ["0", "1G", "2G", "3G", "4G"]);
    }

    #[test]
    fn shares_are_written_in_per_cent() {
        let share = Axis::new("").written(Numbers::Percent);
        assert_eq!(labels(&share, &[0.0, 1.0], 5), ["0%", "25%", "50%", "75%", "100%"]);
    }

    #[test]
    fn very_large_and_very_small_numbers_have_an_exponent() {
        let axis = Axis::new("");
        assert_eq!(labels(&axis, &[0.0, 3e7], 4), ["0", "1·10^7", "2·10^7", "3·10^7"]);
        assert_eq!(labels(&axis, &[-2e-5, 2e-5], 3), ["−2·10^-5", "0", "2·10^-5"]);
    }

    #[test]
    fn a_single_value_gets_room_on_both_sides() {
        for value in [0.0, 500.0, -1e-12, 1e250, f64::MIN_POSITIVE] {
            let layout = Axis::new("").laid_out([value], 0.0, 5);
            assert!(layout.low < value && value < layout.high, "{value}: {layout:?}");
            assert!((1..=5).contains(&layout.ticks.len()), "{value}: {layout:?}");
        }
        assert_eq!(labels(&Axis::new("").logarithmic(), &[200.0], 5), ["100", "200", "500"]);
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten_where_there_are_enough() {
        let axis = Axis::new("").logarithmic();
        assert_eq!(labels(&axis, &[1e-3, 1e1], 6), ["10^-3", "10^-2", "10^-1", "10^0", "10^1"]);
        assert_eq!(labels(&axis, &[1e-9, 1e9], 4), ["10^-5", "10^0", "10^5"]);
        assert_eq!(labels(&axis, &[15.0, 250.0], 6), ["20", "50", "100", "200"]);
        assert_eq!(labels(&axis, &[1200.0, 2600.0], 4), ["1500", "2000", "2500"]);
    }

    #[test]
    fn decimals_have_a_true_minus_and_no_negative_zero() {
        assert_eq!(decimal(-1.5, 2), "−1.50");
        assert_eq!(decimal(-0.001, 2), "0.00");
        assert_eq!(decimal(2.0, 0), "2");
    }
}
