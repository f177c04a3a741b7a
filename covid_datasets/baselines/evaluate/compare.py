"""`compare`: two models, or two ways of splitting, side by side, by what differs for the same people."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from covid_datasets.baselines.evaluate.bootstrap import Interval, Numbers, intervals, percentiles, students_t
from covid_datasets.baselines.evaluate.gather import Gathered, Place, gather
from covid_datasets.baselines.evaluate.measures import LABEL, RESAMPLES, SOURCE, means_of, measures_of
from covid_datasets.baselines.evaluate.report import as_number, plain, said
from covid_datasets.baselines.evaluate.rows import rarest
from covid_datasets.catalog.cards import Name
from covid_datasets.errors import UsageError


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is gained by the first of two models, or sets of models.

    Attributes:
        first: The tables of the first.
        second: The tables of the second.
        fingerprints: Of the build of each side.
        split_hashes: The digests of the splits of each side, one for each scheme.
        rows: Rows that both predict.
        aucs: The AUC of either side, as a mean over its tables; no number where no classes are predicted.
        differences: First less second, of each measure, with a 95 % interval over groups of people, who are drawn for
            both at once.
        over_runs: The same of the first measure, such as the AUC, with an interval over pairs of tables, as of seeds or
            folds; ``None`` where there is one pair, or not as many tables on either side.
        notes: What should be known of it.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    fingerprints: tuple[str, str]
    split_hashes: tuple[tuple[str, ...], tuple[str, ...]]
    rows: int
    aucs: tuple[float, float]
    differences: Mapping[str, Interval]
    over_runs: Interval | None
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        differences = {name: plain(found) for name, found in self.differences.items()}
        over_runs = plain(self.over_runs) if self.over_runs else None
        aucs = [as_number(each) for each in self.aucs]
        return asdict(self) | {"aucs": aucs, "differences": differences, "over_runs": over_runs}

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import bullets, shown, table

        sides = [
            (name, ", ".join(files), "" if np.isnan(auc) else f"{auc:.3f}", fingerprint, ", ".join(hashes))
            for name, files, auc, fingerprint, hashes in zip(
                ("first", "second"), (self.first, self.second), self.aucs, self.fingerprints, self.split_hashes,
                strict=True,
            )
        ]  # fmt: skip
        rows = [(said(name), str(found)) for name, found in self.differences.items()]
        rows += [("over pairs of tables", str(self.over_runs))] if self.over_runs else []
        return shown(
            f"Comparison on {self.rows:,} rows that both predict",
            table("Sides", ("side", "predictions", "AUC", "fingerprint", "split hash"), sides),
            table("First less second, with 95 % intervals over groups", ("measure", "difference"), rows),
            bullets(self.notes, "Notes"),
        )

    def __str__(self) -> str:
        """Say it for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"first: {', '.join(self.first)}"
        yield f"second: {', '.join(self.second)}"
        for name, which, mean in zip(("first", "second"), (0, 1), self.aucs, strict=True):
            splits = ", ".join(f"{each[:16]}…" for each in self.split_hashes[which])
            auc = "" if np.isnan(mean) else f"AUC {mean:.3f}, "
            yield f"{name}: {auc}fingerprint {self.fingerprints[which][:16]}…, split {splits}"
        yield f"first less second, {self.rows:,} rows that both predict, 95 % intervals over groups:"
        yield from (f"  {name:<32}{each}" for name, each in self.differences.items())
        first, found = next(iter(self.differences.items()))
        if self.over_runs:
            yield f"  {f'{first}, over pairs of tables':<32}{self.over_runs}"
        if found.low is not None and found.high is not None:
            holds = found.low <= 0 <= found.high
            yield f"The interval of the {said(first)} holds 0." if holds else f"The two differ in {said(first)}."
        yield from (f"note: {each}" for each in self.notes)


