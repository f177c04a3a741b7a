"""What the pictures of a split tell: its lists laid over a finished build of the source that the pictures are of."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from covid_datasets.audits.ledger.lists import Row
from covid_datasets.catalog.ledger import Entry, Sample, filled
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from covid_datasets.splits.audit import audit_links
from covid_datasets.splits.index import Index


@dataclass(frozen=True, slots=True)
class Pictures:
    """The audit of one variant over a build: which build, how many listed names it has and lacks, and what was found.

    ``in_several`` are names that the lists put into several parts: no part is theirs, so they are left out here.
    ``unlisted`` are rows of the build that no list names.
    """

    variant: str
    build: str
    fingerprint: str
    matched: int
    absent: int
    in_several: int
    unlisted: int
    audit: Mapping[str, Any]


def by_pictures(
    entry: Entry, rows: Sequence[Row], cache_dir: str | os.PathLike[str] | None = None
) -> tuple[Pictures, ...]:
    """Audit each variant by bytes, pixels and looks, and by all that the build knows of people.

    Raises:
        NotBuiltError: The source of the pictures is not built here.
    """
    if entry.built is None:
        return ()
    built = find_build(entry.built.build, entry.built.config or None, cache_dir=cache_dir)
    index = Index.evidence([built.path])
    variants = sorted({row.get("variant", "") for row in rows})
    of_variant = {variant: [row for row in rows if row.get("variant", "") == variant] for variant in variants}
    return tuple(_over(entry, entry.built, (variant, of_variant[variant]), built, index) for variant in variants)


def _over(entry: Entry, sample: Sample, listed: tuple[str, Sequence[Row]], built: Built, index: Index) -> Pictures:
    variant, rows = listed
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(f"{sample.source}/{filled(sample.id, row)}", set()).add(row["split"])
    samples = index.texts("sample_id")
    alone = {name: next(iter(said)) for name, said in splits.items() if len(said) == 1}
    given = [alone.get(name) for name in samples]
    report = audit_links(built.id, entry.id, given, samples, index.strings("label"), index.links)
    return Pictures(
        variant=variant,
        build=f"{built.id}@{built.version}",
        fingerprint=built.fingerprint,
        matched=len(splits.keys() & set(samples)),
        absent=len(splits.keys() - set(samples)),
        in_several=len(splits) - len(alone),
        unlisted=len(set(samples) - splits.keys()),
        audit=report.to_json(),
    )
