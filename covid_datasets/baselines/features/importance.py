"""`feature_importance`: how well a logistic regression on named features does, and on which of them it rests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from covid_datasets.baselines.evaluate.bootstrap import Interval, Numbers, intervals, percentiles
from covid_datasets.baselines.evaluate.metrics import mean_auc, rankings
from covid_datasets.baselines.evaluate.report import plain
from covid_datasets.baselines.evaluate.rows import class_of, ordered
from covid_datasets.baselines.features.table import FIRST, image_features
from covid_datasets.catalog.cards import Name
from covid_datasets.errors import UsageError, did_you_mean
from covid_datasets.extras import need
from covid_datasets.load.splits import ABOUT, about_splits

TASKS = {"covid19_vs_rest": ("rest", "covid19"), "covid19_vs_no_finding": ("no_finding", "covid19")}
ALL = "all"
SHUFFLES = 20
"""How often the features of a group are shuffled among the images that are tested."""
RESAMPLES = 1000
ROUNDED = 9
"""Digits of a score: the same one, added up in another order, is a tie."""


@dataclass(frozen=True, slots=True)
class Group:
    """Features that belong together, such as all of the histogram.

    Attributes:
        name: What they are called.
        features: How many they are.
        importance: By how much the AUC falls when they are shuffled among the images that are tested, all at once.
        alone: The AUC of a model that knows these features alone. Groups that tell the same share their importance,
            and may each have little: this says it.
    """

    name: str
    features: int
    importance: Interval
    alone: Interval


@dataclass(frozen=True, slots=True)
class Importance:
    """What a model on named features is worth, and on what it rests.

    Attributes:
        datasets: What it was learned from.
        scheme: The split.
        split: Which part was tested.
        fingerprint: Of the builds.
        split_hash: The digest of the split.
        classes: The classes; of two the last one is positive.
        rows: Images that were tested.
        groups_of_people: What no split tears apart, among them.
        auc: Of all features together.
        groups: Each group of features, the most important first.
        seed: Of all draws.
        notes: What should be known of these numbers.
    """

    datasets: tuple[str, ...]
    scheme: str
    split: str
    fingerprint: str
    split_hash: str
    classes: tuple[str, ...]
    rows: int
    groups_of_people: int
    auc: Interval
    groups: tuple[Group, ...]
    seed: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        told: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        told["auc"] = plain(self.auc)
        told["groups"] = [
            {
                "name": each.name,
                "features": each.features,
                "importance": plain(each.importance),
                "alone": plain(each.alone),
            }
            for each in self.groups
        ]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import bullets, paragraph, shown, table

        about = f"{self.rows:,} images of {self.split} under {self.scheme}, {self.groups_of_people:,} groups."
        rows = [(each.name, each.features, str(each.importance), str(each.alone)) for each in self.groups]
        names = ("features", "how many", "AUC lost when shuffled", "AUC of these alone")
        return shown(
            f"Importance of features: {', '.join(self.datasets)}, {' and '.join(self.classes)}",
            paragraph(f"{about} AUC {self.auc}."),
            table("Groups of features, with 95 % intervals over groups of people", names, rows),
            bullets(self.notes, "Notes"),
        )

    def __str__(self) -> str:
        """Say it for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{', '.join(self.datasets)}, {self.split} of {self.scheme}; {', '.join(self.classes)}"
        yield f"fingerprint {self.fingerprint[:16]}…, split {self.split_hash[:16]}…"
        yield f"{self.rows:,} images, {self.groups_of_people:,} groups; 95 % intervals over groups, seed {self.seed}"
        yield f"logistic regression on all features: AUC {self.auc}"
        yield ""
        yield f"{'features':<14}{'':>5}  {'AUC lost when shuffled':<28}{'AUC of these alone'}"
        for each in self.groups:
            yield f"{each.name:<14}{each.features:>5}  {each.importance!s:<28}{each.alone}"
        yield from (f"note: {each}" for each in self.notes)


