"""Which rows predictions have to be of, and whether they are: a build and a scheme decide, not who predicted."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow.compute as pc

from covid_datasets.baselines.evaluate.predictions import Predictions, some
from covid_datasets.baselines.target import Target, truth_of
from covid_datasets.catalog.cards import Name
from covid_datasets.errors import PredictionsError, UsageError, not_one_of
from covid_datasets.load.dataset import load_dataset
from covid_datasets.load.splits import about_splits, load_splits

REST = "rest"
"""The class of all that the other class is not, as in the task "covid19_vs_rest"."""
USUAL_POSITIVE = "covid19"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is scored: a dataset, or several jointly, and which split of it under which scheme.

    ``fingerprint``, ``split_hash`` and ``notes`` are what the build says; ``rows`` is the table of `load_splits`, with
    ``kept``: whether a row meets the filters. Of a ``target`` the label of a row is what is known of that: a level, or
    the name of the column of predictions, and ``truth`` is its number.
    """

    names: tuple[Name, ...]
    config: str | None
    scheme: str
    split: str
    fingerprint: str
    split_hash: str
    notes: tuple[str, ...]
    rows: Sequence[Mapping[str, Any]]
    target: Target | None = None


@dataclass(frozen=True, eq=False)
class Matched:
    """Predictions of exactly the rows that are asked, with what is true of them.

    ``classes`` has the positive class last, where there are two, or the levels of a target in order. All others have an
    entry for each row. Of a target that is no level ``truth`` is a number, and ``probabilities`` one column.
    """

    classes: tuple[str, ...]
    samples: tuple[str, ...]
    truth: np.ndarray
    probabilities: np.ndarray
    groups: tuple[str, ...]
    patients: tuple[str, ...]
    notes: tuple[str, ...]
    target: Target | None = None

    @property
    def of_classes(self) -> bool:
        """Tell whether classes or levels are predicted, and no numbers."""
        return len(self.classes) > 1

    @property
    def sources(self) -> tuple[str, ...]:
        """The dataset of each row."""
        return tuple(each.partition("/")[0] for each in self.samples)

    @property
    def rarest(self) -> int:
        """Count the groups that hold the class that the fewest hold: on so many the numbers rest."""
        return rarest([self])

    def by_patient(self) -> Matched:
        """Average the predictions of the images that show one patient with one label, each image alike."""
        units = sorted({*zip(self.patients, self.truth.tolist(), strict=True)})
        numbers = {unit: number for number, unit in enumerate(units)}
        of = np.asarray(
            [numbers[unit] for unit in zip(self.patients, self.truth.tolist(), strict=True)], dtype=np.int64
        )
        sums = np.zeros((len(units), len(self.classes)))
        np.add.at(sums, of, self.probabilities)
        first = np.unique(of, return_index=True)[1].tolist()
        return replace(
            self,
            samples=tuple(self.samples[row] for row in first),
            truth=self.truth[first],
            probabilities=sums / np.bincount(of, minlength=len(units))[:, None],
            groups=tuple(self.groups[row] for row in first),
            patients=tuple(self.patients[row] for row in first),
        )


def rarest(sets: Sequence[Matched]) -> int:
    """Count the groups that hold, in any of several tables, the class that the fewest hold.

    Of days until death it is those of which somebody died, of numbers all groups.

    >>> rarest([])
    0
    """
    holding: dict[str, set[str]] = {}
    for one in sets:
        survival = one.target is not None and one.target.kind == "survival"
        for number, group in zip(one.truth.tolist(), one.groups, strict=True):
            if one.of_classes or number > 0 or not survival:
                holding.setdefault(one.classes[int(number)] if one.of_classes else "", set()).add(group)
    return min((len(groups) for groups in holding.values()), default=0)


