"""Datasets of ours, under one of their schemes or under a table of one's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from covid_datasets.audits.files import Names
from covid_datasets.audits.looks import Look
from covid_datasets.audits.sample import Gathered, Sample
from covid_datasets.audits.tables import Listing, Row, read_listing
from covid_datasets.catalog.cards import Name
from covid_datasets.errors import DamagedFileError, UsageError
from covid_datasets.load.splits import builds_of, divided
from covid_datasets.load.stored import open_table
from covid_datasets.measure.image import Measured
from covid_datasets.prepare.result import Built
from covid_datasets.schema import Notice
from covid_datasets.splits.assign import is_everybody
from covid_datasets.splits.groups import Link
from covid_datasets.splits.index import Index
from covid_datasets.splits.told import tell


@dataclass(frozen=True, slots=True)
class OfBuilds:
    """Rows of finished builds, what was seen of each when they were built, and which look alike."""

    gathered: Gathered
    looks: Sequence[Look | None]
    near: Sequence[Link]


def of_builds(
    name: Name | Sequence[Name], scheme: str, split: Any, columns: Mapping[str, str], place: Mapping[str, Any]
) -> OfBuilds:
    """Take one dataset, or the joint split of several; ``split`` is a table of one's own in place of the scheme."""
    builds = builds_of(name, place["config"], place["cache_dir"])
    paths = [built.path for built in builds]
    index = Index.join(paths) if len(builds) > 1 else Index.evidence(paths)
    what = ", ".join(built.id for built in builds)
    samples = _samples(builds, index)
    notes: tuple[str, ...] = ()
    notices: list[Notice] = []
    if split is not None:
        chosen, notices = _listed(samples, read_listing(split, columns))
    else:
        division = divided(builds, index, scheme)
        chosen, notes = _in_scheme(what, samples, division.splits, scheme), tell(index, division, scheme)
    place_of: dict[int, int] = {}
    for position, (row, _) in enumerate(chosen):
        place_of.setdefault(row, position)
    near = [
        replace(link, first=place_of[link.first], second=place_of[link.second])
        for link in index.near_links()
        if link.first in place_of and link.second in place_of
    ]
    looks = _looks(index)
    sources = tuple(built.id for built in builds)
    gathered = Gathered(what, [sample for _, sample in chosen], notices, sources, notes)
    return OfBuilds(gathered, [looks[row] for row, _ in chosen], near)


Chosen = list[tuple[int, Sample]]
"""Rows of an index, each with what it is in the split that is audited."""


def _in_scheme(what: str, samples: Sequence[Sample], splits: Sequence[str | None], scheme: str) -> Chosen:
    chosen = [
        (row, replace(sample, split=part))
        for row, (sample, part) in enumerate(zip(samples, splits, strict=True))
        if part is not None
    ]
    if not chosen:
        raise UsageError(f"{what}: expected a scheme that puts rows into some part, found none in {scheme!r}")
    return chosen


def _listed(samples: Sequence[Sample], listing: Listing) -> tuple[Chosen, list[Notice]]:
    """Find the rows that a table means, by the id of the sample, the name of its file, or its hash."""
    names = Names([sample.name for sample in samples])
    by_hash: dict[str, list[int]] = defaultdict(list)
    for number, sample in enumerate(samples):
        by_hash[sample.sha256].append(number)
    chosen: Chosen = []
    missing: list[Row] = []
    for row in listing.rows:
        found = names.find(row.file) if row.file else []
        if len(found) != 1 and row.sha256:
            found = by_hash.get(row.sha256.lower(), [])[:1]
        if len(found) != 1:
            missing.append(row)
            continue
        own = samples[found[0]]
        told = replace(own, label=row.label or own.label, patient=row.patient or own.patient)
        chosen.append((found[0], replace(told, name=row.file or own.name, split=row.split)))
    if not chosen:
        first = listing.rows[0]
        raise UsageError(
            f"{listing.title}: expected ids of samples, such as {samples[0].name!r}, file names or sha256, found none "
            f"of {len(listing.rows):,} in the build: the first is {(first.file or first.sha256)!r}"
        )
    notices = list(listing.notices)
    if missing:
        what = (
            f"{len(missing):,} rows of the table are in no row of the build, or in several: {missing[0].file!r} first"
        )
        notices.append(Notice("row not there", missing[0].where, what, count=len(missing)))
    return chosen, notices


def _samples(builds: Sequence[Built], index: Index) -> list[Sample]:
    """Take the rows of an index, in no part yet."""
    patients, known = index.strings("patient_id"), index.column("patient_known")
    labels, ties, hashes = index.strings("label"), index.ties, index.texts("sha256")
    reads = [read for built in builds for read in _reads(built)]
    if len(reads) != len(patients):  # a view has other rows than the build that it was made of, whose evidence this is
        reads = [None] * len(patients)
    samples = []
    for row, name in enumerate(index.texts("sample_id")):
        who = patients[row]
        unknown = None if who is None or known[row] or is_everybody(who) else who
        samples.append(
            Sample(
                name,
                "",
                labels[row],
                who if known[row] else None,
                unknown,
                tuple(tie for tie in ties[row] if not is_everybody(tie)),
                read=reads[row],
                sha256=hashes[row],
            )
        )
    return samples


def _reads(built: Built) -> list[Callable[[], bytes] | None]:
    shown = open_table(built)["image"].is_valid().to_pylist()
    return [partial(_read, built, row) if is_shown else None for row, is_shown in enumerate(shown)]


def _read(built: Built, row: int) -> bytes:
    cell = open_table(built)["image"][row].as_py()
    if cell is None or cell.get("bytes") is None:
        raise DamagedFileError(f"{built.id} row {row}: expected a picture, found none")
    return bytes(cell["bytes"])


def _looks(index: Index) -> list[Look | None]:
    """Take what the build saw."""
    columns = ("sha256", "pixel_hash", "blank")
    return [
        Look(Measured(sha256, pixel_hash=pixels), blank=bool(blank))
        for sha256, pixels, blank in zip(*(index.table[name].to_pylist() for name in columns), strict=True)
    ]
