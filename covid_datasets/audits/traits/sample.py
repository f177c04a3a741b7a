"""Which rows are asked about, with their labels and groups, and how they are divided to learn and to predict."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from covid_datasets.audits.traits.predict import Question, Trial
from covid_datasets.load.filters import Condition
from covid_datasets.load.form import check_task, classes_of
from covid_datasets.load.selection import narrow, select
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.splits.index import Index

FOLDS = 5


@dataclass(frozen=True, eq=False)
class Sample:
    """Labelled rows of some builds, sorted by id: whatever the order of the files, they come in this one.

    Attributes:
        builds: The builds.
        folder: Where splits of several builds are kept.
        rows: The numbers of the rows, counted through all builds.
        labels: The label of each row.
        groups: The group of each row, which no split tears apart, also across builds.
        notes: What was left out.
    """

    builds: tuple[Built, ...]
    folder: Path
    rows: np.ndarray
    labels: tuple[str, ...]
    groups: np.ndarray
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, sorted."""
        return tuple(sorted(set(self.labels)))

    def splits(self, scheme: str) -> np.ndarray:
        """Name the split of each row under a scheme; empty where it has none."""
        found = np.full(sum(built.rows for built in self.builds), "", dtype=object)
        for name, parts in select(self.builds, scheme, self.folder).splits.items():
            for start, rows in zip(_starts(self.builds), parts, strict=True):
                found[start + rows] = name
        of_rows: np.ndarray = found[self.rows]
        return of_rows

    def questions(self, scheme: str | None) -> Iterator[tuple[str, Question]]:
        """Yield the ways in which the rows are divided: one scheme, or five folds and the publisher's own split."""
        if scheme is not None:
            splits = self.splits(scheme)
            yield scheme, self._question([Trial(splits == "train", splits == "test")])
            return
        enough = len(set(self.groups.tolist())) >= FOLDS
        tests = [self.splits(f"fold-{fold}-of-{FOLDS}") == "test" for fold in range(1, FOLDS + 1)] if enough else []
        yield f"{FOLDS} folds", self._question([Trial(~test, test) for test in tests])
        if len(self.builds) == 1 and any(Index.read(self.builds[0].path).strings("official_split")):
            yield from self.questions("official")

    def _question(self, trials: Sequence[Trial]) -> Question:
        numbers = {name: number for number, name in enumerate(self.names)}
        classes = np.asarray([numbers[label] for label in self.labels], dtype=np.int64)
        groups = np.unique(self.groups.astype(str), return_inverse=True)[1]
        return Question(self.names, classes, groups.reshape(-1), tuple(trials))


def sample_of(
    builds: Sequence[Built],
    folder: Path,
    conditions: Sequence[Condition],
    label: str,
    task: str | None,
    limit: int,
) -> Sample:
    """Choose the rows that meet all conditions and have a label; of too many those with the smallest hashes of ids."""
    selection = narrow(select(builds, "patient", folder), conditions)
    parts = [
        start + rows for split in selection.splits.values() for start, rows in zip(_starts(builds), split, strict=True)
    ]
    chosen = np.concatenate([np.empty(0, np.int64), *parts]).astype(np.int64)
    labels, names = _labels(builds, label, task), Index.join([built.path for built in builds]).texts("sample_id")
    labelled = [row for row in chosen.tolist() if labels[row] is not None]
    kept = sorted(labelled, key=lambda row: hashlib.sha256(names[row].encode()).digest())[:limit]
    kept.sort(key=lambda row: names[row])
    groups = [
        group
        for built, of_build in zip(builds, selection.groups, strict=True)
        if of_build is not None
        for group in of_build.slice(0, built.rows).to_pylist()
    ]
    return Sample(
        builds=tuple(builds),
        folder=folder,
        rows=np.asarray(kept, dtype=np.int64),
        labels=tuple(str(labels[row]) for row in kept),
        groups=np.asarray([groups[row] for row in kept], dtype=object),
        notes=tuple(_left_out(len(chosen), len(labelled), len(kept))),
    )


def _starts(builds: Sequence[Built]) -> list[int]:
    """Say at which number the rows of each build begin."""
    starts: list[int] = np.cumsum([0, *(built.rows for built in builds)]).tolist()
    return starts[:-1]


def _labels(builds: Sequence[Built], label: str, task: str | None) -> list[object]:
    """Return the label of every row; ``None`` where it has none, or none of the task's."""
    column = pa.chunked_array([chunk for built in builds for chunk in open_table(built).column(label).chunks])
    if label != "label":
        return list(column.to_pylist())
    classes = classes_of(builds, "all" if task else "present", check_task("all", task))
    assert classes is not None, "a task, and classes that are present, have names"
    return [None if code is None else classes.names[code] for code in classes.encode(column).to_pylist()]


def _left_out(chosen: int, labelled: int, kept: int) -> Iterator[str]:
    if chosen > labelled:
        yield f"{chosen - labelled:,} of {chosen:,} rows have no label, and are left out."
    if labelled > kept:
        yield f"{kept:,} of {labelled:,} rows are looked at, chosen by a hash of their ids; limit= takes more."
