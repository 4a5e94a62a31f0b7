//! Confidence widths of counted transitions, with the constants of the papers that proved them.
//!
//! They hold for problems of S states, A actions and a horizon of H steps, whose rewards are known
//! and from 0 to 1 and whose transitions may differ from step to step; n is how often a state and
//! action were visited at a step.

use assay_environments::parameters::{ParameterError, require};
use serde::{Deserialize, Serialize};

/// How large a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Number of states S.
    pub states: usize,
    /// Number of actions A.
    pub actions: usize,
    /// Number of steps H.
    pub horizon: usize,
}

impl Size {
    /// S A H.
    fn entries(self) -> f64 {
        self.states as f64 * self.actions as f64 * self.horizon as f64
    }
}

/// The bonus of BPI-UCBVI (Ménard, Domingues, Jonsson, Kaufmann, Leurent and Valko 2021, "Fast active
/// learning for pure exploration in reinforcement learning", arXiv 2007.13442):
///
/// ```text
/// b(s, a) = 3 √(Var_P̂(U)(s, a) β*(n)/n) + 14 H² β(n)/n + (1/H) P̂(U − L)(s, a)
/// β(n)  = log(3SAH/δ) + S log(8e(n + 1)),    β*(n) = log(3SAH/δ) + log(8e(n + 1)),
/// ```
///
/// where U and L bound the value of the next step from above and below. With the paper's constants
/// it exceeds H until n is in the thousands, so every experiment scales it: `scale` = c multiplies
/// the first term by c and the second by c². With c below 1 the proof no longer applies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bonus {
    /// c, not negative. Paper: 1.
    pub scale: f64,
    /// Factor of the term with the variance. Paper: 3.
    pub variance: f64,
    /// Factor of H² β(n)/n. Paper: 14.
    pub range: f64,
    /// Factor of P̂(U − L)/H. Paper: 1.
    pub spread: f64,
}

impl Default for Bonus {
    fn default() -> Self {
        Bonus { scale: 1.0, variance: 3.0, range: 14.0, spread: 1.0 }
    }
}

impl Bonus {
    /// No bonus at all: upper and lower bounds are the values of the empirical problem.
    pub const NONE: Bonus = Bonus { scale: 0.0, variance: 0.0, range: 0.0, spread: 0.0 };

    /// Errors when a factor is negative or not finite. The fields are called as they are here.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let Bonus { scale, variance, range, spread } = *self;
        for (field, value) in [("scale", scale), ("variance", variance), ("range", range), ("spread", spread)]
        {
            require(field, value, value >= 0.0 && value.is_finite(), "0 and more")?;
        }
        Ok(())
    }

    /// The bonus in a problem of this size at confidence 1 − `delta`, ready to be asked often.
    pub fn for_problem(&self, size: Size, delta: f64) -> BernsteinBonus {
        let horizon = size.horizon as f64;
        BernsteinBonus {
            union: (3.0 * size.entries() / delta).ln(),
            states: size.states as f64,
            variance: self.scale * self.variance,
            range: self.scale * self.scale * self.range * horizon * horizon,
            spread: self.spread / horizon,
        }
    }
}

/// [`Bonus`] in a problem of one size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BernsteinBonus {
    union: f64,
    states: f64,
    variance: f64,
    range: f64,
    spread: f64,
}

impl BernsteinBonus {
    /// β(n).
    pub fn beta(&self, visits: f64) -> f64 {
        self.union + self.states * (8.0 * std::f64::consts::E * (visits + 1.0)).ln()
    }

    /// β*(n).
    pub fn beta_star(&self, visits: f64) -> f64 {
        self.union + (8.0 * std::f64::consts::E * (visits + 1.0)).ln()
    }

    /// b after `visits` (n, positive), where U has this `variance` under P̂ and P̂(U − L) is `spread`.
    pub fn width(&self, visits: f64, variance: f64, spread: f64) -> f64 {
        let log = (8.0 * std::f64::consts::E * (visits + 1.0)).ln();
        self.variance * (variance * (self.union + log) / visits).sqrt()
            + self.range * (self.union + self.states * log) / visits
            + self.spread * spread
    }
}

/// The bonus 7 H L/√n of UCBVI with Chernoff and Hoeffding's inequality (Azar, Osband and Munos 2017,
/// "Minimax regret bounds for reinforcement learning", arXiv 1703.05449, Algorithm 3), where
/// L = log(5 S A T/δ) and T = `episodes` · H is the number of steps. `visits` is positive.
pub fn hoeffding_width(size: Size, visits: f64, episodes: u64, delta: f64) -> f64 {
    let horizon = size.horizon as f64;
    let log = (5.0 * size.entries() * episodes as f64 / delta).ln();
    7.0 * horizon * log / visits.sqrt()
}

