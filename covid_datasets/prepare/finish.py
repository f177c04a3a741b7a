"""The last steps of a build: final splits, files, index, fingerprint, report, and, as the mark of the end, manifest."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from covid_datasets.catalog.published import SPLITS, published_splits
from covid_datasets.disk import whole
from covid_datasets.errors import LeakingSplitError
from covid_datasets.features import arrow_schema
from covid_datasets.prepare.completeness import check_complete, compare
from covid_datasets.prepare.disjoint import check_disjoint
from covid_datasets.prepare.huggingface import info_of, write_huggingface
from covid_datasets.prepare.indices import read_indices, write_index
from covid_datasets.prepare.place import Place
from covid_datasets.prepare.plan import Plan
from covid_datasets.prepare.report import write_report
from covid_datasets.prepare.result import REPORT_FILE
from covid_datasets.prepare.seal import seal
from covid_datasets.prepare.settle import Layout, lay_out, write_splits
from covid_datasets.prepare.sheets import write_sheets
from covid_datasets.prepare.source import Source
from covid_datasets.raw.obtain import Obtained
from covid_datasets.schema import Notice
from covid_datasets.splits.assign import TABLE_SPLIT, assign
from covid_datasets.splits.audit import AuditReport, audit_links
from covid_datasets.splits.divide import Division
from covid_datasets.splits.index import Index
from covid_datasets.splits.told import tell

_NAMED_EACH = 5
"""Up to so many extra files of a folder are named one by one."""


def finish(
    source: Source, inputs: dict[str, Any], plan: Plan, place: Place, final: Path, started: float
) -> dict[str, int]:
    """Assemble the finished folder ``final`` from the pieces; ``started`` is when the build began.

    Returns:
        The names of the files that are pieces as their workers wrote them, and the number of each.
    """
    choice, obtained = source.choice, source.obtained
    index, rows_of, told, seals = read_indices(plan, place)
    planned = list(zip((piece.split for piece in plan.pieces), rows_of, strict=True))
    notices = [*plan.notices, *told]
    notices += _told(obtained, {notice.where for notice in notices}, table=bool(choice.columns))
    notices += _several_labels(index) + _shared_bytes(index)
    counts: list[int] = index.table.column("rows").to_pylist()
    incomplete = check_complete(choice, sum(counts), notices, plan.shares, source.allow_missing)
    incomplete = incomplete or obtained.incomplete

    card, columns = choice.card, choice.columns
    published = published_splits(card.id)
    splits = [TABLE_SPLIT] * len(counts) if columns else assign(index.groups, index.units, published, index.places)
    rows: list[int] = index.table.column("row").to_pylist()
    layout = lay_out(planned, dict(zip(rows, splits, strict=True)))
    named = (TABLE_SPLIT,) if columns else SPLITS
    files = write_splits(layout, place, planned, final, named, arrow_schema(columns), plan.batch_bytes)
    position = {row: number for number, row in enumerate(rows)}
    order = [position[row] for row in layout.order()]
    write_index(index, splits, order, final)

    digests = zip(index.texts("sample_id"), zip(index.texts("row_sha256"), splits, strict=True), strict=True)
    labels = Counter(label or "unlabelled" for label in index.strings("label") if not columns)
    unknown = 0 if columns else index.known_patients.count(None)
    build = {
        "id": card.id,
        "version": choice.version,
        "config": choice.config,
        "fingerprint": fingerprint_of(dict(digests)),
        "rows": sum(counts),
        "patients": _patients(index, bool(columns)),
        "groups": 0 if columns else len(set(index.groups)),
        "unknown": unknown,
        "splits": {
            split: sum(count for count, of in zip(counts, splits, strict=True) if of == split) for split in named
        },
        "labels": dict(sorted(labels.items())),
        "dropped": sum(notice.count for notice in notices if notice.dropped),
        "lost": sum(notice.count for notice in notices if notice.lost),
        "incomplete": incomplete,
        "verify": inputs["verify"],
        "columns": dict(columns),
    }
    write_huggingface(info_of(card, build), build, files, final)
    audits = [] if columns else [_disjoint(_audit(card.id, "patient", splits, index), splits, index)]
    if (card.official_split and choice.form.official_split and not columns) or (
        card.own_copy and any(index.strings("official_split"))
    ):
        audits.append(_audit(card.id, "official", index.strings("official_split"), index))
    quality = Counter(grade for grade in index.strings("quality") if grade)
    report = write_report(choice, build, obtained.origins, plan.shares, notices, quality, audits)
    with whole(final / REPORT_FILE, durable=False) as private:
        private.write_text(report, encoding="utf-8")
    noticed = [asdict(notice) for notice in notices]
    samples = () if columns else index.sheet_rows(splits, order)
    write_sheets(final, [(build, samples, noticed)], durable=False)
    manifest = {
        "build": build | {"seconds": round(time.perf_counter() - started, 3)},
        "inputs": inputs,
        "origins": [asdict(origin) for origin in obtained.origins],
        "shares": [asdict(share) for share in plan.shares],
        "comparison": compare(choice, build),
        "audits": [audit.to_json() for audit in audits],
        "notices": noticed,
    }
    linked = _linked(files, layout)
    seal(final, manifest, {name: seals[number] for name, number in linked.items()})
    return {name: plan.pieces[number].number for name, number in linked.items()}


def fingerprint_of(rows: Mapping[str, tuple[str, str]]) -> str:
    """Digest every row with its split, by sample id: what a paper cites and any machine can check.

    >>> fingerprint_of({"a": ("0f", "train")}) == fingerprint_of({"a": ("0f", "test")})
    False
    """
    digest = hashlib.sha256()
    for sample in sorted(rows):
        digest.update("{} {}\n".format(*rows[sample]).encode())
    return digest.hexdigest()


def _linked(files: Mapping[str, list[str]], layout: Layout) -> dict[str, int]:
    """Tell which files are pieces as their workers wrote and hashed them."""
    return {
        f"{split}/{name}": piece
        for split, names in files.items()
        for name, (piece, _) in zip(names, layout.files[split], strict=False)  # a split without rows has a file too
        if piece is not None
    }


def _told(obtained: Obtained, told: set[str], *, table: bool) -> list[Notice]:
    """Turn what the survey of the raw files found into notices, unless a record told of the same file.

    A picture that is not there was missed by its record; the files of a table may be named by none.
    """
    found = list(_extra(obtained.extra))
    found += [Notice("resource not usable", where, why, lost=table) for where, why in obtained.unusable.items()]
    untold = {name: how for name, how in obtained.absent.items() if name not in told}
    found += [Notice("component not present", name, f"to get it: {how}") for name, how in untold.items()]
    absent = [path for path in obtained.missing if path not in told]
    what = "expected by the catalog, but in no copy"
    return found + [Notice("file not served", path, what, lost=table) for path in absent]


def _extra(paths: Sequence[str]) -> Iterator[Notice]:
    """Tell of files that belong to nothing, of many in one folder once: a series of a scanner is a folder of files."""
    folders: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folders[path.rpartition("/")[0]].append(path)
    for folder, inside in folders.items():
        if len(inside) <= _NAMED_EACH:
            yield from (Notice("extra file", path, "belongs to no resource of the catalog") for path in inside)
        else:
            first, last = (path.rpartition("/")[2] for path in (inside[0], inside[-1]))
            what = f"{len(inside):,} files belong to no resource of the catalog: {first} to {last}"
            yield Notice("extra file", folder, what, count=len(inside))


def _patients(index: Index, table: bool) -> int | None:
    """Count the people; unknown where nobody is known, though a group may keep rows together."""
    known = set(index.known_patients) - {None}
    return len(known) if known or table else None


def _several_labels(index: Index) -> list[Notice]:
    """Tell of patients whose rows do not agree; a course of illness or a contradiction, so nothing is changed."""
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for patient, label in zip(index.known_patients, index.strings("label"), strict=True):
        if label is not None and patient is not None:
            labels[patient][label] += 1
    return [
        Notice(
            "patient with several labels",
            patient,
            ", ".join(f"{label} {count}" for label, count in sorted(found.items())),
        )
        for patient, found in sorted(labels.items())
        if len(found) > 1
    ]


def _shared_bytes(index: Index) -> list[Notice]:
    """Tell of files that several patients have: one of them is called wrong, or somebody was given two ids."""
    samples, patients = index.texts("sample_id"), index.strings("patient_id")
    return [
        Notice(
            "one file, several patients", samples[link.second], f"the same bytes as {samples[link.first]}; one group"
        )
        for link in index.links
        if link.kind == "same bytes" and len({patients[link.first], patients[link.second]} - {None}) > 1
    ]


def _disjoint(audit: AuditReport, splits: Sequence[str], index: Index) -> AuditReport:
    """Refuse a build whose default split tears apart what belongs together, by its groups or by any evidence."""
    done = "this build is not published"
    check_disjoint(f"the split of {audit.dataset}", splits, index.group_ids, lambda: index.texts("sample_id"), done)
    if audit.leaks:
        raise LeakingSplitError(f"{audit.dataset}: expected a split that keeps people apart, so {done}: {audit}")
    return audit


def _audit(dataset: str, scheme: str, splits: Sequence[str | None], index: Index) -> AuditReport:
    samples, labels = index.texts("sample_id"), index.strings("label")
    notes = tell(index, Division(splits), scheme)
    return audit_links(dataset, scheme, splits, samples, labels, index.links, notes)
