"""The three parts of a split, checked before anything is trained, as batches of tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from covid_datasets.baselines.recipe import ALL, Recipe
from covid_datasets.baselines.train.asked import Asked
from covid_datasets.errors import LeakingSplitError, UsageError
from covid_datasets.load.dataset import load_dataset
from covid_datasets.load.fixed.to_torch import to_torch
from covid_datasets.load.splits import about_splits, load_splits
from covid_datasets.prepare.disjoint import check_disjoint
from covid_datasets.progress import tell
from covid_datasets.splits.listed import read_listed
from covid_datasets.splits.scheme import Listed, parse_scheme
from covid_datasets.splits.schemes import is_given

PARTS = ("train", "validation", "test")
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Data:
    """What a model is trained and judged on.

    Attributes:
        rows: The labelled rows of each part that the split has: ``train``, ``validation``, ``test``.
        classes: The names of the labels, by number.
        identity: Fingerprints of the builds, scheme and digest of the split, how many rows of which class where, and
            that only rows with a picture are in it, so that the others are not asked for when it is evaluated.
    """

    rows: Mapping[str, Any]
    classes: tuple[str, ...]
    identity: Mapping[str, Any]

    def batches(self, part: str, recipe: Recipe, seed: int, **options: Any) -> Any:
        """Return the batches of a part; those of training are shuffled and changed."""
        training = part == "train"
        given: dict[str, Any] = {
            "image_size": recipe.image_size,
            "batch_size": recipe.batch_size,
            "channels": recipe.channels,
            "mean": recipe.mean if len(recipe.mean) > 1 else recipe.mean[0],
            "std": recipe.std if len(recipe.std) > 1 else recipe.std[0],
            "masks": [*recipe.masks, *recipe.draws] or False,
            "seed": seed,
            "shuffle": training,
        }
        if training:
            # One image alone cannot be normalised by its batch.
            last = len(self.rows[part]) > recipe.batch_size
            given |= {"augment": recipe.changes, "balance": recipe.balance, "drop_last": last}
        return to_torch(self.rows[part], **given | options)


def load_data(asked: Asked) -> Data:
    """Load a split, and refuse what no honest number can come of.

    Raises:
        UsageError: A part has one class alone, or some rows lack a mask that the recipe shows to the network.
        LeakingSplitError: People are in two parts of a split that is not said to leak.
    """
    recipe = asked.recipe
    classes: dict[str, Any] = {"labels": "present"} if recipe.task == ALL else {"task": recipe.task}
    loaded = load_dataset(
        asked.dataset,
        asked.config,
        framework="numpy",
        scheme=asked.scheme,
        cache_dir=asked.cache_dir,
        data_dir=asked.data_dir,
        derive=recipe.derive or None,
        **classes,
        **asked.filters,
    )
    table = load_splits(asked.dataset, asked.scheme, config=asked.config, cache_dir=asked.cache_dir)
    _check_listed(table, asked.scheme)
    rows = {part: _labelled(loaded[part]) for part in PARTS if part in loaded}
    rows = {part: each for part, each in rows.items() if len(each)}
    for part in ("train", "test"):
        if part not in rows:
            where = f"{', '.join(asked.names)}, scheme {asked.scheme!r}"
            raise UsageError(f"{where}: expected labelled images in {part}, found none")
    names = tuple(rows["train"].label_names)
    rows["train"] = _few(rows["train"], names, recipe.few, asked.seed)
    counts = {part: Counter(names[label] for label in each.column("label").to_pylist()) for part, each in rows.items()}
    _check_classes(counts, names)
    for part, each in rows.items():
        _check_masks(part, each, recipe.masks)
    _check_drawn(rows["train"], recipe.draws)
    leaks = _shared(rows)
    if leaks:
        _tell_leaks(leaks, asked.scheme)
    about = about_splits(table)
    identity = {
        "builds": [{key: each[key] for key in ("id", "version", "config", "fingerprint")} for each in about["builds"]],
        "fingerprint": ", ".join(each["fingerprint"] for each in about["builds"]),
        "scheme": about["scheme"],
        "split_hash": about["digest"],
        "counts": {part: {label: count[label] for label in names} for part, count in counts.items()},
        "groups_in_two_parts": len(leaks),
        "pictures": True,
    }
    return Data(rows, names, identity)


def _check_listed(table: pa.Table, scheme: str) -> None:
    """Refuse a file of splits that tears people apart: loading would bring them together, and not as the file says."""
    match parse_scheme(scheme):
        case Listed(path):
            listed = read_listed(path)
            ids, patients, groups = (table.column(name).to_pylist() for name in ("sample_id", "patient_id", "group"))
            said = [listed.get(sample, listed.get(patient)) for sample, patient in zip(ids, patients, strict=True)]
            check_disjoint(f"scheme {scheme!r}", said, groups, lambda: ids, "nothing is trained")


def _labelled(rows: Any) -> Any:
    """Keep the rows whose label somebody told, and that have an image."""
    known = np.asarray(pc.and_(pc.is_valid(rows.column("label")), pc.is_valid(rows.column("image"))))
    return rows if known.all() else rows.select(np.flatnonzero(known).tolist())


def _few(rows: Any, names: tuple[str, ...], few: Mapping[str, int], seed: int) -> Any:
    """Keep so many rows of some labels, drawn by the seed, and all rows of the others."""
    labels = np.asarray(rows.column("label"))
    left_out = list[int]()
    for number, (name, count) in enumerate(few.items()):
        of = np.flatnonzero(labels == names.index(name)) if name in names else np.empty(0, np.int64)
        if len(of) < count:
            raise UsageError(
                f"train: expected {count:,} rows of {name!r}, of which the recipe draws so many, found {len(of):,} "
                f"(labels: {', '.join(names)})"
            )
        left_out += np.random.default_rng((seed, number)).permutation(of)[count:].tolist()
    return rows.select(np.setdiff1d(np.arange(len(rows)), left_out).tolist()) if left_out else rows


def _check_classes(counts: Mapping[str, Counter[str]], names: tuple[str, ...]) -> None:
    for part, count in counts.items():
        if len(count) < 2:
            there = ", ".join(f"{label} {number:,}" for label, number in count.items())
            raise UsageError(
                f"{part}: expected two classes or more, found one: {there}. Nothing can be learned or judged there; "
                "choose another scheme or task, or join sources"
            )
    if lost := [name for name in names if name not in counts["train"]]:
        raise UsageError(f"train: expected every class, found no {', '.join(lost)}; choose another scheme or task")


def _check_masks(part: str, rows: Any, masks: tuple[str, ...]) -> None:
    """Refuse rows without a mask that the network is to see: it would learn who has none."""
    for mask in masks:
        without = np.asarray(pc.is_null(pc.struct_field(rows.column("masks"), [mask])))
        if without.any():
            ids = rows.column("sample_id")
            shown = ", ".join(ids[int(row)].as_py() for row in np.flatnonzero(without)[:_SHOWN])
            raise UsageError(
                f"{part}: expected a mask {mask!r} of every row, because the recipe shows it to the network; "
                f'{without.sum():,} of {len(rows):,} rows have none: {shown}. Have them made (derive = "lungs" in the '
                "recipe, for CT), keep the rows that have one, or take a recipe without masks"
            )


def _check_drawn(rows: Any, masks: tuple[str, ...]) -> None:
    """Refuse masks that nobody drew: the network would have nothing to learn them from. Some rows may lack them."""
    for mask in masks:
        drawn = pc.sum(pc.is_valid(pc.struct_field(rows.column("masks"), [mask]))).as_py() or 0
        if not drawn:
            raise UsageError(
                f"train: expected a mask {mask!r} of some rows, because the recipe learns to draw it; none of "
                f"{len(rows):,} rows has one. Join a source that has it, or take a recipe that draws no masks"
            )
        tell(f"train: {drawn:,} of {len(rows):,} rows have a mask {mask!r}; drawing it is learned from these")


def _shared(rows: Mapping[str, Any]) -> dict[str, list[str]]:
    """Find groups of patients, and patients, that are in two parts or more."""
    where: dict[str, set[str]] = {}
    for part, each in rows.items():
        for column in ("group_id", "patient_id"):
            known = [value for value in each.column(column).to_pylist() if value is not None]
            for value in known:
                where.setdefault(value, set()).add(part)
    return {value: sorted(parts) for value, parts in where.items() if len(parts) > 1}


def _tell_leaks(leaks: Mapping[str, list[str]], scheme: str) -> None:
    shown = "; ".join(f"{who} in {' and '.join(parts)}" for who, parts in list(leaks.items())[:_SHOWN])
    text = f"scheme {scheme!r}: {len(leaks):,} patients or groups are in two parts: {shown}"
    if not is_given(scheme):
        raise LeakingSplitError(f"{text}. A model would be judged on people that it knows; nothing is trained")
    tell(f"{text}. That is how this scheme is, and what is measured on it is too good")
