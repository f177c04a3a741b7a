"""How well traits predict the label of people that a model has not seen: a forest of trees, and nothing to tune."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from covid_datasets.audits.traits.auc import SEED, Estimate, Pairs, draws_of, estimate
from covid_datasets.audits.traits.told import Trait

TREES = 25
SAMPLE = 2000
"""Rows that a tree learns from at the most."""
LEAF = 5
"""Rows that end a branch at the least, so that no leaf is one row."""
WORDS = 40
"""Words of a trait that are told apart, the commonest among the rows that are learned from."""
LEAST_GROUPS = 10
"""Groups that must hold a class, and groups that must hold another one, before a number is given."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is learned from, and what is predicted: some rows each, as masks over all rows."""

    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True, eq=False)
class Question:
    """Rows, their classes and groups, and in which trials they are learned from and predicted.

    ``classes`` and ``groups`` are numbers of each row; ``names`` are the classes. No two trials predict the same row.
    """

    names: tuple[str, ...]
    classes: np.ndarray
    groups: np.ndarray
    trials: tuple[Trial, ...]

    @cached_property
    def asked(self) -> np.ndarray:
        """The rows that are predicted."""
        tests = [trial.test for trial in self.trials]
        return np.flatnonzero(np.any(tests, axis=0)) if tests else np.empty(0, np.int64)

    @cached_property
    def answerable(self) -> list[int]:
        """The classes of which something can be said: enough groups have them, and have not, to learn and to predict.

        Of two classes it is the first one: how well the other one is told is the same number.
        """
        if not self.trials:
            return []
        learned = np.flatnonzero(np.any([trial.train for trial in self.trials], axis=0))
        found = [
            number
            for number in range(len(self.names))
            if all(self._groups(rows, number) >= LEAST_GROUPS for rows in (learned, self.asked))
        ]
        return found[:1] if len(self.names) == 2 else found

    def _groups(self, rows: np.ndarray, number: int) -> int:
        """Count the groups that have a class, or those that have another one, whichever are fewer."""
        has = self.classes[rows] == number
        return min(len(np.unique(self.groups[rows][which])) for which in (has, ~has))

    @cached_property
    def draws(self) -> tuple[np.ndarray, np.ndarray]:
        """The group of each predicted row, numbered anew, and the draws of these groups."""
        groups = np.unique(self.groups[self.asked], return_inverse=True)[1].reshape(-1)
        return groups, draws_of(groups)

    @property
    def torn(self) -> int:
        """Count the groups that are learned from and predicted in one trial."""
        sides = ((self.groups[trial.train].tolist(), self.groups[trial.test].tolist()) for trial in self.trials)
        return len({group for train, test in sides for group in set(train) & set(test)})


@dataclass(frozen=True, slots=True)
class Answer:
    """How well something predicts each class against the rest, and all of them on average."""

    average: Estimate
    classes: dict[str, float]


def predict(question: Question, traits: Sequence[Trait]) -> Answer | None:
    """Learn the classes from some traits in each trial, and compare what is predicted with what is so.

    ``None`` where no trial predicts two classes.
    """
    rows = len(question.classes)
    scores, fold = np.zeros((rows, len(question.names))), np.full(rows, -1)
    for number, trial in enumerate(question.trials):
        if not trial.test.any():
            continue
        scores[trial.test] = forest_scores(traits, question.classes, len(question.names), trial)
        fold[trial.test] = number
    asked = question.asked
    ours = {each: question.classes[asked] == each for each in question.answerable}
    pairs = {each: Pairs.of(scores[asked, each], has, fold[asked]) for each, has in ours.items()}
    average = estimate(list(pairs.values()), *question.draws)
    if average is None:
        return None
    ones = np.ones(len(asked))
    return Answer(average, {question.names[each]: of.auc(ones) for each, of in pairs.items()})


def forest_scores(traits: Sequence[Trait], classes: np.ndarray, count: int, trial: Trial) -> np.ndarray:
    """Learn the classes of the rows of a trial, and score each of ``count`` classes for those that it predicts."""
    from sklearn.ensemble import RandomForestClassifier

    columns = np.stack(list(_encoded(traits, trial.train)), axis=1)
    most = min(SAMPLE, int(trial.train.sum()))
    model = RandomForestClassifier(TREES, min_samples_leaf=LEAF, max_samples=most, n_jobs=1, random_state=SEED)
    model.fit(columns[trial.train], classes[trial.train])
    found = np.zeros((int(trial.test.sum()), count))
    found[:, model.classes_] = model.predict_proba(columns[trial.test])
    return np.round(found, 9)  # the same votes, summed in another order, are a tie


def _encoded(traits: Sequence[Trait], train: np.ndarray) -> Iterator[np.ndarray]:
    """Turn traits into columns of numbers, by what is known of the rows that are learned from.

    A word is a column of its own. What is unknown is a value like any other: whether a source tells something may be
    what gives its label away.
    """
    for trait in traits:
        for feature in trait.features:
            if feature.dtype != object:
                known = feature[train & ~np.isnan(feature)]
                yield np.where(np.isnan(feature), known.min() - 1 if len(known) else 0.0, feature)
                continue
            counts = Counter(feature[train].tolist())
            words = sorted(counts, key=lambda word: (-counts[word], word is None, word or ""))
            for word in words[:WORDS]:
                yield np.asarray([each == word for each in feature.tolist()], dtype=float)
