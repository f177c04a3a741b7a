"""How often the 95 % intervals of `evaluate` hold the truth, of data that are made so that the truth is known.

    python -m benchmarks.interval_coverage 400

Scores of the ill are drawn one or two deviations above those of others; half of that deviation is the group's own, so
rows of a group are alike. The true AUC is that of scores without end. Three intervals of the same draws: the plain
2.5 and 97.5 percentiles over rows, as if each were an observation; the same over groups; and the one that is used.
"""

from __future__ import annotations

import argparse
from statistics import NormalDist

import numpy as np

from covid_datasets.baselines.evaluate.bootstrap import drawn, percentiles
from covid_datasets.baselines.evaluate.metrics import mean_auc, rankings

EACH = 4
"""Rows of each group."""
DRAWS = 300


def planted(groups: int, apart: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return group, class and score of each row."""
    random = np.random.default_rng(seed)
    ill = np.arange(groups) % 5 < 2
    group = np.repeat(np.arange(groups), EACH)
    noise = (random.normal(size=groups)[group] + random.normal(size=len(group))) / 2**0.5
    return group, ill[group].astype(int), noise + apart * ill[group]


def held(groups: np.ndarray, truth: np.ndarray, scores: np.ndarray, ends: tuple[float, float]) -> tuple[float, float]:
    ranked = rankings(truth, np.stack([-scores, scores], axis=1))
    found = np.asarray([mean_auc(ranked, weights) for weights in drawn(groups.tolist(), DRAWS, seed=0)])
    low, high = np.nanpercentile(found, ends)
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("repeats", type=int, nargs="?", default=400, help="data sets of each kind")
    repeats: int = parser.parse_args().repeats
    print(f"{repeats} data sets each, {EACH} rows a group, {DRAWS} draws; share of intervals that hold the truth")
    print(f"{'groups':>6}{'of the ill':>12}{'true AUC':>10}{'over rows':>11}{'over groups':>13}{'as used':>9}")
    for groups in (20, 40, 80):
        for apart in (0.0, 1.0, 2.0):
            auc = NormalDist().cdf(apart / 2**0.5)
            hits = np.zeros(3)
            for seed in range(repeats):
                group, truth, scores = planted(groups, apart, seed)
                plain = (2.5, 97.5)
                ill = groups * 2 // 5
                ways = ((np.arange(len(group)), plain), (group, plain), (group, percentiles(ill) or plain))
                for number, (who, ends) in enumerate(ways):
                    low, high = held(who, truth, scores, ends)
                    hits[number] += low <= auc <= high
            rows, over, used = hits / repeats
            print(f"{groups:>6}{groups * 2 // 5:>12}{auc:>10.3f}{rows:>11.1%}{over:>13.1%}{used:>9.1%}", flush=True)


if __name__ == "__main__":
    main()