def compare(
    first: Place | Sequence[Place],
    second: Place | Sequence[Place],
    dataset: Name | Sequence[Name] | None = None,
    *,
    config: str | None = None,
    scheme: str | None = None,
    split: str = "test",
    seed: int = 0,
    cache_dir: str | os.PathLike[str] | None = None,
    **filters: Any,
) -> Comparison:
    """Compare predictions of two models, such as one of segmented and one of whole images, by a paired interval.

    Each side is one run or table, or several, one for each seed or fold. Both may be of different views or schemes
    of one source: groups of people have one name in all of them, and each draw takes the same people on both sides. An
    interval that holds 0 says that the people of these data do not tell the two apart.

    The arguments are those of `evaluate`.

    >>> compare([], "a.csv", "phantom")
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: predictions: expected a run or a CSV, found an empty list
    """
    sides = [gather(each, dataset, config, scheme, split, cache_dir, **filters) for each in (first, second)]
    one, other = (side.sets for side in sides)
    if one[0].classes != other[0].classes:
        raise UsageError(
            f"second: expected predictions of {', '.join(one[0].classes)}, found {', '.join(other[0].classes)}"
        )
    ours, theirs = means_of(one), means_of(other)
    stop = sum(len(each.truth) for each in one)

    def difference(weights: Numbers) -> dict[str, float]:
        mine, yours = ours(weights[:stop]), theirs(weights[stop:])
        return {name: mine[name] - yours[name] for name in mine if not name.startswith((LABEL, SOURCE))}

    groups = [group for side in (*one, *other) for group in side.groups]
    effective = min(rarest(one), rarest(other))
    samples = [{sample for each in side for sample in each.samples} for side in (one, other)]
    notes = []
    if samples[0] != samples[1]:
        notes.append(
            f"{len(samples[0] ^ samples[1]):,} rows are predicted on one side alone: the two are of different tests."
        )
    fingerprints = (sides[0].wanted[0].fingerprint, sides[1].wanted[0].fingerprint)
    if fingerprints[0] != fingerprints[1]:
        notes.append("The two are of different builds, which differ in more than the model.")
    return Comparison(
        first=tuple(str(table.file) for table in sides[0].tables),
        second=tuple(str(table.file) for table in sides[1].tables),
        fingerprints=fingerprints,
        split_hashes=(_hashes(sides[0]), _hashes(sides[1])),
        aucs=(_auc(ours(np.ones(stop))), _auc(theirs(np.ones(len(groups) - stop)))),
        rows=len(samples[0] & samples[1]),
        differences=intervals(difference, groups, percentiles(effective), resamples=RESAMPLES, seed=seed),
        over_runs=_over_runs(*sides),
        notes=tuple(notes),
    )


def _auc(measures: Mapping[str, float]) -> float:
    return measures.get("auc", float("nan"))


def _hashes(side: Gathered) -> tuple[str, ...]:
    return tuple(dict.fromkeys(of.split_hash for of in side.wanted))


def _over_runs(first: Gathered, second: Gathered) -> Interval | None:
    if len(first.sets) != len(second.sets) or len(first.sets) < 2:
        return None
    values = [
        [next(iter(measures_of(one)(np.ones(len(one.truth))).values())) for one in side.sets]
        for side in (first, second)
    ]
    train = [sum(row["split"] == "train" for row in of.rows) for of in first.wanted]
    test = [len(one.truth) for one in first.sets]
    return paired(values[0], values[1], sum(test) / max(sum(train), 1))


def paired(first: Sequence[float], second: Sequence[float], ratio: float) -> Interval:
    """Give the mean difference of pairs of results, as of folds or seeds, and its 95 % interval.

    Results of several folds or random splits are of overlapping rows and not independent; their variance is made larger
    by ``ratio``, the rows that are tested for each that is learned from (Nadeau and Bengio 2003).

    >>> print(paired([0.80, 0.82, 0.84], [0.79, 0.80, 0.80], ratio=0.25))
    0.023 (-0.027 to 0.074)
    >>> paired([0.8], [0.7], ratio=0.25).low is None
    True
    """
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    count, mean = len(differences), float(differences.mean())
    if count < 2 or np.isnan(mean):
        return Interval(mean)
    half = students_t(count - 1) * ((1 / count + ratio) * float(differences.var(ddof=1))) ** 0.5
    return Interval(mean, mean - half, mean + half)
