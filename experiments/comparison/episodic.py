"""The workloads of `benches/episodic.rs` in NumPy: one recursion of bounds, and steps with counts.

    python experiments/comparison/episodic.py

The recursion is vectorised over states, actions and successors, with a loop over steps. Steps are a
loop in Python, as a tabular learner without a compiled environment has it. Prints the median of many
rounds as JSON, with the version: nanoseconds per S²AH of a recursion, nanoseconds per step.
"""

import json
import math
import statistics
import time

import numpy as np


def problem(states, actions, horizon, branching=3, seed=0):
    rng = np.random.default_rng(seed)
    transitions = np.zeros((horizon, states, actions, states))
    for s in range(states):
        for a in range(actions):
            transitions[:, s, a, rng.choice(states, branching, replace=False)] = rng.dirichlet(np.ones(branching))
    return transitions, rng.random((states, actions))


def optimistic(successors, visits, rewards, scale=0.01, delta=0.1):
    """U, L and the greedy policy of BPI-UCBVI from counts that are all positive."""
    horizon, states, actions, _ = successors.shape
    union = math.log(3 * states * actions * horizon / delta)
    upper, lower = np.zeros(states), np.zeros(states)
    policy = np.zeros((horizon, states), dtype=int)
    everyone = np.arange(states)
    for step in reversed(range(horizon)):
        n = visits[step]
        p = successors[step] / n[..., None]
        mean, mean_lower = p @ upper, p @ lower
        variance = np.maximum(p @ (upper * upper) - mean * mean, 0.0)
        log = np.log(8 * math.e * (n + 1))
        bonus = 3 * scale * np.sqrt(variance * (union + log) / n)
        bonus += 14 * scale**2 * horizon**2 * (union + states * log) / n + (mean - mean_lower) / horizon
        high = np.minimum(horizon - step, rewards + mean + bonus)
        low = np.maximum(0.0, rewards + mean_lower - bonus)
        policy[step] = high.argmax(axis=1)
        upper, lower = high[everyone, policy[step]], low[everyone, policy[step]]
    return policy, upper, lower


def episodes(cumulative, policy, rounds, rng, visits, successors):
    """Plays and counts `rounds` episodes. Takes running sums of the transitions' rows."""
    horizon, states, _, _ = cumulative.shape
    for _ in range(rounds):
        state = rng.integers(states)
        for step in range(horizon):
            action = policy[step, state]
            following = min(int(np.searchsorted(cumulative[step, state, action], rng.random())), states - 1)
            visits[step, state, action] += 1
            successors[step, state, action, following] += 1
            state = following


def median_seconds(call, rounds):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    result = {"numpy": np.__version__, "recursion_ns_per_entry": {}, "ns_per_step": {}}
    for states, actions, horizon in [(10, 4, 10), (20, 4, 10), (40, 4, 10), (80, 4, 10), (20, 8, 10), (20, 4, 20)]:
        transitions, rewards = problem(states, actions, horizon)
        visits = np.full(transitions.shape[:3], 1e3)
        successors = transitions * 1e3
        seconds = median_seconds(lambda: optimistic(successors, visits, rewards), 101)
        entries = states * states * actions * horizon
        result["recursion_ns_per_entry"][f"S={states} A={actions} H={horizon}"] = 1e9 * seconds / entries
    for states, actions, horizon in [(3, 3, 3), (20, 4, 10), (100, 4, 10)]:
        transitions, _ = problem(states, actions, horizon)
        policy = np.zeros((horizon, states), dtype=int)
        rng = np.random.default_rng(0)
        visits, successors = np.zeros(transitions.shape[:3]), np.zeros(transitions.shape)
        arguments = (transitions.cumsum(axis=-1), policy, 100, rng, visits, successors)
        seconds = median_seconds(lambda: episodes(*arguments), 11)
        result["ns_per_step"][f"S={states} A={actions} H={horizon}"] = 1e9 * seconds / (100 * horizon)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
