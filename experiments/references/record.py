"""Records what a good implementation reaches on the classic-control tasks, as returns.json.

    git clone https://github.com/DLR-RM/rl-baselines3-zoo
    pip install gymnasium==1.4.0 pyyaml
    python record.py rl-baselines3-zoo

Two sources, nothing typed in by hand:

- the benchmark table of RL Baselines3 Zoo (Raffin 2020, `benchmark.md`): the deterministic policy's
  mean return over 150,000 evaluation steps, after training Stable-Baselines3 with the zoo's
  hyperparameters, which are recorded beside it. By the zoo's own note it is one run per entry, so it
  says what can be reached, not what to expect on average;
- a uniformly random policy's mean return over 1,000 episodes, played here in Gymnasium: the lower end
  of a scale on which tasks can be compared.
"""

import json
import pathlib
import re
import subprocess
import sys
from importlib import metadata

import gymnasium
import numpy as np
import yaml

ALGORITHMS = ["ppo", "sac", "td3", "trpo"]
ENVIRONMENTS = ["CartPole-v1", "Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1"]
EPISODES = 1_000
# Tasks whose episodes some claims cut off earlier, in steps.
LIMITED = [("CartPole-v1", 200)]


def published(zoo):
    """The table's rows, each with the hyperparameters that made it."""
    row = re.compile(r"\|(\S+) *\|(\S+) *\| *(\S+)\| *(\S+)\|(\S+) *\| *(\d+)\| *(\d+)\|")
    for match in row.finditer((zoo / "benchmark.md").read_text()):
        algorithm, environment, mean, deviation, steps, eval_steps, episodes = match.groups()
        if algorithm in ALGORITHMS and environment in ENVIRONMENTS:
            settings = yaml.safe_load((zoo / "hyperparams" / f"{algorithm}.yml").read_text())
            yield {
                "algorithm": algorithm,
                "environment": environment,
                "mean_return": float(mean),
                "deviation_over_episodes": float(deviation),
                "training_steps": int(float(steps.replace("k", "e3").replace("M", "e6"))),
                "evaluation_steps": int(eval_steps),
                "evaluation_episodes": int(episodes),
                "hyperparameters": settings[environment],
            }


def random_policy(name, time_limit=None):
    environment = gymnasium.make(name, max_episode_steps=time_limit)
    environment.action_space.seed(0)
    returns = []
    for episode in range(EPISODES):
        environment.reset(seed=0 if episode == 0 else None)
        total, done = 0.0, False
        while not done:
            _, reward, terminated, truncated, _ = environment.step(environment.action_space.sample())
            total, done = total + float(reward), terminated or truncated
        returns.append(total)
    error = np.std(returns, ddof=1) / np.sqrt(EPISODES)
    return {
        "environment": name,
        **({} if time_limit is None else {"time_limit": time_limit}),
        "mean_return": round(float(np.mean(returns)), 3),
        "standard_error": round(float(error), 3),
        "episodes": EPISODES,
    }


zoo = pathlib.Path(sys.argv[1])
commit = subprocess.check_output(["git", "-C", zoo, "rev-parse", "HEAD"], text=True).strip()
record = {
    "published": {
        "source": "https://github.com/DLR-RM/rl-baselines3-zoo, benchmark.md and hyperparams/",
        "commit": commit,
        "runs": list(published(zoo)),
    },
    "random_policy": {
        "made_with": {p: metadata.version(p) for p in ("gymnasium", "numpy")},
        "runs": [random_policy(*task) for task in [(name,) for name in ENVIRONMENTS] + LIMITED],
    },
}
path = pathlib.Path(__file__).with_name("returns.json")
path.write_text(json.dumps(record, indent=1) + "\n")