/// The width √(Z/(n ∨ 1)), Z = log(16 S² A H K/δ), of transitions and costs in OptPess-LP (Liu, Zhou,
/// Kalathil, Kumar and Tian 2021, arXiv 2106.02684), for K = `episodes`.
pub fn optimistic_pessimistic_width(size: Size, visits: f64, episodes: u64, delta: f64) -> f64 {
    let log = (16.0 * size.states as f64 * size.entries() * episodes as f64 / delta).ln();
    (log / visits.max(1.0)).sqrt()
}

/// The empirical Bernstein width √(4 p(1 − p)L/(n ∨ 1)) + 14 L/(3(n ∨ 1)), L = log(2SAHK/δ), of one
/// transition probability whose estimate is `probability`, in DOPE (Bura, HasanzadeZonuzy, Kalathil,
/// Shakkottai and Chamberland 2022, arXiv 2112.00885), for K = `episodes`.
pub fn transition_width(size: Size, visits: f64, probability: f64, episodes: u64, delta: f64) -> [f64; 2] {
    let log = (2.0 * size.entries() * episodes as f64 / delta).ln();
    let visits = visits.max(1.0);
    [(4.0 * probability * (1.0 - probability) * log / visits).sqrt(), 14.0 * log / (3.0 * visits)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { states: 3, actions: 2, horizon: 4 };

    #[test]
    fn a_bonus_is_what_its_formula_says() {
        let bonus = Bonus::default().for_problem(SIZE, 0.1);
        let (union, log) = (720f64.ln(), (8.0 * 1f64.exp() * 11.0).ln());
        assert!((bonus.beta_star(10.0) - (union + log)).abs() < 1e-12);
        assert!((bonus.beta(10.0) - (union + 3.0 * log)).abs() < 1e-12);
        let expected = 3.0 * (0.5 * bonus.beta_star(10.0) / 10.0).sqrt()
            + 14.0 * 16.0 * bonus.beta(10.0) / 10.0
            + 0.8 / 4.0;
        assert!((bonus.width(10.0, 0.5, 0.8) - expected).abs() < 1e-12);
        let [root, rest] = transition_width(SIZE, 10.0, 0.25, 100, 0.1);
        let log = (2.0 * 24.0 * 100.0 / 0.1f64).ln();
        assert!((root - (0.75 * log / 10.0).sqrt()).abs() < 1e-12);
        assert!((rest - 14.0 * log / 30.0).abs() < 1e-12);
    }

    #[test]
    fn a_scale_enters_the_second_term_squared_and_the_third_not_at_all() {
        let scaled = |scale| Bonus { scale, ..Bonus::default() }.for_problem(SIZE, 0.1);
        let part = |bonus: BernsteinBonus, variance, spread| bonus.width(7.0, variance, spread);
        let (one, tenth) = (scaled(1.0), scaled(0.1));
        let range = part(one, 0.0, 0.0);
        assert!((part(tenth, 0.0, 0.0) - 0.01 * range).abs() < 1e-12);
        let variance = part(one, 2.0, 0.0) - range;
        assert!((part(tenth, 2.0, 0.0) - 0.01 * range - 0.1 * variance).abs() < 1e-12);
        assert!((part(tenth, 0.0, 2.0) - 0.01 * range - 0.5).abs() < 1e-12);
        assert_eq!(part(Bonus::NONE.for_problem(SIZE, 0.1), 2.0, 2.0), 0.0);
    }

    #[test]
    fn widths_shrink_with_visits() {
        let bonus = Bonus::default().for_problem(SIZE, 0.1);
        for (few, many) in [(1.0, 2.0), (10.0, 11.0), (100.0, 1e6)] {
            assert!(bonus.width(few, 1.0, 1.0) > bonus.width(many, 1.0, 1.0));
            assert!(hoeffding_width(SIZE, few, 100, 0.1) > hoeffding_width(SIZE, many, 100, 0.1));
            let width = |visits| optimistic_pessimistic_width(SIZE, visits, 100, 0.1);
            assert!(width(few) > width(many));
            let width = |visits| transition_width(SIZE, visits, 0.3, 100, 0.1);
            assert!(width(few).iter().sum::<f64>() > width(many).iter().sum::<f64>());
        }
    }

    #[test]
    fn a_negative_factor_is_an_error_that_names_it() {
        let error = Bonus { range: -1.0, ..Bonus::default() }.validate().unwrap_err().to_string();
        assert!(error.contains("`range` is -1"), "{error}");
    }
}
