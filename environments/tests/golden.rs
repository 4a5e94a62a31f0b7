//! The dynamics of classic control against trajectories recorded from Gymnasium.
//!
//! `golden/record.py` writes the trajectories and says how they are stored. Every recorded step is
//! taken from the recorded state before it, so that a difference shows where it arises; where all
//! steps agree bit for bit, so do whole trajectories.
//!
//! How close the two can be is decided by the C library, whose sine, cosine and power Gymnasium
//! calls. Sine and cosine are the same here wherever the tests run on the same library and kind of
//! processor as the recording (glibc on x86-64 with fused multiply-add); elsewhere they may differ
//! in the last digit. Gymnasium squares NumPy scalars with the library's `pow`, which is not always
//! correctly rounded (about 1 in 1,000 squares is one unit off), whereas a product is.

use assay_environments::{
    Action, Environment,
    classic::{Acrobot, CartPole, MountainCar, MountainCarContinuous, Pendulum},
    random::Seed,
    wrappers::TimeLimit,
};
use serde::Deserialize;

/// The facts in a recording's header.
#[derive(Deserialize)]
struct Header {
    environment: String,
    gymnasium: String,
    episodes: usize,
    steps: usize,
    state: usize,
    observation: usize,
    action: String,
    reward: String,
}

/// A recording's binary part, read from front to back.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_first_chunk().expect("the recording ends early");
        self.0 = rest;
        *head
    }

    fn doubles(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| f64::from_le_bytes(self.bytes())).collect()
    }

    fn singles(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| f32::from_le_bytes(self.bytes())).collect()
    }
}

/// How far a step may be from the recorded one.
struct Allowed {
    /// Of a state variable, in units in the last place (of numbers near 1 where it is smaller).
    state: f64,
    /// Of the reward.
    reward: f64,
    /// The share of steps that may differ at all.
    share: f64,
}

const EXACT: Allowed = Allowed { state: 0.0, reward: 0.0, share: 0.0 };

/// Difference in units in the last place of `b`, or of 1 where `b` is smaller.
fn units(a: f64, b: f64) -> f64 {
    (a - b).abs() / (f64::EPSILON * b.abs().max(1.0))
}

/// Whether sine and cosine are, to the bit, those of the recording.
fn same_mathematics() -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    return std::arch::is_x86_feature_detected!("fma");
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
    return false;
}

/// Takes every step of a recording and compares state, reward, ends and observations.
fn replay<E: Environment>(
    recording: &[u8],
    name: &str,
    mut environment: TimeLimit<E>,
    get: impl Fn(&E) -> Vec<f64>,
    set: impl Fn(&mut E, &[f64]),
    allowed: Allowed,
) {
    let mark = b"---\n";
    let end = recording.windows(mark.len()).position(|w| w == mark).expect("a header");
    let header: Header = toml::from_str(std::str::from_utf8(&recording[..end]).unwrap()).unwrap();
    assert_eq!(header.environment, name);
    assert!(header.steps >= 10_000, "only {} steps from Gymnasium {}", header.steps, header.gymnasium);

    let allowed = if same_mathematics() {
        allowed
    } else {
        Allowed { state: allowed.state + 4.0, reward: allowed.reward + 1e-12, share: 1.0 }
    };
    let mut reader = Reader(&recording[end + mark.len()..]);
    let mut rng = Seed::new(0).stream("environment");
    let mut observation = vec![0.0; header.observation];
    let mut last = vec![0.0; header.observation];
    let (mut steps, mut different) = (0, 0);

    for episode in 0..header.episodes {
        let length = u32::from_le_bytes(reader.bytes());
        environment.reset(&mut rng, &mut observation).unwrap();
        let start = reader.doubles(header.state);
        set(environment.inner_mut(), &start);
        for t in 0..length {
            let at = format!("step {t} of episode {episode}");
            let (discrete, continuous) = match header.action.as_str() {
                "u8" => (usize::from(u8::from_le_bytes(reader.bytes())), [0.0]),
                _ => (0, [f32::from_le_bytes(reader.bytes())]),
            };
            let action = match header.action.as_str() {
                "u8" => Action::Discrete(discrete),
                _ => Action::Continuous(&continuous),
            };
            let outcome = environment.step(action, &mut rng, &mut last).unwrap();

            let state = reader.doubles(header.state);
            let ours = get(environment.inner());
            for (i, (ours, theirs)) in ours.iter().zip(&state).enumerate() {
                let close = units(*ours, *theirs) <= allowed.state;
                assert!(close, "state[{i}] is {ours:e}, not {theirs:e}, after {at}");
            }
            let reward = match header.reward.as_str() {
                "f32" => f64::from(f32::from_le_bytes(reader.bytes())),
                _ => f64::from_le_bytes(reader.bytes()),
            };
            let close = (outcome.reward - reward).abs() <= allowed.reward;
            assert!(close, "the reward is {:e}, not {reward:e}, at {at}", outcome.reward);
            different += usize::from(ours != state || outcome.reward != reward);
            let [end] = reader.bytes();
            assert_eq!((outcome.terminated, outcome.truncated), (end & 1 != 0, end & 2 != 0), "{at}");
            set(environment.inner_mut(), &state);
            steps += 1;
        }
        let theirs = reader.singles(header.observation);
        for (ours, theirs) in last.iter().zip(&theirs) {
            let close = (ours - theirs).abs() <= f32::EPSILON * theirs.abs().max(1.0);
            assert!(close, "the last observation of episode {episode} is {last:?}, not {theirs:?}");
        }
    }
    assert_eq!(steps, header.steps);
    let share = different as f64 / steps as f64;
    assert!(share <= allowed.share, "{different} of {steps} steps differ");
    assert!(reader.0.is_empty(), "the recording goes on after its last episode");
}

