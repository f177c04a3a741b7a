"""`evaluate_masks`: how well a trained network draws masks, by image and by patient, and what stands beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from covid_datasets.baselines.evaluate.bootstrap import Interval, Numbers, intervals, percentiles
from covid_datasets.baselines.evaluate.masks_beside import DRAWERS, drawn_beside
from covid_datasets.baselines.evaluate.measures import RESAMPLES
from covid_datasets.baselines.evaluate.overlap import Counts, read_counts
from covid_datasets.baselines.evaluate.predictions import FILE, runs_in, some
from covid_datasets.baselines.evaluate.report import plain
from covid_datasets.baselines.evaluate.units import Units
from covid_datasets.errors import PredictionsError, UsageError
from covid_datasets.extras import need

Place = str | os.PathLike[str]
Measured = Mapping[str, Interval]
FEW_GROUPS = 20


@dataclass(frozen=True, slots=True)
class Drawn:
    """What masks of one origin are worth; without numbers where they could not be drawn, and why."""

    by_image: Measured
    by_patient: Measured
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        numbers = {name: {key: plain(each) for key, each in getattr(self, name).items()} for name in _BY}
        return numbers | ({"why": self.why} if self.why else {})


_BY = ("by_image", "by_patient")


@dataclass(frozen=True, slots=True)
class MaskEvaluation:
    """What the masks of a network are worth.

    ``dice``, ``recall`` and ``volume`` of a mask are means over images, or patients, that have it. ``volume error`` is
    how far the drawn area is from the true one, as a share of that, and ``volume bias`` the same with its sign.
    ``false alarms`` is the share of images without a mask in which some is drawn, and ``rate error`` how far the share
    of the lungs that is infected is off, in points.

    Attributes:
        files: The tables of the runs.
        datasets: What they are of.
        split: Which split was scored.
        fingerprint: Of the build.
        split_hashes: The digest of the split of each run.
        seeds: Of each run.
        masks: What is drawn.
        rows: Images with one of these masks.
        patients: Patients among them.
        groups: What no split tears apart, among them.
        network: What the network reaches.
        beside: What others reach on the same images: by name.
        notes: What should be known of these numbers.
    """

    files: tuple[str, ...]
    datasets: tuple[str, ...]
    split: str
    fingerprint: str
    split_hashes: tuple[str, ...]
    seeds: tuple[int, ...]
    masks: tuple[str, ...]
    rows: int
    patients: int
    groups: int
    network: Drawn
    beside: Mapping[str, Drawn]
    notes: tuple[str, ...]

    @property
    def short(self) -> str:
        """Say it in a few words."""
        return ", ".join(f"Dice of {mask} {self.network.by_patient[f'dice {mask}']}" for mask in self.masks)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        found = {name: value for name, value in asdict(self).items() if name not in ("network", "beside")}
        beside = {name: each.to_json() for name, each in self.beside.items()}
        return found | {"network": self.network.to_json(), "beside": beside}

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import bullets, named, shown, table

        what = {
            "Data": ", ".join(self.datasets),
            "Split": self.split,
            "Masks": ", ".join(self.masks),
            "Fingerprint": self.fingerprint,
            "Split hash": ", ".join(self.split_hashes),
            "Images": self.rows,
            "Patients": self.patients,
            "Groups": self.groups,
        }
        tables = []
        for by in _BY:
            others = {name: getattr(each, by) for name, each in self.beside.items() if getattr(each, by)}
            rows = [
                (name, str(of), *(f"{other[name].value:.3f}" if name in other else "" for other in others.values()))
                for name, of in getattr(self.network, by).items()
            ]
            title = f"{by.replace('_', ' ').capitalize()}, with 95 % intervals over groups"
            tables.append(table(title, ("measure", "network", *others), rows))
        why = [f"{name}: not measured, because {each.why}" for name, each in self.beside.items() if each.why]
        return shown(
            "Evaluation of masks", named(what, "What was scored"), *tables, bullets([*why, *self.notes], "Notes")
        )

    def __str__(self) -> str:
        """Say it for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        tables = "" if len(self.files) == 1 else f", mean of {len(self.files)} runs"
        yield f"{', '.join(self.datasets)}, masks of {self.split}{tables}"
        yield f"fingerprint {self.fingerprint[:16]}…, split {', '.join(each[:16] + '…' for each in self.split_hashes)}"
        yield f"{self.rows:,} images, {self.patients:,} patients, {self.groups:,} groups; {', '.join(self.masks)}"
        yield f"95 % intervals over groups, {RESAMPLES:,} draws"
        for by in _BY:
            yield ""
            known = {name: each for name, each in self.beside.items() if getattr(each, by)}
            yield f"{by.replace('_', ' '):<26}{'network':<26}" + "".join(f"{name:>12}" for name in known)
            for name, found in getattr(self.network, by).items():
                others = "".join(f"{getattr(each, by)[name].value:>12.3f}" for each in known.values())
                yield f"{name:<26}{found!s:<26}{others}".rstrip()
        yield ""
        for name, each in self.beside.items():
            yield f"beside it, {name}: {DRAWERS[name]}" + (f"; not measured, because {each.why}" if each.why else "")
        yield from (f"note: {each}" for each in self.notes)