def feature_importance(
    name: Name | Sequence[Name] | pa.Table,
    *,
    task: str = "covid19_vs_rest",
    config: str | None = None,
    scheme: str = "patient",
    split: str = "test",
    seed: int = 0,
    cache_dir: str | os.PathLike[str] | None = None,
    **filters: Any,
) -> Importance:
    """Learn a class from named features on train, and measure on which groups of them it rests, by shuffling.

    An interval of a group's importance that holds 0 says that these people do not show that the model needs it.

    Args:
        name: A dataset, or a list of them; or a table of `image_features`, to which features of your own may have been
            added: a column of numbers, whose group is what stands before its first dot.
        task: "covid19_vs_rest", "covid19_vs_no_finding", or "all" classes of train.
        config: As for `image_features`.
        scheme: The split scheme.
        split: Which part is tested.
        seed: Of the shuffles and of the draws of groups.
        cache_dir: Where the build is.
        **filters: Only rows with these values, as in `load_dataset`.

    Raises:
        UsageError: A part lacks a class, or no feature is known.
    """
    need("sklearn", "scipy")
    if task not in (*TASKS, ALL):
        raise UsageError(f"task: expected one of {', '.join((*TASKS, ALL))}, found {task!r}{did_you_mean(task, TASKS)}")
    if split == "train":
        raise UsageError("split: expected validation or test, found 'train': what was learned from measures nothing")
    table = name
    if not isinstance(table, pa.Table):
        table = image_features(table, config=config, scheme=scheme, cache_dir=cache_dir, **filters)
    lost = [column for column in FIRST if column not in table.column_names]
    if lost or ABOUT not in (table.schema.metadata or {}):
        what = lost[0] if lost else "the metadata of its split"
        raise UsageError(
            f"name: expected a table of image_features, found one without {what}; features of your own come into it "
            "with append_column"
        )
    columns = _groups(table)
    parts, labels = (np.asarray(table.column(column).to_pylist(), dtype=object) for column in ("split", "label"))
    there = sorted({label for label in labels[parts == "train"].tolist() if label is not None})
    classes = TASKS.get(task) or ordered(task, tuple(there))
    classed = np.asarray([_number(label, classes) for label in labels.tolist()])
    train, test = ((parts == part) & (classed >= 0) for part in ("train", split))
    _check(classed, train, test, classes, split)
    values = {group: _known(table, names, train) for group, names in columns.items()}
    empty = [group for group, of in values.items() if not of.shape[1]]
    values = {group: of for group, of in values.items() if of.shape[1]}
    if not values:
        raise UsageError("features: expected some that differ among the images of train, found none")
    people = [str(each) for each in np.asarray(table.column("group").to_pylist(), dtype=object)[test].tolist()]
    measured = _measured(values, classed, train, test, len(classes), people, seed)
    about = about_splits(table)
    groups = [
        Group(group, of.shape[1], measured[f"without {group}"], measured[f"alone {group}"])
        for group, of in values.items()
    ]
    return Importance(
        datasets=tuple(each["id"] for each in about["builds"]),
        scheme=about["scheme"],
        split=split,
        fingerprint=", ".join(each["fingerprint"] for each in about["builds"]),
        split_hash=about["digest"],
        classes=classes,
        rows=int(test.sum()),
        groups_of_people=len(set(people)),
        auc=measured["auc"],
        groups=tuple(sorted(groups, key=lambda each: (-each.importance.value, each.name))),
        seed=seed,
        notes=tuple(_notes(table, train | test, empty, measured)),
    )


def _groups(table: pa.Table) -> dict[str, list[str]]:
    """Sort the columns that are features by their groups."""
    found: dict[str, list[str]] = {}
    for name in table.column_names:
        if name in FIRST:
            continue
        kind = table.schema.field(name).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
            raise UsageError(f"{name}: expected numbers, found {kind}; a feature is a number, and null where unknown")
        found.setdefault(name.partition(".")[0], []).append(name)
    return found


