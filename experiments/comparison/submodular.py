"""The workloads of `benches/submodular.rs` in NumPy: gains along walks, and an iteration of SubPO.

    python experiments/comparison/submodular.py

`definition` evaluates every prefix of one path from nothing, as the authors' code does (unions of cells,
log det of a submatrix). `increments` keeps a mask of covered cells, or a Cholesky factor, for a batch of
200 paths at once, which is what NumPy is good at. The iteration is SubPO with a tabular policy on the
30 x 30 grid: 200 trajectories of 39 steps as one batch, weights with a baseline left one out, and one step
of Adam. Prints medians as JSON, with the version: nanoseconds per place, microseconds per iteration.
"""

import json
import statistics
import time

import numpy as np

ROWS = COLUMNS = 30
CELLS, HORIZON, ACTIONS, START, PATHS = ROWS * COLUMNS, 39, 5, 34, 200


def moves():
    """Stay, right, down, left, up; a move over the edge stays."""
    rows, columns = np.divmod(np.arange(CELLS), COLUMNS)
    steps = [(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)]
    following = [
        np.clip(rows + down, 0, ROWS - 1) * COLUMNS + np.clip(columns + right, 0, COLUMNS - 1)
        for down, right in steps
    ]
    return np.stack(following, axis=1)


def discs(following):
    """The cell and its neighbours; at an edge the cell stands in for what is beyond."""
    return following


def matern(points):
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    r = np.sqrt(5) * distance
    return (1 + r + r * r / 3) * np.exp(-r)


def walks(following, paths, rng):
    places = np.empty((paths, HORIZON + 1), dtype=int)
    places[:, 0] = START
    for h in range(HORIZON):
        places[:, h + 1] = following[places[:, h], rng.integers(ACTIONS, size=paths)]
    return places


def coverage_by_definition(path, regions):
    return sum(len(set(regions[path[:end]].ravel().tolist())) for end in range(1, len(path) + 1))


def information_by_definition(path, covariance, noise):
    total = 0.0
    for end in range(1, len(path) + 1):
        places = np.unique(path[:end])
        matrix = np.eye(len(places)) + covariance[np.ix_(places, places)] / noise
        total += 0.5 * np.linalg.slogdet(matrix)[1]
    return total


def coverage_increments(paths, regions):
    """Gains of every place of every path."""
    covered = np.zeros((len(paths), CELLS), dtype=bool)
    everyone = np.arange(len(paths))[:, None]
    gains = np.empty(paths.shape)
    for h in range(paths.shape[1]):
        cells = regions[paths[:, h]]
        before = covered.sum(axis=1) if h == 0 else after
        covered[everyone, cells] = True
        after = covered.sum(axis=1)
        gains[:, h] = after - before
    return gains


def information_increments(paths, covariance, noise):
    """Gains of every place of every path, by whitened columns of all places visited."""
    count, length = paths.shape
    factor = np.zeros((count, length, length))
    gains = np.empty(paths.shape)
    for h in range(length):
        row = np.empty((count, h))
        for j in range(h):
            known = np.einsum("pk,pk->p", row[:, :j], factor[:, j, :j])
            row[:, j] = (covariance[paths[:, h], paths[:, j]] - known) / factor[:, j, j]
        variance = np.maximum(covariance[paths[:, h], paths[:, h]] - (row * row).sum(axis=1), 0.0)
        revisited = (paths[:, :h] == paths[:, h : h + 1]).any(axis=1)
        gains[:, h] = np.where(revisited, 0.0, 0.5 * np.log1p(variance / noise))
        # A revisited place must not count again: its row is one of a place far away.
        factor[:, h, :h] = np.where(revisited[:, None], 0.0, row)
        factor[:, h, h] = np.where(revisited, 1e150, np.sqrt(variance + noise))
    return gains


class Learner:
    """SubPO with a tabular policy; places x steps x actions logits."""

    def __init__(self, following, regions, seed=0):
        self.following, self.regions = following, regions
        self.logits = np.zeros((HORIZON, CELLS, ACTIONS))
        self.first, self.second = np.zeros_like(self.logits), np.zeros_like(self.logits)
        self.updates = 0
        self.rng = np.random.default_rng(seed)

    def iterate(self, learning_rate=0.1):
        everyone = np.arange(PATHS)
        place = np.full(PATHS, START)
        covered = np.zeros((PATHS, CELLS), dtype=bool)
        covered[everyone[:, None], self.regions[place]] = True
        value = covered.sum(axis=1)
        places, actions = np.empty((HORIZON, PATHS), dtype=int), np.empty((HORIZON, PATHS), dtype=int)
        gains, policy = np.empty((HORIZON, PATHS)), np.empty((HORIZON, PATHS, ACTIONS))
        for h in range(HORIZON):
            logits = self.logits[h, place]
            p = np.exp(logits - logits.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            action = (p.cumsum(axis=1) < self.rng.random((PATHS, 1))).sum(axis=1).clip(max=ACTIONS - 1)
            places[h], actions[h], policy[h] = place, action, p
            place = self.following[place, action]
            covered[everyone[:, None], self.regions[place]] = True
            after = covered.sum(axis=1)
            gains[h], value = after - value, after
        weights = gains[::-1].cumsum(axis=0)[::-1]
        weights = (weights - weights.mean(axis=1, keepdims=True)) * PATHS / (PATHS - 1)
        terms = -policy * weights[..., None]
        steps = np.arange(HORIZON)[:, None]
        terms[steps, everyone, actions] += weights
        gradient = np.zeros_like(self.logits)
        np.add.at(gradient, (steps, places), terms / PATHS)
        self.updates += 1
        self.first += 0.1 * (gradient - self.first)
        self.second += 0.001 * (gradient * gradient - self.second)
        first = self.first / (1 - 0.9**self.updates)
        second = self.second / (1 - 0.999**self.updates)
        self.logits += learning_rate * first / (np.sqrt(second) + 1e-8)
        return value.mean()


def median_seconds(call, rounds):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    following = moves()
    regions = discs(following)
    rng = np.random.default_rng(0)
    paths = walks(following, PATHS, rng)
    at = 1 + 0.1 * np.stack(np.divmod(np.arange(CELLS), COLUMNS), axis=1)
    covariance, noise = matern(at), 1e-3
    definition = information_by_definition(paths[0], covariance, noise)
    increments = information_increments(paths[:1], covariance, noise)[0].cumsum().sum()
    assert abs(definition - increments) < 1e-6 * definition, (definition, increments)
    definition = coverage_by_definition(paths[0], regions)
    assert definition == coverage_increments(paths[:1], regions)[0].cumsum().sum()
    per_place = {
        "coverage, definition": median_seconds(lambda: coverage_by_definition(paths[0], regions), 51) / paths.shape[1],
        "coverage, increments": median_seconds(lambda: coverage_increments(paths, regions), 51) / paths.size,
        "information, definition": median_seconds(lambda: information_by_definition(paths[0], covariance, noise), 21)
        / paths.shape[1],
        "information, increments": median_seconds(lambda: information_increments(paths, covariance, noise), 5)
        / paths.size,
    }
    learner = Learner(following, regions)
    result = {
        "numpy": np.__version__,
        "ns_per_place": {name: 1e9 * seconds for name, seconds in per_place.items()},
        "us_per_iteration": 1e6 * median_seconds(learner.iterate, 31),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