def asked(
    names: Sequence[Name],
    config: str | None,
    scheme: str,
    split: str,
    cache_dir: str | os.PathLike[str] | None,
    *,
    pictures: bool = False,
    target: Target | None = None,
    **filters: Any,
) -> Asked:
    """Find the rows of a split of finished builds, of which filters keep some, as in `load_dataset`.

    ``pictures`` keeps only rows that have an image; volumes and videos are then not asked. With a ``target`` that is
    what is true of them.
    """
    if split == "train":
        raise UsageError("split: expected validation or test, found 'train': what was learned from measures nothing")
    table = load_splits(names[0] if len(names) == 1 else names, scheme, config=config, cache_dir=cache_dir)
    about, rows = about_splits(table), table.to_pylist()
    kept: set[str] | None = None
    truth: dict[str, float] = {}
    if filters or pictures or target:
        kept, truth = _kept(names, config, cache_dir, pictures, target, filters)
    for row in rows:
        row["kept"] = kept is None or row["sample_id"] in kept
        if target:
            row["truth"] = known = truth.get(row["sample_id"])
            level = target.said(known) if known is not None and target.levels else target.classes[0]
            row["label"] = None if known is None else level
    if not any(row["split"] == split for row in rows):
        there = sorted({row["split"] for row in rows} - {None, "train"})
        raise UsageError(f"split of {scheme}: {not_one_of(split, there)}")
    told = [f"Only rows with {name} {value!r} are asked." for name, value in filters.items()]
    if kept is not None and pictures and (others := sum(row["split"] == split and not row["kept"] for row in rows)):
        told.append(f"{others:,} rows of {split} have no image, or are left out by filters, and are not asked.")
    return Asked(
        names=tuple(names),
        config=config,
        scheme=about["scheme"],
        split=split,
        fingerprint=", ".join(each["fingerprint"] for each in about["builds"]),
        split_hash=about["digest"],
        notes=(*about["notes"], *told),
        rows=rows,
        target=target,
    )


def _kept(
    names: Sequence[Name],
    config: str | None,
    cache_dir: str | os.PathLike[str] | None,
    pictures: bool,
    target: Target | None,
    filters: Mapping[str, Any],
) -> tuple[set[str], dict[str, float]]:
    """Name the samples that meet filters, and have an image where only such are asked; and what is true of a target."""
    of = names[0] if len(names) == 1 else list(names)
    columns = ["sample_id", *(["image"] if pictures else [])]
    columns = list(dict.fromkeys([*columns, *(target.columns if target else [])]))
    found = load_dataset(of, config, framework="numpy", columns=columns, cache_dir=cache_dir, **filters)
    kept: set[str] = set()
    for rows in found.values():
        samples = rows.column("sample_id")
        kept.update((samples.filter(pc.is_valid(rows.column("image"))) if pictures else samples).to_pylist())
    return kept, truth_of(target, found.values()) if target else {}


def match(predictions: Predictions, wanted: Asked) -> Matched:
    """Check that predictions are of a build, of its split, and of all the rows that are asked, once each.

    Raises:
        PredictionsError: They are of another build or split, of rows of train, of no row at all, or not of all rows.
    """
    file = predictions.file
    _check_run(predictions, wanted)
    rows = {row["sample_id"]: row for row in wanted.rows}
    _refuse(file, "rows of the build", [each for each in predictions.samples if each not in rows], "rows that it lacks")
    told = list(zip(predictions.samples, predictions.splits, predictions.labels, strict=True))
    _refuse(
        file,
        f"the splits of {wanted.scheme}",
        [f"{sample} in {split}" for sample, split, _ in told if split and split != (rows[sample]["split"] or "")],
        "rows that it says are elsewhere",
    )
    train = [each for each in predictions.samples if rows[each]["split"] == "train"]
    _refuse(file, f"rows of {wanted.split}", train, "rows of train, from which was learned")
    classes = ordered(file, predictions.classes)
    if wanted.target:
        classes = wanted.target.classes
        if set(predictions.classes) != set(classes):
            raise PredictionsError(
                f"{file}: expected predictions of {', '.join(classes)}, found {', '.join(predictions.classes)}"
            )
    elif len(classes) < 2:
        raise PredictionsError(
            f"{file}: expected to know what the column {classes[0]!r} is of; no run says it. Next: recipe=, or "
            "--recipe, with the name of a recipe whose target it is, such as 'severity-opacity'"
        )
    truth = {sample: class_of(row["label"], classes) for sample, row in rows.items()}
    says = {sample: (truth[sample], row["label"], _said(wanted, row)) for sample, row in rows.items()}
    wrong = [f"{each} as {label}" for each, _, label in told if label not in ("", *says[each])]
    _refuse(file, "the labels of the build", wrong, "other labels")
    due = answers(wanted, classes)
    given = {sample: number for number, sample in enumerate(predictions.samples)}
    _refuse(
        file, f"all rows of {wanted.split}", [each for each in due.samples if each not in given], "no prediction of"
    )
    if not due.samples:
        raise PredictionsError(f"{file}: expected classes that occur in {wanted.split}, found {', '.join(classes)}")
    order = [predictions.classes.index(name) for name in classes]
    found = predictions.probabilities[[given[each] for each in due.samples]][:, order]
    return replace(due, probabilities=found, notes=(*_of_table(predictions, wanted, rows), *due.notes))