def evaluate_masks(
    run: Place | Sequence[Place],
    *,
    split: str = "test",
    beside: bool = True,
    seed: int = 0,
    cache_dir: str | os.PathLike[str] | None = None,
) -> MaskEvaluation:
    """Score the masks that runs of ours have drawn, with intervals over groups of patients.

    Args:
        run: The folder of a run that draws masks; of several, or of rounds, all images of all of them count alike.
        split: "test" or "validation".
        beside: Also measure the classical method, a fixed threshold, one mask for all images, and no mask at all.
        seed: Of the draws of groups that the intervals are made of.
        cache_dir: Where the build is.

    Raises:
        PredictionsError: A table is not of the build, or not of all images of the split that have masks.
        UsageError: A run tells classes, and draws no masks.
    """
    need("torch", "safetensors")
    places = [run] if isinstance(run, str | os.PathLike) else list(run)
    paths = [path for place in places for path in runs_in(place)]
    if not paths:
        raise UsageError("run: expected the folder of a run, found an empty list")
    if split not in ("test", "validation"):
        raise UsageError(f"split: expected test or validation, found {split!r}")
    from covid_datasets.baselines.evaluate.masks_of import Held, held

    kept: list[Held] = [held(path, split, cache_dir) for path in paths]
    masks = kept[0].recipe.draws
    for each in kept[1:]:
        if each.recipe.draws != masks or each.config["fingerprint"] != kept[0].config["fingerprint"]:
            raise PredictionsError(f"{each.path}: expected masks of {', '.join(masks)} of one build, found other ones")
    mine = [checked(each.path / FILE, split, each.truth) for each in kept]
    others: dict[str, Drawn] = {}
    if beside:
        found = [drawn_beside(each) for each in kept]
        for name in DRAWERS:
            why = next((one[name] for one in found if isinstance(one[name], str)), "")
            others[name] = Drawn({}, {}, str(why)) if why else _drawn([one[name] for one in found], masks, seed)  # type: ignore[misc]
    every = [row for rows in mine for row in rows]
    groups = {row.group for row in every}
    return MaskEvaluation(
        files=tuple(str(each.path / FILE) for each in kept),
        datasets=tuple(dict.fromkeys(name for each in kept for name in each.names)),
        split=split,
        fingerprint=kept[0].config["fingerprint"],
        split_hashes=tuple(dict.fromkeys(each.config["split_hash"] for each in kept)),
        seeds=tuple(each.config["seed"] for each in kept),
        masks=masks,
        rows=len({row.sample for row in every}),
        patients=len({row.patient for row in every}),
        groups=len(groups),
        network=_drawn(mine, masks, seed),
        beside=others,
        notes=(f"Only {len(groups)} groups: the intervals are rough.",) if len(groups) < FEW_GROUPS else (),
    )


def checked(path: Path, split: str, truth: Mapping[str, Counts]) -> list[Counts]:
    """Read the lines of a split, and hold them against what the build says is true.

    Raises:
        PredictionsError: Rows are missing, doubled or foreign, or other pixels are said to be true.
    """
    rows = [row for row in read_counts(path)[1] if row.split == split]
    samples = [row.sample for row in rows]
    if strange := [each for each in samples if each not in truth]:
        raise PredictionsError(f"{path}: expected images of {split} that have masks, found others: {some(strange)}")
    if missing := [each for each in truth if each not in set(samples)]:
        raise PredictionsError(f"{path}: expected all images of {split} that have masks, found no {some(missing)}")
    if len(set(samples)) < len(samples):
        raise PredictionsError(f"{path}: expected each image once, found {len(samples):,} lines of {len(truth):,}")
    for row in rows:
        said, known = ({name: of[0] for name, of in each.pixels.items()} for each in (row, truth[row.sample]))
        if said != known or row.group != truth[row.sample].group or row.patient != truth[row.sample].patient:
            raise PredictionsError(
                f"{path}: {row.sample}: expected the true pixels {known}, as the build has them, found {said}, or "
                "another patient or group. Next: train to the end again"
            )
    return rows


def _drawn(tables: Sequence[Sequence[Counts]], masks: Sequence[str], seed: int) -> Drawn:
    """Measure the lines of all tables together, by image and by patient."""
    by_image, by_patient = (Units.of(tables, masks, by_patient=by_patient) for by_patient in (False, True))
    return Drawn(_measured(by_image, seed), _measured(by_patient, seed))


def _measured(units: Units, seed: int) -> Measured:
    def means(weights: Numbers) -> dict[str, float]:
        return {name: _mean(values, weights) for name, values in units.values.items()}

    return intervals(means, units.groups, percentiles(units.rarest), resamples=RESAMPLES, seed=seed)


def _mean(values: Numbers, weights: Numbers) -> float:
    known = ~np.isnan(values)
    total = float(weights[known].sum())
    return float(values[known] @ weights[known]) / total if total else float("nan")
