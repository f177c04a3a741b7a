"""How often the interval of `confounding` holds the truth, of data that are made so that the truth is known.

    python -m benchmarks.confounding_coverage 30

Cross-validation learns from the same people whom it predicts in another fold, so draws of those who are predicted make
an interval too narrow. This counts how often, for percentiles of 95 % and of those that are used.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from covid_datasets.audits.traits import auc
from covid_datasets.audits.traits.predict import Question, Trial, predict
from covid_datasets.audits.traits.told import Trait

EACH = 4
"""Rows of each group."""


def words(values: np.ndarray) -> Trait:
    return Trait("word", "file", (np.asarray([f"w{each}" for each in values.tolist()], dtype=object),))


def numbers(values: np.ndarray) -> Trait:
    return Trait("number", "file", (values.astype(float),))


def cases(groups: int, seed: int) -> Iterator[tuple[str, float, np.ndarray, np.ndarray, Trait]]:
    """Yield what is planted, the true AUC of the best that can be learned, groups, classes and the trait."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), EACH)
    classes = (random.random(groups) < 0.4).astype(int)[group]
    yield "nothing, a word of each row", 0.5, group, classes, words(random.integers(0, 3, len(group)))
    yield "nothing, a word of each group", 0.5, group, classes, words(random.integers(0, 3, groups)[group])
    yield "nothing, a number of each group", 0.5, group, classes, numbers(random.random(groups)[group])
    right = random.random(groups) < 0.7
    said = np.where(right, classes[::EACH], 1 - classes[::EACH])
    yield "a word of each group, right of 70 %", 0.7, group, classes, words(said[group])
    shifted = random.normal(size=groups) + classes[::EACH] * 1.0
    yield "a number of each group, one deviation apart", 0.760, group, classes, numbers(shifted[group])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("repeats", type=int, nargs="?", default=30, help="data sets of each kind")
    parser.add_argument("groups", type=int, nargs="?", default=100)
    options = parser.parse_args()
    repeats, groups = options.repeats, options.groups
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for interval in ((2.5, 97.5), auc.INTERVAL):
        auc.INTERVAL = interval
        for seed in range(repeats):
            for name, truth, group, classes, trait in cases(groups, seed):
                folds = np.random.default_rng(seed).permutation(groups)[group] % 5
                trials = tuple(Trial(folds != fold, folds == fold) for fold in range(5))
                answer = predict(Question(("a", "b"), classes, group, trials), [trait])
                assert answer is not None
                one = answer.average
                found.setdefault(f"{interval}: {name}", []).append((one.auc, one.low, one.high, truth))
    print(f"{repeats} data sets of {groups} groups with {EACH} rows each")
    print(f"{'percentiles: what is planted':<62}{'truth':>7}{'mean':>7}{'holds it':>10}{'above':>7}{'below':>7}")
    for name, rows in found.items():
        means, low, high, truth = np.asarray(rows).T
        above, below = (low > truth).mean(), (high < truth).mean()
        print(f"{name:<62}{truth[0]:>7.3f}{means.mean():>7.3f}{1 - above - below:>10.1%}{above:>7.1%}{below:>7.1%}")


if __name__ == "__main__":
    main()
