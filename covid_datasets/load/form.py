"""The form in which rows are handed out: which columns, and what the numbers of the label column mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pyarrow as pa

from covid_datasets.columns import COLUMNS, GROUP
from covid_datasets.errors import UsageError, did_you_mean
from covid_datasets.prepare.result import Built

Labels = Literal["all", "present"]
"""The classes of the label column: all of the taxonomy, the same for every source, or those that occur."""
REST = "rest"


@dataclass(frozen=True, slots=True)
class Classes:
    """Classes of a label column, in order, and for each class of the taxonomy its number among them, if it has one."""

    names: tuple[str, ...]
    codes: tuple[int | None, ...]

    def encode(self, column: pa.ChunkedArray) -> pa.Array:
        """Turn stored labels into numbers of these classes; what is unknown stays null."""
        return pa.array([self.code(value) for value in column.to_pylist()], pa.int64())

    def code(self, stored: int | None) -> int | None:
        """Turn one stored label into a number of these classes."""
        return None if stored is None else self.codes[stored]


@dataclass(frozen=True, slots=True)
class Form:
    """The columns to hand out, in order, and other classes than those that are stored, where some were asked for."""

    columns: tuple[str, ...]
    classes: Classes | None = None

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the classes, by number."""
        return self.classes.names if self.classes else _taxonomy()


def _taxonomy() -> tuple[str, ...]:
    from covid_datasets.catalog.taxonomy import label_names  # here, so that images are loaded without the catalog

    return label_names()


def columns_of(table: Any, derived: Iterable[str] = ()) -> tuple[str, ...]:
    """List what a dataset holds when it is loaded: the columns of a table, or those of images and their group.

    ``derived`` are those that a function adds.
    """
    return tuple(table) or (*COLUMNS, *derived, GROUP)


def check_columns(columns: Sequence[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Return the columns to hand out.

    >>> check_columns(["image", "lable"], ("image", "label"))
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: columns: expected some of image, label, found 'lable'. Did you mean 'label'?
    """
    if columns is None:
        return tuple(known)
    if not isinstance(columns, Sequence) or isinstance(columns, str) or not columns:
        raise UsageError(f"columns: expected a list such as ['image', 'label'], found {columns!r}")
    for name in columns:
        if name not in known:
            raise UsageError(f"columns: expected some of {', '.join(known)}, found {name!r}{did_you_mean(name, known)}")
    if len(set(columns)) < len(columns):
        raise UsageError(f"columns: expected each once, found {', '.join(columns)}")
    return tuple(columns)


def check_task(labels: str, task: str | None) -> tuple[str, str] | None:
    """Return the positive and the negative class of a task.

    >>> check_task("all", "covid19_vs_rest"), check_task("all", "covid19_vs_no_finding")
    (('covid19', 'rest'), ('covid19', 'no_finding'))
    """
    if labels not in get_args(Labels):
        raise UsageError(f"labels: expected {' or '.join(map(repr, get_args(Labels)))}, found {labels!r}")
    if task is None:
        return None
    if labels != "all":
        raise UsageError(f"labels: expected none beside task={task!r}, which has two classes of its own")
    positive, _, negative = task.partition("_vs_") if isinstance(task, str) else ("", "", "")
    if not all(name.replace("_", "").isalnum() for name in (positive, negative)):
        raise UsageError(f"task: expected a form like 'covid19_vs_rest' or 'covid19_vs_no_finding', found {task!r}")
    for name in (positive,) if negative == REST else (positive, negative):
        if name not in _taxonomy():
            raise UsageError(f"task {task!r}: expected classes of {', '.join(_taxonomy())}, found {name!r}")
    if positive == negative:
        raise UsageError(f"task {task!r}: expected two different classes, found {positive} twice")
    return positive, negative


def classes_of(builds: Sequence[Built], labels: str, task: tuple[str, str] | None) -> Classes | None:
    """Choose the classes of the label column; of a task, the negative one is number 0."""
    if task is None and labels == "all":
        return None
    stored = _taxonomy()
    present = [name for name in stored if any(built.labels.get(name) for built in builds)]
    if task is not None:
        positive, negative = task
        for name in {positive, negative} - {REST, *present}:
            raise UsageError(
                f"task: expected classes that occur ({', '.join(present) or 'none does'}), found {name}. "
                "Next: a task of classes that occur, or all of them: labels='present', of a training task 'all'"
            )
        other = 0 if negative == REST else None
        codes = {positive: 1, negative: 0}
        return Classes((negative, positive), tuple(codes.get(name, other) for name in stored))
    numbers = {name: number for number, name in enumerate(present)}
    return Classes(tuple(present), tuple(numbers.get(name) for name in stored))
