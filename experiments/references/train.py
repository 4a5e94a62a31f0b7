"""Trains Stable-Baselines3 itself, several seeds of it, as stable-baselines3.json.

    pip install gymnasium==1.4.0 stable-baselines3==2.9.2 sb3-contrib==2.9.2
    python train.py ppo MountainCar-v0 0 1 2 3 4 5 6 7 8 9

A benchmark table gives one run per entry. Where runs differ widely from seed to seed, one of them does
not say what an implementation reaches; this does. Hyperparameters and training steps are those of the
table's run, from returns.json. Each seed's entry is the mean return of the deterministic policy over
EPISODES episodes after training: the last policy, not the best. What is recorded already is not run again.
"""

import json
import pathlib
import sys
from importlib import metadata

import torch
from sb3_contrib import TRPO
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecNormalize

ALGORITHMS = {"ppo": PPO, "trpo": TRPO}
EPISODES = 100

torch.set_num_threads(1)
folder = pathlib.Path(__file__).parent
path = folder / "stable-baselines3.json"


def run(algorithm, environment, seed):
    published = json.loads((folder / "returns.json").read_text())["published"]["runs"]
    [entry] = [r for r in published if (r["algorithm"], r["environment"]) == (algorithm, environment)]
    settings = dict(entry["hyperparameters"])
    settings.pop("n_timesteps")
    policy, copies, normalise = settings.pop("policy"), settings.pop("n_envs", 1), settings.pop("normalize", False)
    train = make_vec_env(environment, copies, seed=seed)
    test = make_vec_env(environment, copies, seed=1_000_000 + seed)
    if "policy_kwargs" in settings:  # recorded as the table gives them: a call of dict
        settings["policy_kwargs"] = eval(settings["policy_kwargs"], {"dict": dict})
    if normalise:
        train = VecNormalize(train, gamma=settings.get("gamma", 0.99))
        test = VecNormalize(test, training=False, norm_reward=False)
    model = ALGORITHMS[algorithm](policy, train, seed=seed, device="cpu", **settings)
    model.learn(entry["training_steps"])
    if normalise:
        test.obs_rms = train.obs_rms
    mean, _ = evaluate_policy(model, test, n_eval_episodes=EPISODES, deterministic=True)
    return round(float(mean), 6)


algorithm, environment, *seeds = sys.argv[1:]
for seed in map(int, seeds):
    record = json.loads(path.read_text()) if path.exists() else {"runs": []}
    key = {"algorithm": algorithm, "environment": environment, "seed": seed}
    if any(key.items() <= run.items() for run in record["runs"]):
        continue
    mean = run(algorithm, environment, seed)
    record = json.loads(path.read_text()) if path.exists() else {"runs": []}
    record["made_with"] = {p: metadata.version(p) for p in ("gymnasium", "stable-baselines3", "sb3-contrib", "torch")}
    record["evaluation_episodes"] = EPISODES
    record["runs"].append(key | {"mean_return": mean})
    record["runs"].sort(key=lambda run: (run["algorithm"], run["environment"], run["seed"]))
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(key, mean, flush=True)
