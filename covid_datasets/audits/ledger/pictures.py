"""What the pictures of a split tell: its lists laid over a finished build of the source that the pictures are of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from covid_datasets.audits.ledger.lists import Row
from covid_datasets.audits.ledger.weigh import SHOWN
from covid_datasets.catalog.ledger import Entry, filled
from covid_datasets.load.splits import load_splits
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from covid_datasets.splits.audit import audit_links
from covid_datasets.splits.index import Index


@dataclass(frozen=True, slots=True)
class Finding:
    """What one kind of evidence of a build says: groups of rows that belong together, and those in several parts."""

    kind: str
    groups: int
    straddling: int
    rows: int
    examples: tuple[str, ...]


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
    findings: tuple[Finding, ...]
    contradictions: int
    contradicting: tuple[str, ...]


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
    sample = entry.built
    names = [(f"{sample.source}/{filled(sample.id, row)}", row) for row in rows]
    return _over_all(entry, names, built, index)


def _over_all(entry: Entry, names: Sequence[tuple[str, Row]], built: Built, index: Index) -> tuple[Pictures, ...]:
    variants = sorted({row.get("variant", "") for _, row in names})
    return tuple(
        _over(entry, variant, [each for each in names if each[1].get("variant", "") == variant], built, index)
        for variant in variants
    )


def rows_of_scheme(entry: Entry, cache_dir: str | os.PathLike[str] | None = None) -> list[Row]:
    """Return the rows of the build that an entry's scheme puts into a part, as a list of it would say them.

    Raises:
        NotBuiltError: The source is not built here.
    """
    if entry.built is None:
        return []
    build, config = entry.built.build, entry.built.config or None
    return [
        {
            "name": row["sample_id"].removeprefix(f"{entry.built.source}/"),
            "patient": row["patient_id"] if row["patient_known"] else "",
            "label": row["label"] or "",
            "split": row["split"],
        }
        for row in load_splits(build, entry.scheme, config=config, cache_dir=cache_dir).to_pylist()
        if row["split"]
    ]


def _over(entry: Entry, variant: str, names: Sequence[tuple[str, Row]], built: Built, index: Index) -> Pictures:
    splits: dict[str, set[str]] = {}
    for name, row in names:
        splits.setdefault(name, set()).add(row["split"])
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
        findings=tuple(
            Finding(each.kind, each.groups, each.straddling, each.leaking_rows, each.examples[:SHOWN])
            for each in report.findings
        ),
        contradictions=len(report.contradictions),
        contradicting=report.contradictions[:SHOWN],
    )
