"""`evaluate`: one evaluator for predictions of anybody, held against the build and the split that they claim."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from covid_datasets.baselines.evaluate.beside import beside as measure_beside
from covid_datasets.baselines.evaluate.beside import not_measured
from covid_datasets.baselines.evaluate.beside_target import beside_target
from covid_datasets.baselines.evaluate.bootstrap import Interval
from covid_datasets.baselines.evaluate.gather import Gathered, Place, gather
from covid_datasets.baselines.evaluate.measures import RESAMPLES, Measures, measured, measures_of
from covid_datasets.baselines.evaluate.report import Beside, Evaluation, said
from covid_datasets.baselines.evaluate.rows import Matched, rarest
from covid_datasets.catalog.cards import Name

FEW_GROUPS = 20
"""Below so many groups of the rarest class, an interval is told to be rough."""


def evaluate(
    predictions: Place | Sequence[Place],
    dataset: Name | Sequence[Name] | None = None,
    *,
    config: str | None = None,
    scheme: str | None = None,
    split: str = "test",
    beside: bool = True,
    seed: int = 0,
    cache_dir: str | os.PathLike[str] | None = None,
    **filters: Any,
) -> Evaluation:
    """Score predictions of a split of a finished build, with intervals over groups of patients.

    Args:
        predictions: The folder of a run of ours, or anybody's CSV with the columns ``sample_id`` and ``p_<class>``, one
            for each class. Several of them, one for each seed or fold, are averaged.
        dataset: What they are of; a run says it itself.
        config: Its config; a run says it itself.
        scheme: The split scheme; a run says it itself, else it is "patient".
        split: Which split is scored.
        beside: Also measure what metadata alone, and local binary patterns with a logistic regression, reach on the
            same rows; needs the extra ``[audit]``.
        seed: Of the draws of groups that the intervals are made of.
        cache_dir: Where the build is.
        **filters: Only rows with these values, as in `load_dataset`: ``modality="CT"``. Those of a run hold too. And
            ``recipe=``, the name or file of a recipe whose target is predicted, as "severity-mosmed"; a run says it
            itself. Levels have the columns ``p_<level>``, numbers the column ``value``, and risks ``risk``.

    Returns:
        A report: ``str()`` for people, ``to_json()`` for programs. Of two classes the positive one is ``covid19``, or
        where that is neither, the one of the last column.

    Raises:
        PredictionsError: Rows are missing, doubled or of train, or the predictions are of another build or split.
        NotBuiltError: The dataset is not built; the message has the command.

    >>> evaluate("nobody.csv", "phantom")
    Traceback (most recent call last):
        ...
    covid_datasets.errors.NotThereError: nobody.csv: expected a table of predictions, or a run that has one, ...
    """
    found = gather(predictions, dataset, config, scheme, split, cache_dir, **filters)
    wanted, sets = found.wanted, found.sets
    target = wanted[0].target
    by_image = measured(sets, seed)
    together = _together(sets)
    pooled = Measures(together) if together.of_classes else None
    ones = np.ones(len(together.truth))
    metadata, texture = _beside(found, seed, cache_dir) if beside else not_measured("it was not wished")
    days = target is not None and target.kind == "survival"  # which each image has of its own
    return Evaluation(
        files=tuple(str(table.file) for table in found.tables),
        datasets=tuple(dict.fromkeys(str(name) for name in wanted[0].names)),
        config=wanted[0].config,
        schemes=tuple(of.scheme for of in wanted),
        split=split,
        fingerprint=wanted[0].fingerprint,
        split_hashes=tuple(dict.fromkeys(of.split_hash for of in wanted)),
        seeds=tuple(table.run.get("seed") for table in found.tables),
        classes=sets[0].classes,
        rows=len(set(together.samples)),
        groups=len(set(together.groups)),
        patients=len(set(together.patients)),
        resamples=RESAMPLES,
        draw_seed=seed,
        by_image=by_image,
        by_patient={} if days else measured([one.by_patient() for one in sets], seed),
        each=tuple(measures_of(one)(np.ones(len(one.truth))) for one in sets),
        confusion=pooled.confusion(ones).tolist() if pooled else (),
        reliability=pooled.bins(ones) if pooled else (),
        metadata=metadata,
        texture=texture,
        notes=tuple(dict.fromkeys([*(note for one in sets for note in one.notes), *_told(sets, by_image)])),
        target=asdict(target) if target else None,
    )


def _together(sets: Sequence[Matched]) -> Matched:
    return replace(
        sets[0],
        samples=tuple(each for one in sets for each in one.samples),
        truth=np.concatenate([one.truth for one in sets]),
        probabilities=np.concatenate([one.probabilities for one in sets]),
        groups=tuple(each for one in sets for each in one.groups),
        patients=tuple(each for one in sets for each in one.patients),
        notes=(),
    )


def _beside(found: Gathered, seed: int, cache_dir: str | os.PathLike[str] | None) -> tuple[Beside, Beside]:
    if found.wanted[0].target:
        texture = not_measured("it tells classes apart, and no targets")[1]
        return beside_target(found.wanted, found.sets, seed, cache_dir), texture
    if len({of.scheme for of in found.wanted}) > 1:
        return not_measured("the tables are of several schemes; evaluate each by itself")
    return measure_beside(found.wanted[0], found.sets[0], resamples=RESAMPLES, seed=seed, cache_dir=cache_dir)


def _told(sets: Sequence[Matched], found: Mapping[str, Interval]) -> Iterator[str]:
    """Say what is shaky in the numbers."""
    few, target = rarest(sets), sets[0].target
    rare = "somebody who died" if target and target.kind == "survival" else "the rarest class"
    rare = rare if sets[0].of_classes or rare != "the rarest class" else "all that is known"
    if few < 2:
        yield f"{rare.capitalize()} is in one group alone: no interval can be given."
    elif few < FEW_GROUPS:
        yield f"Only {few} groups have {rare}: the intervals are rough."
    name, first = next(iter(found.items()))
    if (missed := first.degenerate) and first.low is not None:
        what = f"{missed:,} of {RESAMPLES:,} draws left out a class"
        yield f"{what}; the interval of the {said(name)} is that of the others."
    if target and target.kind == "survival":
        yield from _censored(sets)
    if first.value == 1.0 and first.low is not None:
        yield "All draws are perfect too, so the interval is one point; it says nothing of whom the data lack."
    if not sets[0].of_classes:
        return
    absent = [
        name for number, name in enumerate(sets[0].classes) if not any((one.truth == number).any() for one in sets)
    ]
    if absent:
        yield f"No row is {', '.join(absent)}: the AUC is the mean over the other classes."


def _censored(sets: Sequence[Matched]) -> Iterator[str]:
    """Say how many died, and how long the others were seen: what came after is not known."""
    of = {row[0]: row[1:] for one in sets for row in zip(one.samples, one.truth.tolist(), one.patients, strict=True)}
    people = {patient for days, patient in of.values() if days > 0}
    died = sum(days > 0 for days, _ in of.values())
    median = float(np.median([-days for days, _ in of.values() if days < 0] or [1.0])) - 1
    yield (
        f"{died:,} of {len(of):,} images are of {len(people):,} people who died. The others are censored: they were "
        f"known to live for {median:g} days more (the median), and nobody says what came after. Who is seen for longer "
        "may be who is more ill."
    )
