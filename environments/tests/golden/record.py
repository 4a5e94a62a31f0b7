"""Records the golden trajectories of the classic-control environments from Gymnasium.

    python environments/tests/golden/record.py

writes one file for each environment beside this script. It needs `gymnasium` and nothing else; the
tests that read the files need no Python. Running it again with the same versions writes the same
bytes.

A file is a header in TOML (which versions it was recorded with, and the fields' types), a line
`---`, and little-endian binary data, episode by episode:

    u32                      number of steps
    f64 x state              the state at the start
    for each step:
        u8 or f32            the action (`action` in the header)
        f64 x state          the state after it
        f32 or f64           the reward (`reward` in the header; f32 where that is exact)
        u8                   1 if terminated, plus 2 if truncated
    f32 x observation        the last observation

A third of the episodes acts at random, a third by a controller that reaches the goal (or balances
until the time limit), and a third starts from states that no reset gives: at walls, at full speed,
far from equilibrium.
"""

import pathlib
import platform
import struct

import gymnasium
import numpy as np

STEPS = 10_000

# Beyond these the action is clipped by the environment, which is recorded too.
TORQUE, THROTTLE = 3.0, 1.5


def cart_pole(state, rng):
    """Leans into the fall; one action in twenty is random."""
    x, v, theta, omega = state
    return int(rng.integers(2)) if rng.random() < 0.05 else int(theta + 0.3 * omega + 0.03 * x + 0.05 * v > 0)


def mountain_car(state, rng):
    """Accelerates in the direction of motion."""
    return int(rng.integers(3)) if rng.random() < 0.1 else 2 * int(state[1] >= 0)


def mountain_car_continuous(state, rng):
    """Accelerates in the direction of motion, harder than is allowed at times."""
    return np.float32(rng.uniform(0.3, THROTTLE) * (1 if state[1] >= 0 else -1))


def pendulum(state, rng):
    """Adds energy below the horizontal, damps above it."""
    gain = 2.5 if np.cos(state[0]) < 0.5 else -2.0
    return np.float32(np.clip(gain * state[1] + rng.normal(), -TORQUE, TORQUE))


def acrobot(state, rng):
    """Pushes against the first link's motion."""
    return int(rng.integers(3)) if rng.random() < 0.1 else int(1 - np.sign(state[2]))


# name: file, controller, random action, scale of unusual starts, type of the state, of actions, of rewards
TASKS = {
    "CartPole-v1": ("cart_pole", cart_pole, lambda rng: int(rng.integers(2)), ([0, 0, 0, 0], [1.5, 1, 0.15, 1]), "f64", "u8", "f32"),
    "MountainCar-v0": ("mountain_car", mountain_car, lambda rng: int(rng.integers(3)), ([-0.3, 0], [0.9, 0.07]), "f64", "u8", "f32"),
    "MountainCarContinuous-v0": (
        "mountain_car_continuous", mountain_car_continuous, lambda rng: np.float32(rng.uniform(-THROTTLE, THROTTLE)),
        ([-0.3, 0], [0.9, 0.07]), "f32", "f32", "f64",
    ),
    "Pendulum-v1": (
        "pendulum", pendulum, lambda rng: np.float32(rng.uniform(-TORQUE, TORQUE)), ([0, 0], [20, 8]), "f64", "f32", "f64",
    ),
    "Acrobot-v1": ("acrobot", acrobot, lambda rng: int(rng.integers(3)), ([0, 0, 0, 0], [3, 3, 6, 12]), "f64", "u8", "f32"),
}


def record(name):
    file, controller, at_random, (centre, scale), state_type, action_type, reward_type = TASKS[name]
    environment = gymnasium.make(name, disable_env_checker=True)
    raw = environment.unwrapped
    rng = np.random.Generator(np.random.PCG64(20240901))
    action_format = {"u8": "<B", "f32": "<f"}[action_type]
    reward_format = {"f32": "<f", "f64": "<d"}[reward_type]
    body, steps, episodes = bytearray(), 0, 0

    while steps < STEPS:
        environment.reset(seed=episodes)
        if episodes % 3 == 2:
            raw.state = np.array([rng.uniform(c - s, c + s) for c, s in zip(centre, scale)])
        # MountainCarContinuous has a double only in an episode's first state; it is recorded from
        # single precision on.
        raw.state = np.array(raw.state, dtype={"f32": np.float32, "f64": np.float64}[state_type])
        start = np.array(raw.state, dtype="<f8").tobytes()
        trajectory, length, done = bytearray(), 0, False
        while not done:
            action = at_random(rng) if episodes % 3 != 1 else controller(raw.state, rng)
            given = np.array([action], dtype=np.float32) if action_type == "f32" else action
            observation, reward, terminated, truncated, _ = environment.step(given)
            assert reward_type == "f64" or np.float32(reward) == reward
            trajectory += struct.pack(action_format, action)
            trajectory += np.array(raw.state, dtype="<f8").tobytes()
            trajectory += struct.pack(reward_format, reward)
            trajectory += struct.pack("<B", terminated + 2 * truncated)
            length += 1
            done = terminated or truncated
        body += struct.pack("<I", length) + start + trajectory
        body += np.array(observation, dtype="<f4").tobytes()
        steps += length
        episodes += 1

    header = f"""environment = "{name}"
gymnasium = "{gymnasium.__version__}"
numpy = "{np.__version__}"
python = "{platform.python_version()}"
episodes = {episodes}
steps = {steps}
state = {len(centre)}
observation = {len(observation)}
action = "{action_type}"
reward = "{reward_type}"
---
"""
    path = pathlib.Path(__file__).parent / f"{file}.golden"
    path.write_bytes(header.encode() + body)
    print(f"{path.name}: {episodes} episodes, {steps} steps, {path.stat().st_size} bytes")


if __name__ == "__main__":
    for name in TASKS:
        record(name)
