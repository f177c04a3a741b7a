"""Which rows of which builds make up each split that a caller gets."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from covid_datasets.columns import INDEX_FILE
from covid_datasets.load.splitspec import Range, parse_split
from covid_datasets.load.stored import StoredGroups, open_table
from covid_datasets.prepare.disjoint import check_disjoint
from covid_datasets.prepare.result import Built

if TYPE_CHECKING:
    from covid_datasets.load.filters import Condition
    from covid_datasets.splits.kept import Splits

Groups: TypeAlias = "pa.Array | StoredGroups"
Rows = np.ndarray
"""Row numbers of one build, counted through its train, validation and test files in order."""


class Picked(NamedTuple):
    """Some rows of one build; what a caller gets is a list of these.

    ``groups`` names the group of every row of the build, also of those that are not picked; a table has none.
    """

    build: Built
    rows: Rows
    groups: Groups | None


@dataclass(frozen=True)
class Selection:
    """For each split, the rows of each build, in order; and of each build the group of every row."""

    builds: tuple[Built, ...]
    splits: Mapping[str, tuple[Rows, ...]]
    groups: tuple[Groups | None, ...]

    def whole(self, name: str) -> list[Picked]:
        """Return a split, build after build."""
        parts = zip(self.builds, self.splits[name], self.groups, strict=True)
        return [Picked(*part) for part in parts]

    def range(self, spec: str) -> list[Picked]:
        """Pick rows by a split specification, in its order. A share of a split, in per cents, tears no group apart."""
        sizes = {name: sum(map(len, rows)) for name, rows in self.splits.items()}
        ranges = parse_split(spec, sizes)
        if any(sizes.values()) and not any(sizes[wanted.split] for wanted in ranges):
            left = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
            warnings.warn(f"split {spec!r} is empty; rows that are left: {left}", stacklevel=3)
        picked = []
        for wanted in ranges:
            parts = self.whole(wanted.split)
            if wanted.share and all(of_build is not None for of_build in self.groups):
                shares = _share(parts, wanted)
                picked += shares
                if wanted.stop > wanted.start and not any(len(part.rows) for part in shares):
                    text = f"split {spec!r} is empty: patients stay whole, and no group of theirs is small enough"
                    warnings.warn(text, stacklevel=3)
                continue
            offset = 0
            for part in parts:
                rows = part.rows[max(wanted.start - offset, 0) : max(wanted.stop - offset, 0)]
                picked.append(part._replace(rows=rows))
                offset += len(part.rows)
        return picked


def _share(parts: Sequence[Picked], wanted: Range) -> list[Picked]:
    """Take the groups whose middle lies in a range, counted in the order of their first rows.

    So ranges that meet have no group in common and lose none, and where no group has two rows they are the rows that
    Hugging Face gives.
    """
    groups = pa.chunked_array(
        [part.groups.take(pa.array(part.rows)) for part in parts if part.groups is not None], pa.string()
    )
    codes = np.asarray(groups.combine_chunks().dictionary_encode().indices.to_pylist(), dtype=np.int64)
    sizes = np.bincount(codes)
    middles = np.cumsum(sizes) - sizes / 2
    kept = ((middles >= wanted.start) & (middles < wanted.stop))[codes]
    ends = np.cumsum([len(part.rows) for part in parts])
    return [
        part._replace(rows=part.rows[of_part]) for part, of_part in zip(parts, np.split(kept, ends[:-1]), strict=True)
    ]


def stored_splits(build: Built) -> dict[str, Rows]:
    """List the rows of the default splits, which are stored one after the other."""
    found, start = {}, 0
    for split in build.splits:
        found[split] = np.arange(start, start + build.splits[split])
        start += build.splits[split]
    return found


def stored_groups(build: Built) -> StoredGroups | None:
    """Name the group of every row of a build, in stored order; ``None`` of a table."""
    return None if build.columns else StoredGroups(build)


def select(builds: Sequence[Built], scheme: str, folder: Path | None = None) -> Selection:
    """Choose the rows of each split under a scheme; several builds are kept disjoint in people and pictures.

    What takes long to find is kept in ``folder`` for the next call, where one is given.
    """
    if scheme == "patient" and len(builds) == 1:
        splits = {split: (rows,) for split, rows in stored_splits(builds[0]).items()}
        return Selection(tuple(builds), splits, (stored_groups(builds[0]),))
    # Here, so that the splits that are stored need none of it.
    from covid_datasets.catalog.published import SPLITS
    from covid_datasets.splits.kept import kept
    from covid_datasets.splits.schemes import left_out_because

    if folder is None:
        splits, groups = _checked(builds, scheme, _found(builds, scheme))
    else:
        what = _depends_on(builds, scheme)
        splits, groups = kept(
            folder, what, lambda: _found(builds, scheme), lambda found: _checked(builds, scheme, found)
        )
    given = splits.to_pylist()
    if splits.null_count and (why := left_out_because(scheme)):
        text = f"scheme {scheme!r}: {splits.null_count:,} of {len(given):,} rows are in no split, because {why}"
        warnings.warn(text, stacklevel=3)
    names = sorted({split for split in given if split}, key=lambda name: (*SPLITS, name).index(name))
    bounds = np.cumsum([0, *(build.rows for build in builds)])
    column = np.asarray([split or "" for split in given])
    chosen = {
        name: tuple(np.flatnonzero(column[start:stop] == name) for start, stop in pairwise(bounds.tolist()))
        for name in names
    }
    parts = tuple(groups.slice(start, stop - start) for start, stop in pairwise(bounds.tolist()))
    return Selection(tuple(builds), chosen, parts)


def _checked(builds: Sequence[Built], scheme: str, found: Splits) -> Splits:
    """Refuse a split that tears groups; what somebody published is handed on with its leaks, and loading warns."""
    from covid_datasets.splits.schemes import is_given

    def samples() -> list[str]:
        return [sample for build in builds for sample in open_table(build).column("sample_id").to_pylist()]

    if not is_given(scheme):
        what = f"scheme {scheme!r} of {', '.join(build.id for build in builds)}"
        check_disjoint(what, found.splits.to_pylist(), found.groups.to_pylist(), samples)
    return found


def _found(builds: Sequence[Built], scheme: str) -> Splits:
    """Search what joins rows across the builds, and divide the groups."""
    from covid_datasets.load.schemes import division_of, rows_of_source
    from covid_datasets.prepare.columnar import arrow_array
    from covid_datasets.splits.index import Index
    from covid_datasets.splits.kept import Splits

    index = Index.evidence([build.path for build in builds])
    splits = division_of(builds, index, scheme).splits
    starts = np.cumsum([0, *index.sizes]).tolist()
    of_rows = [start + row for build, start in zip(builds, starts, strict=False) for row in rows_of_source(build)]
    return Splits(*(arrow_array([values[row] for row in of_rows], pa.string()) for values in (splits, index.group_ids)))


def _depends_on(builds: Sequence[Built], scheme: str) -> dict[str, Any]:
    """Name all on which a split depends: what the builds are, byte for byte, and what is published."""
    from covid_datasets.splits.scheme import canonical
    from covid_datasets.splits.schemes import published_of

    published = {build.id: dict(sorted(published_of(build.id, scheme).items())) for build in builds}
    return {
        "scheme": canonical(scheme),
        "builds": [f"{build.id}@{build.version}" for build in builds],
        "fingerprints": [build.fingerprint for build in builds],
        "indices": [build.manifest()["files"][INDEX_FILE]["sha256"] for build in builds],
        "published": hashlib.sha256(json.dumps(published).encode()).hexdigest(),
    }


def narrow(selection: Selection, conditions: Sequence[Condition]) -> Selection:
    """Keep the rows whose columns have the wanted values: ``modality="CT"``, ``quality=["good", "questionable"]``."""
    if not conditions:
        return selection
    from covid_datasets.load.filters import tell_if_empty
    from covid_datasets.load.licences import LicenceFilter

    tables = [open_table(build) for build in selection.builds]
    for each in conditions:
        if isinstance(each, LicenceFilter):
            each.check(tables)
    found = [[each.mask(table) for each in conditions] for table in tables]
    masks = [np.logical_and.reduce(of_table) for of_table in found]
    counts = [sum(int(of_table[number].sum()) for of_table in found) for number in range(len(conditions))]
    tell_if_empty(conditions, tables, counts, kept=sum(int(mask.sum()) for mask in masks))
    kept = {
        name: tuple(rows[mask[rows]] for rows, mask in zip(parts, masks, strict=True))
        for name, parts in selection.splits.items()
    }
    return replace(selection, splits=kept)