def _number(label: str | None, classes: Sequence[str]) -> int:
    found = class_of(label, classes)
    return classes.index(found) if found in classes else -1


def _check(classed: np.ndarray, train: np.ndarray, test: np.ndarray, classes: Sequence[str], split: str) -> None:
    for part, rows in (("train", train), (split, test)):
        there = set(classed[rows].tolist())
        if len(there) < 2 or (part == "train" and len(there) < len(classes)):
            found = ", ".join(classes[number] for number in sorted(there)) or "none"
            wanted = ", ".join(classes)
            raise UsageError(f"{part}: expected images of {wanted}, found {found}; choose another scheme or task")


def _known(table: pa.Table, names: Sequence[str], train: np.ndarray) -> Numbers:
    """Return features about 0, by the rows of train; the unknown is their mean, what never differs is left out."""
    found = np.asarray([table.column(name).cast(pa.float64()).to_numpy() for name in names], dtype=float).T
    found[~np.isfinite(found)] = np.nan
    some = (~np.isnan(found[train])).any(0)
    found = found[:, some]
    middle, spread = np.nanmean(found[train], 0), np.nanstd(found[train], 0)
    scaled = (found - middle) / np.where(spread > 0, spread, 1)
    return np.asarray(np.nan_to_num(np.clip(scaled, -10, 10))[:, spread > 0])


def _measured(
    values: Mapping[str, Numbers],
    classed: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    count: int,
    people: Sequence[str],
    seed: int,
) -> dict[str, Interval]:
    """Measure the model, what it loses without each group, and what each group reaches alone; one draw for all."""
    from sklearn.linear_model import LogisticRegression

    truth = classed[test]

    def learned(of: Numbers) -> Any:
        return LogisticRegression(max_iter=2000).fit(of[train], classed[train])

    def ranked(model: Any, of: Numbers) -> Any:
        scores = np.zeros((len(of), count))
        scores[:, model.classes_] = np.round(model.predict_proba(of), ROUNDED)
        return rankings(truth, scores)

    model, tested = learned(np.hstack(list(values.values()))), {group: of[test] for group, of in values.items()}
    whole = ranked(model, np.hstack(list(tested.values())))
    alone = {group: ranked(learned(of), of[test]) for group, of in values.items()}
    shuffled: dict[str, list[Any]] = {}
    for place, group in enumerate(values):
        random = np.random.default_rng((seed, place))
        orders = [random.permutation(len(truth)) for _ in range(SHUFFLES)]
        shuffled[group] = [
            ranked(model, np.hstack([of[order] if each == group else of for each, of in tested.items()]))
            for order in orders
        ]

    def measures(weights: Numbers) -> dict[str, float]:
        auc = mean_auc(whole, weights)
        found = {"auc": auc}
        for group in values:
            lost = sum(mean_auc(each, weights) for each in shuffled[group]) / SHUFFLES
            found |= {f"without {group}": auc - lost, f"alone {group}": mean_auc(alone[group], weights)}
        return found

    holding = [len({people[row] for row in np.flatnonzero(truth == number).tolist()}) for number in set(truth.tolist())]
    return intervals(measures, people, percentiles(min(holding)), resamples=RESAMPLES, seed=seed)


def _notes(table: pa.Table, asked: np.ndarray, empty: Sequence[str], found: Mapping[str, Interval]) -> Iterator[str]:
    origins = np.asarray(table.column("lungs_from").to_pylist(), dtype=object)[asked]
    if none := int((origins == None).sum()):  # noqa: E711  (of an array of objects)
        yield f"{none:,} of {len(origins):,} images have no lungs that are known: of them there is only texture."
    if empty:
        yield f"Nothing differs, or is known, of {', '.join(empty)}: left out."
    if found["auc"].low is None:
        yield "The rarest class is in one group alone: no interval can be given."
    elif found["auc"].low <= 0.5:
        yield "The model may be no better than chance: what it rests on says nothing of the disease then."
