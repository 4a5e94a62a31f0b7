//! The recordings of MuJoCo and Gymnasium are complete and say what `robots/README.md` says of them.

mod robots;

use robots::Recording;

const ROBOTS: [&str; 8] = [
    "inverted_pendulum",
    "inverted_double_pendulum",
    "reacher",
    "swimmer",
    "hopper",
    "half_cheetah",
    "walker2d",
    "ant",
];
const MAZES: [&str; 2] = ["point_maze", "ant_maze"];

#[test]
fn all_recordings_are_of_the_same_versions() {
    for name in ROBOTS.iter().chain(&MAZES).chain(&["returns"]) {
        let header = Recording::load(name).header;
        for (package, version) in [
            ("mujoco", "3.17.0"),
            ("gymnasium", "1.4.0"),
            ("gymnasium_robotics", "1.4.2"),
            ("mo_gymnasium", "1.3.2"),
        ] {
            assert_eq!(header[package].as_str(), Some(version), "{package} of {name}");
        }
    }
}

#[test]
fn rewards_are_the_sum_of_their_terms() {
    for name in ROBOTS {
        let recording = Recording::load(name);
        let [rewards, terms] = ["cases.reward", "cases.terms"].map(|array| recording.array(array));
        for (case, reward) in rewards.values.iter().enumerate() {
            let sum: f64 = terms.at(&[case]).iter().sum();
            assert!((sum - reward).abs() < 1e-6, "{name}, case {case}: {sum}, not {reward}");
        }
    }
}

#[test]
fn forward_rewards_are_distance_over_time() {
    for name in ["swimmer", "hopper", "half_cheetah", "walker2d", "ant"] {
        let recording = Recording::load(name);
        let [time_step, steps] = ["timestep", "frame_skip"].map(|name| recording.header[name].clone());
        let time = time_step.as_float().unwrap() * steps.as_integer().unwrap() as f64;
        let (before, after) = match name {
            "ant" => ("cases.torso_before", "cases.torso"),
            _ => ("cases.qpos_before", "cases.qpos"),
        };
        let [before, after, terms] = [before, after, "cases.terms"].map(|array| recording.array(array));
        for case in 0..terms.shape[0] {
            let speed = (after.at(&[case, 0])[0] - before.at(&[case, 0])[0]) / time;
            let recorded = terms.at(&[case, 0])[0];
            assert!((speed - recorded).abs() < 1e-9, "{name}, case {case}: {speed}, not {recorded}");
        }
    }
}

#[test]
fn passive_traces_have_no_actions_and_driven_ones_have() {
    for name in ROBOTS {
        let recording = Recording::load(name);
        let actions = recording.array("free.action");
        for trace in 0..actions.shape[0] {
            let driven = actions.at(&[trace]).iter().any(|action| *action != 0.0);
            assert_eq!(driven, trace % 2 == 1, "{name}, trace {trace}");
        }
    }
}

#[test]
fn maze_rewards_follow_from_the_distance_to_the_goal() {
    for name in MAZES {
        let recording = Recording::load(name);
        let array = |column| recording.array(&format!("rewards.{column}"));
        for case in 0..array("goal").shape[0] {
            let [achieved, goal] = ["achieved", "goal"].map(|column| array(column).at(&[case]));
            let distance = (achieved[0] - goal[0]).hypot(achieved[1] - goal[1]);
            let near = f64::from(u8::from(distance <= 0.45));
            assert_eq!([array("sparse").values[case], array("terminated").values[case]], [near; 2]);
            assert!((array("dense").values[case] - (-distance).exp()).abs() < 1e-15);
        }
    }
}

#[test]
fn random_returns_come_with_their_mean_and_its_interval() {
    let recording = Recording::load("returns");
    for name in ROBOTS {
        let facts = recording.header[name].as_table().unwrap();
        let returns = &recording.array(&format!("{name}.returns")).values;
        assert_eq!(returns.len(), 400, "{name}");
        let mean = returns.iter().sum::<f64>() / returns.len() as f64;
        assert!((mean - facts["mean"].as_float().unwrap()).abs() < 1e-9 * mean.abs(), "{name}");
        let interval: [f64; 2] = facts["mean_interval_95"].clone().try_into().unwrap();
        assert!(interval[0] < mean && mean < interval[1], "{name}: {mean} in {interval:?}");
        let lengths = &recording.array(&format!("{name}.lengths")).values;
        let mean_length = lengths.iter().sum::<f64>() / lengths.len() as f64;
        assert!((mean_length - facts["mean_length"].as_float().unwrap()).abs() < 1e-9 * mean_length);
    }
}
