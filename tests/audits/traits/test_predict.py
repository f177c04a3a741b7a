"""What is planted is found, what is not is not, and nobody is learned by heart."""

from __future__ import annotations

import numpy as np
import pytest

from covid_datasets.audits.traits.predict import LEAST_GROUPS, Question, Trial, predict
from covid_datasets.audits.traits.told import Trait

pytest.importorskip("sklearn")
GROUPS, EACH = 100, 4


def question(classes: np.ndarray, groups: np.ndarray, names: tuple[str, ...] = ("a", "b")) -> Question:
    """Ask in five folds of whole groups."""
    folds = (groups * 7919) % 5
    return Question(names, classes, groups, tuple(Trial(folds != fold, folds == fold) for fold in range(5)))


def people(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Return the groups of all rows, and their class, which is one for all of a group."""
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(GROUPS), EACH)
    return groups, (random.random(GROUPS) < 0.4).astype(int)[groups], random


def words(values: np.ndarray) -> Trait:
    return Trait("word", "file", (np.asarray([f"w{each}" for each in values.tolist()], dtype=object),))


def numbers(*values: np.ndarray) -> Trait:
    return Trait("number", "file", tuple(np.asarray(each, dtype=float) for each in values))


def test_a_trait_that_is_the_class_tells_all_of_it() -> None:
    groups, classes, _ = people()
    for trait in (words(classes), numbers(classes)):
        answer = predict(question(classes, groups), [trait])
        assert answer is not None
        assert (answer.average.auc, answer.average.low, answer.average.high) == (1.0, 1.0, 1.0)


def test_a_trait_that_says_nothing_is_no_better_than_guessing() -> None:
    found = []
    for seed in range(4):
        groups, classes, random = people(seed)
        for trait in (words(random.integers(0, 3, GROUPS)[groups]), numbers(random.random(len(classes)))):
            answer = predict(question(classes, groups), [trait])
            assert answer is not None
            found.append(answer.average)
    assert abs(np.mean([each.auc for each in found]) - 0.5) < 0.05
    assert sum(each.low <= 0.5 <= each.high for each in found) >= len(found) - 2


def test_people_are_not_learned_by_heart() -> None:
    """Each person has an id and a class: whoever learned the ids would know the classes, of these people alone."""
    groups = np.repeat(np.arange(40), 12)
    classes = np.random.default_rng(4).integers(0, 2, 40)[groups]
    apart = predict(question(classes, groups), [words(groups)])
    torn = predict(question(classes, np.arange(len(groups))), [words(groups)])
    assert apart is not None
    assert torn is not None
    assert apart.average.auc == 0.5
    assert torn.average.auc > 0.9


def test_two_traits_that_only_together_say_the_class() -> None:
    groups, classes, random = people()
    one = random.integers(0, 2, GROUPS)[groups]
    other = one ^ classes
    together = predict(question(classes, groups), [words(one), words(other)])
    assert together is not None
    assert together.average.auc > 0.95


def test_what_is_unknown_is_a_value_too() -> None:
    groups, classes, random = people()
    told = np.where(classes == 1, random.random(len(classes)), np.nan)
    trait = Trait("word", "record", (np.asarray([None if each else "x" for each in classes.tolist()], dtype=object),))
    for each in (numbers(told), trait):
        answer = predict(question(classes, groups), [each])
        assert answer is not None
        assert answer.average.auc == 1.0


def test_a_value_that_was_never_learned_is_no_error() -> None:
    groups, classes, _ = people()
    values = np.asarray([f"v{group}" if group % 2 else None for group in groups.tolist()], dtype=object)
    assert predict(question(classes, groups), [Trait("word", "record", (values,))]) is not None


def test_the_order_of_rows_changes_no_digit() -> None:
    """Rows come sorted by id; a forest draws rows by their places, so this is what makes it the same."""
    groups, classes, random = people()
    trait = numbers(random.random(len(classes)) + classes / 3)
    first = predict(question(classes, groups), [trait])
    assert first == predict(question(classes, groups), [trait])


def test_several_classes_are_told_one_by_one_and_on_average() -> None:
    groups, _, random = people()
    classes = random.integers(0, 3, GROUPS)[groups]
    answer = predict(question(classes, groups, ("a", "b", "c")), [words(np.minimum(classes, 1))])
    assert answer is not None
    assert answer.classes["a"] == 1.0
    assert 0.6 < answer.classes["b"] < 0.9
    assert answer.average.auc == pytest.approx(np.mean(list(answer.classes.values())))


def test_a_class_of_few_groups_has_no_number() -> None:
    groups, _, random = people()
    classes = (random.integers(0, 2, GROUPS) + 1)[groups]
    classes[groups < LEAST_GROUPS - 1] = 0
    asked = question(classes, groups, ("rare", "b", "c"))
    assert asked.answerable == [1, 2]
    classes[groups < LEAST_GROUPS] = 0
    assert question(classes, groups, ("rare", "b", "c")).answerable == [0, 1, 2]
    assert question(np.zeros(len(groups), int), groups, ("a",)).answerable == []
    assert Question(("a", "b"), classes, groups, ()).answerable == []


def test_groups_on_both_sides_are_counted() -> None:
    groups, classes, _ = people()
    rows = np.arange(len(groups))
    asked = Question(("a", "b"), classes, groups, (Trial(rows < 102, rows >= 102),))
    assert asked.torn == 1
    assert question(classes, groups).torn == 0