#[test]
fn cart_pole_equals_gymnasium_to_the_last_bit() {
    replay(
        include_bytes!("golden/cart_pole.golden"),
        "CartPole-v1",
        TimeLimit::new(CartPole::new(), 500).unwrap(),
        |environment| environment.state().to_vec(),
        |environment, state| environment.set_state(state.try_into().unwrap()),
        EXACT,
    );
}

#[test]
fn mountain_car_equals_gymnasium_to_the_last_bit() {
    replay(
        include_bytes!("golden/mountain_car.golden"),
        "MountainCar-v0",
        TimeLimit::new(MountainCar::new(), 200).unwrap(),
        |environment| environment.state().to_vec(),
        |environment, state| environment.set_state(state.try_into().unwrap()),
        EXACT,
    );
}

#[test]
fn mountain_car_continuous_equals_gymnasium_to_the_last_bit() {
    replay(
        include_bytes!("golden/mountain_car_continuous.golden"),
        "MountainCarContinuous-v0",
        TimeLimit::new(MountainCarContinuous::new(), 999).unwrap(),
        |environment| environment.state().map(f64::from).to_vec(),
        |environment, state| environment.set_state([state[0] as f32, state[1] as f32]),
        EXACT,
    );
}

#[test]
fn pendulum_equals_gymnasium_to_the_last_bit_but_for_one_reward_in_a_hundred() {
    // The torque is squared in single precision, where one unit of 4 is 2.4e-7, and then counts for
    // a thousandth, rounded to single precision again.
    replay(
        include_bytes!("golden/pendulum.golden"),
        "Pendulum-v1",
        TimeLimit::new(Pendulum::new(), 200).unwrap(),
        |environment| environment.state().to_vec(),
        |environment, state| environment.set_state(state.try_into().unwrap()),
        Allowed { state: 0.0, reward: 5e-10, share: 0.01 },
    );
}

#[test]
fn acrobot_equals_gymnasium_to_four_units_in_the_last_place_and_mostly_to_the_last_bit() {
    // Twelve squares go into one step, and the equations amplify their last digits.
    replay(
        include_bytes!("golden/acrobot.golden"),
        "Acrobot-v1",
        TimeLimit::new(Acrobot::new(), 500).unwrap(),
        |environment| environment.state().to_vec(),
        |environment, state| environment.set_state(state.try_into().unwrap()),
        Allowed { state: 4.0, reward: 0.0, share: 0.01 },
    );
}