def answers(wanted: Asked, classes: tuple[str, ...]) -> Matched:
    """Return what is true of the rows that are asked, predicted by nobody: all classes are as likely."""
    in_split = [row for row in wanted.rows if row["split"] == wanted.split and row["kept"]]
    found = [(row, name) for row in in_split if (name := class_of(row["label"], classes)) is not None]
    numbers = wanted.target is not None and not wanted.target.levels
    return Matched(
        classes=classes,
        samples=tuple(row["sample_id"] for row, _ in found),
        truth=np.asarray(
            [row["truth"] if numbers else classes.index(name) for row, name in found],
            dtype=np.float64 if numbers else np.int64,
        ),
        probabilities=np.full((len(found), len(classes)), 1 / len(classes)),
        groups=tuple(row["group"] for row, _ in found),
        patients=tuple(row["patient_id"] or row["sample_id"] for row, _ in found),
        notes=tuple(_of_rows(wanted, classes, in_split)),
        target=wanted.target,
    )


def _said(wanted: Asked, row: Mapping[str, Any]) -> str | None:
    return wanted.target.said(row["truth"]) if wanted.target and row["truth"] is not None else None


def _refuse(file: object, expected: str, wrong: Sequence[str], found: str) -> None:
    if wrong:
        raise PredictionsError(f"{file}: expected {expected}, found {len(wrong):,} {found}: {some(wrong)}")


def _check_run(predictions: Predictions, wanted: Asked) -> None:
    """Refuse what was predicted of another build, or by who learned from another split."""
    what = {"fingerprint": wanted.fingerprint, "split_hash": wanted.split_hash}
    for name, ours in what.items():
        said = predictions.run.get(name)
        if said and said != ours:
            raise PredictionsError(
                f"{predictions.file}: expected the {name} {ours[:16]}… of what is built under {wanted.scheme}, found "
                f"{str(said)[:16]}…. Next: build the version that the run was made of, or train again"
            )


def ordered(file: object, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Put the positive class of two last: COVID-19 where it is one of them."""
    if REST in classes and len(classes) != 2:
        raise PredictionsError(f"{file}: expected one class beside {REST}, found {len(classes) - 1}")
    if len(classes) == 2 and USUAL_POSITIVE in classes:
        return tuple(sorted(classes, key=lambda name: name == USUAL_POSITIVE))
    return classes


def class_of(label: str | None, classes: Sequence[str]) -> str | None:
    """Return the class that a label is of; ``None`` where it is of none that was predicted.

    >>> class_of("no_finding", ("rest", "covid19")), class_of("tuberculosis", ("covid19", "no_finding"))
    ('rest', None)
    """
    if label is None or label in classes:
        return label
    return REST if REST in classes else None


def _of_table(predictions: Predictions, wanted: Asked, rows: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if not predictions.run:
        yield "Nobody says of which build and split these predictions are, nor what they were learned from."
    unit = predictions.run.get("recipe", {}).get("unit", "image")
    if unit != "image":
        yield f"All slices of a {unit} have its score: measures by patient count, and those by image say nothing more."
    if further := sum(rows[each]["split"] != wanted.split for each in predictions.samples):
        yield f"{further:,} predictions are of other splits than {wanted.split}, and are not scored."
    if filtered := sum(rows[each]["split"] == wanted.split and not rows[each]["kept"] for each in predictions.samples):
        yield f"{filtered:,} predictions are of rows that the filters leave out, and are not scored."


def _of_rows(wanted: Asked, classes: Sequence[str], in_split: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from wanted.notes
    truth = [class_of(row["label"], classes) for row in in_split]
    unlabelled = sum(row["label"] is None for row in in_split)
    others = truth.count(None) - unlabelled
    if unlabelled:
        what = f"{wanted.target.column} that is known" if wanted.target else "label"
        yield f"{unlabelled:,} rows of {wanted.split} have no {what}, and are not asked."
    if others:
        yield f"{others:,} rows of {wanted.split} have other labels than {', '.join(classes)}: not asked."
    of_patients: dict[str, set[str | None]] = {}
    for row, name in zip(in_split, truth, strict=True):
        of_patients.setdefault(row["patient_id"] or row["sample_id"], set()).add(name)
    if len(classes) > 1 and (torn := sum(len(labels - {None}) > 1 for labels in of_patients.values())):
        yield f"{torn:,} patients have several labels; by patient they count once with each."
    if unknown := sum(not row["patient_known"] for row in in_split):
        yield f"Of {unknown:,} rows of {wanted.split} nobody knows the patient; what stands for one is a careful guess."
