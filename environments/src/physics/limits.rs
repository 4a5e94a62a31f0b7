//! The ends of a joint's range: how a joint is held back there.
//!
//! As in MuJoCo ("Computation", "Constraint model" of its manual), what is beyond its range by r is to
//! accelerate by −b ṙ − k r, which is critically damped. The impedance d says how far it does: the
//! acceleration is d times this one and 1 − d times that without the limit. Solved for the force,
//! this is a mass d/(1 − d) times the joint's own inertia with a spring and a damper in proportion:
//!
//! force = −m (r̈ + b ṙ + k r),  m = d / (1 − d) · inertia
//!
//! which the multibody solves as armature and damping of the joint. A limit of rapier's own lets go
//! of the velocity with which it pushes back, costs a solver row even where it is out of reach, and
//! does not tell its force.

use super::robot::{Axle, Impedance};

/// Time in which a joint comes back (s): the first number of MuJoCo's default `solreflimit`.
const TIME_CONSTANT: f64 = 0.02;

/// What a limit does to a joint in one step of the simulation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hold {
    /// Mass or inertia that moves along with the joint.
    pub(super) armature: f64,
    /// Damping in N s/m (N m s/rad).
    pub(super) damping: f64,
    /// Force of the spring (N or N m).
    pub(super) force: f64,
}

/// How a joint at `position` with `velocity` is held back; `None` within its range, or where it
/// already leaves the end faster than it would be driven away. `inverse_inertia` is that of the joint
/// in the robot's reference pose and `unheld` its acceleration without the limit, as far as it is known.
pub(super) fn hold(
    axle: &Axle,
    impedance: &Impedance,
    inverse_inertia: f64,
    [position, velocity]: [f64; 2],
    unheld: f64,
) -> Option<Hold> {
    let [low, high] = axle.range?;
    // Outwards is positive from here on.
    let (beyond, out) = if position > high {
        (position - high, 1.0)
    } else if position < low {
        (low - position, -1.0)
    } else {
        return None;
    };
    let d = impedance.at(beyond);
    let stiffness = d / (impedance.largest * TIME_CONSTANT).powi(2);
    let damping = 2.0 / (impedance.largest * TIME_CONSTANT);
    if out * unheld + damping * out * velocity + stiffness * beyond <= 0.0 {
        return None;
    }
    let mass = d / (1.0 - d) / inverse_inertia;
    Some(Hold { armature: mass, damping: mass * damping, force: -out * mass * stiffness * beyond })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXLE: Axle = Axle {
        anchor: [0.0; 3],
        axis: [0.0, 1.0, 0.0],
        range: Some([-1.0, 1.0]),
        armature: 0.0,
        damping: 0.0,
        stiffness: 0.0,
    };

    #[test]
    fn a_joint_within_its_range_is_free_and_beyond_it_is_pushed_back() {
        let at = |position, velocity, unheld| {
            hold(&AXLE, &Impedance::default(), 0.5, [position, velocity], unheld)
        };
        assert_eq!(at(0.999, 10.0, 100.0), None);
        assert!(at(1.01, 0.0, 0.0).unwrap().force < 0.0);
        assert!(at(-1.01, 0.0, 0.0).unwrap().force > 0.0);
        // It comes back fast enough by itself, unless it is pushed against the end.
        assert_eq!(at(1.01, -1.0, 0.0), None);
        assert!(at(1.01, -1.0, 1000.0).is_some());
    }

    #[test]
    fn a_load_is_held_where_mujocos_balance_of_accelerations_has_it() {
        // At rest under a load: (1 − d) · load · inverse inertia = d · k · r.
        let (impedance, inverse_inertia, load) = (Impedance::default(), 0.5, 200.0);
        let (d, k) = (0.95, 0.95 / (0.95_f64 * 0.02).powi(2));
        let beyond = (1.0 - d) * load * inverse_inertia / (d * k);
        let held =
            hold(&AXLE, &impedance, inverse_inertia, [1.0 + beyond, 0.0], load * inverse_inertia).unwrap();
        assert!((held.force + load).abs() < 1e-9 * load, "{held:?}");
    }
}
