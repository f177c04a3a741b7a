"""The three parts of a split, checked before anything is trained, as batches of tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from covid_datasets.baselines.recipe import ALL, DRAW, Recipe
from covid_datasets.baselines.target import SURVIVAL, Target, check_truth, counted, truth_of
from covid_datasets.baselines.train.asked import Asked
from covid_datasets.baselines.train.units import UnitBatches, Units, units_of
from covid_datasets.errors import LeakingSplitError, UsageError
from covid_datasets.load.dataset import load_dataset
from covid_datasets.load.fixed.order import Order
from covid_datasets.load.fixed.steps import Steps
from covid_datasets.load.fixed.to_torch import to_torch
from covid_datasets.load.splits import about_splits, load_splits
from covid_datasets.prepare.disjoint import check_disjoint
from covid_datasets.progress import tell
from covid_datasets.splits.listed import read_listed
from covid_datasets.splits.scheme import Listed, parse_scheme
from covid_datasets.splits.schemes import is_given
from covid_datasets.vocabulary import MASKS

if TYPE_CHECKING:
    from covid_datasets.baselines.train.machine import Machine

PARTS = ("train", "validation", "test")
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Data:
    """What a model is trained and judged on.

    Attributes:
        rows: The labelled rows of each part that the split has: ``train``, ``validation``, ``test``; of a target those
            of which it is known; where masks alone are drawn, those that have one of them.
        classes: The names of the labels, of the levels, or of the masks, by number; or the one column of other
            predictions.
        truth: What is true of each sample, of a target.
        target: What is predicted where it is no label.
        identity: Fingerprints of the builds, scheme and digest of the split, how many rows of which class, or with
            which mask, are where, and that only rows with a picture are in it, so that the others are not asked for
            when it is evaluated.
    """

    rows: Mapping[str, Any]
    classes: tuple[str, ...]
    identity: Mapping[str, Any]
    truth: Mapping[str, float] = field(default_factory=dict)
    target: Target | None = None

    def known(self, part: str) -> np.ndarray:
        """Return what is true of each row of a part, of a target."""
        return np.asarray([self.truth[sample] for sample in self.rows[part].column("sample_id").to_pylist()])

    def labelled(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return a batch whose ``label`` is the target, where there is one."""
        if self.target is None:
            return batch
        import torch

        whole = self.target.kind == "ordinal"
        truth = torch.tensor([self.truth[sample] for sample in map(str, batch["sample_id"])])
        return batch | {"label": (truth.long() if whole else truth.float()).to(batch["image"].device)}

    def batches(self, part: str, recipe: Recipe, seed: int, **options: Any) -> Any:
        """Return the batches of a part; those of training are shuffled and changed."""
        training = part == "train"
        given: dict[str, Any] = {
            "image_size": recipe.image_size,
            "batch_size": recipe.batch_size,
            "channels": recipe.channels,
            "slices": recipe.around,
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

    def learned_and_judged(self, recipe: Recipe, machine: Machine, seed: int) -> tuple[Any, Any]:
        """Return the batches of train, a share for each process, and those of validation, where there is one."""
        place = {"device": machine.device}
        training = self.batches("train", recipe, seed, rank=machine.rank, world=machine.world, **place)
        return training, self.batches("validation", recipe, 0, **place) if "validation" in self.rows else None

    def units(self, part: str, recipe: Recipe) -> Units:
        """Bring the rows of each patient or series of a part together."""
        return units_of(part, self.rows[part], recipe)

    def unit_batches(
        self, part: str, recipe: Recipe, seed: int, *, rank: int = 0, world: int = 1, **options: Any
    ) -> UnitBatches:
        """Return batches of patients or series; those of training are shuffled and changed."""
        training, units = part == "train", self.units(part, recipe)
        slices = self.batches(part, recipe, seed, balance=False, **options)
        labels = units.labels if training and recipe.balance else None
        order = Order(len(units), shuffle=training, seed=seed, labels=labels)
        steps = Steps(recipe.batch_size, rank, world, drop_last=training and len(units) > recipe.batch_size)
        return UnitBatches(slices, units, recipe, order, steps)


def load_data(asked: Asked) -> Data:
    """Load a split, and refuse what no honest number can come of.

    Raises:
        UsageError: A part has one class alone, or some rows lack a mask that the recipe shows to the network.
        LeakingSplitError: People are in two parts of a split that is not said to leak.
    """
    recipe = asked.recipe
    unnamed = recipe.task in (ALL, DRAW)
    classes: dict[str, Any] = {"labels": "present"} if unnamed else {} if recipe.target else {"task": recipe.task}
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
    taught = recipe.draws if recipe.draws_alone else ()
    truth = truth_of(recipe.target, loaded.values()) if recipe.target else {}
    there = {part: loaded[part] for part in PARTS if part in loaded}
    rows = {part: drawn_of(each, taught) if taught else _labelled(each, truth) for part, each in there.items()}
    rows = {part: each for part, each in rows.items() if len(each)}
    for part in ("train", "test"):
        if part not in rows:
            where = f"{', '.join(asked.names)}, scheme {asked.scheme!r}"
            raise UsageError(f"{where}: expected {_wanted(recipe)} in {part}, found none{_masks_there(loaded, taught)}")
    labels = tuple(rows["train"].label_names)
    rows["train"] = _kept(rows["train"], labels, recipe.keep, asked.seed)
    names = taught or (recipe.target.classes if recipe.target else labels)
    data = Data(rows, names, {}, truth, recipe.target)
    if recipe.target:
        known = {part: data.known(part) for part in rows}
        outcomes = sum(len(each) - each.column(SURVIVAL).null_count for each in loaded.values())
        check_truth(recipe.target, known, ", ".join(asked.names), outcomes)
        counts = {part: counted(recipe.target, each) for part, each in known.items()}
    elif taught:
        counts = {part: {mask: _drawn(each, mask) for mask in taught} for part, each in rows.items()}
    else:
        counts = _counted({part: _labels(each) for part, each in rows.items()}, names)
    for part, each in rows.items():
        _check_masks(part, each, recipe.masks)
    _check_drawn(rows["train"], recipe.draws)
    units = {part: units_of(part, each, recipe) for part, each in rows.items()} if recipe.unit != "image" else {}
    leaks = _shared(rows)
    if leaks:
        _tell_leaks(leaks, asked.scheme)
    about = about_splits(table)
    identity = {
        "builds": [{key: each[key] for key in ("id", "version", "config", "fingerprint")} for each in about["builds"]],
        "fingerprint": ", ".join(each["fingerprint"] for each in about["builds"]),
        "scheme": about["scheme"],
        "split_hash": about["digest"],
        "counts": counts,
        "groups_in_two_parts": len(leaks),
        "pictures": True,
    }
    if units:
        identity["units"] = _counted({part: each.labels.tolist() for part, each in units.items()}, names)
    return replace(data, identity=identity)


def _check_listed(table: pa.Table, scheme: str) -> None:
    """Refuse a file of splits that tears people apart: loading would bring them together, and not as the file says."""
    match parse_scheme(scheme):
        case Listed(path):
            listed = read_listed(path)
            ids, patients, groups = (table.column(name).to_pylist() for name in ("sample_id", "patient_id", "group"))
            said = [listed.get(sample, listed.get(patient)) for sample, patient in zip(ids, patients, strict=True)]
            check_disjoint(f"scheme {scheme!r}", said, groups, lambda: ids, "nothing is trained")


def _labelled(rows: Any, truth: Mapping[str, float]) -> Any:
    """Keep the rows whose label, or target, somebody told, and that have an image."""
    told = (
        pc.is_in(rows.column("sample_id"), pa.array(list(truth), pa.string()))
        if truth
        else pc.is_valid(rows.column("label"))
    )
    known = np.asarray(pc.and_(told, pc.is_valid(rows.column("image"))))
    return rows if known.all() else rows.select(np.flatnonzero(known).tolist())


def drawn_of(rows: Any, masks: tuple[str, ...]) -> Any:
    """Keep the rows that have an image, and one of some masks at least."""
    drawn = [pc.is_valid(pc.struct_field(rows.column("masks"), [mask])) for mask in masks]
    known = np.asarray(pc.is_valid(rows.column("image"))) & np.logical_or.reduce([np.asarray(each) for each in drawn])
    return rows if known.all() else rows.select(np.flatnonzero(known).tolist())


def _wanted(recipe: Recipe) -> str:
    """Say which rows a recipe learns from."""
    if recipe.draws_alone:
        return f"images with a mask of {' or '.join(recipe.draws)}"
    return f"images of which {recipe.target.column} is known" if recipe.target else "labelled images"


def _drawn(rows: Any, mask: str) -> int:
    """Count the rows that have a mask."""
    return pc.sum(pc.is_valid(pc.struct_field(rows.column("masks"), [mask]))).as_py() or 0


def _masks_there(loaded: Mapping[str, Any], taught: tuple[str, ...]) -> str:
    """Say which masks the data have instead of those that are to be learned."""
    if not taught:
        return ""
    there = [mask for mask in MASKS if any(_drawn(rows, mask) for rows in loaded.values())]
    said = f"; there are {', '.join(there)}: name them as draws" if there else "; there is no mask at all"
    return f"{said}, or take a config with slices, where masks are of volumes"


def _kept(rows: Any, names: tuple[str, ...], keep: Mapping[str, int], seed: int) -> Any:
    """Keep so many rows of some labels, drawn by the seed, and all rows of the others."""
    labels = np.asarray(rows.column("label"))
    left_out = list[int]()
    for number, (name, count) in enumerate(keep.items()):
        of = np.flatnonzero(labels == names.index(name)) if name in names else np.empty(0, np.int64)
        if len(of) < count:
            raise UsageError(
                f"train: expected {count:,} rows of {name!r}, of which the recipe draws so many, found {len(of):,} "
                f"(labels: {', '.join(names)})"
            )
        left_out += np.random.default_rng((seed, number)).permutation(of)[count:].tolist()
    return rows.select(np.setdiff1d(np.arange(len(rows)), left_out).tolist()) if left_out else rows


def _labels(rows: Any) -> list[int]:
    found: list[int] = rows.column("label").to_pylist()
    return found


def _counted(labels: Mapping[str, Sequence[int]], names: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """Count each class in each part, and refuse parts with one class, or classes that train lacks."""
    counts = {}
    for part, each in labels.items():
        count = Counter(names[label] for label in each)
        counts[part] = {label: count[label] for label in names}
        if len(count) < 2:
            there = ", ".join(f"{label} {number:,}" for label, number in count.items())
            raise UsageError(
                f"{part}: expected two classes or more, found one: {there}. Nothing can be learned or judged there; "
                "choose another scheme or task, or join sources"
            )
    if lost := [name for name in names if not counts["train"][name]]:
        raise UsageError(f"train: expected every class, found no {', '.join(lost)}; choose another scheme or task")
    return counts


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
