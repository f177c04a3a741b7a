"""The last steps of a build: final splits, Hugging Face layout, index, fingerprint, manifest and report."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from covid_datasets.build.columnar import arrow_array
from covid_datasets.build.pieces import read_piece_index
from covid_datasets.build.plan import Plan, full_published
from covid_datasets.build.report import write_report
from covid_datasets.build.result import MANIFEST_FILE, REPORT_FILE
from covid_datasets.build.settle import lay_out, write_splits
from covid_datasets.catalog import Card
from covid_datasets.errors import IncompleteSourceError
from covid_datasets.features import features_dict
from covid_datasets.fetch.obtain import Obtained
from covid_datasets.schema import Notice
from covid_datasets.splits.assign import SPLITS, assign
from covid_datasets.splits.audit import AuditReport, audit_links
from covid_datasets.splits.index import INDEX_FILE, Index

SHOWN = 20


def finish(
    card: Card,
    inputs: dict[str, Any],
    plan: Plan,
    obtained: Obtained,
    work: Path,
    final: Path,
    measured: dict[str, Any],
) -> None:
    """Assemble the finished folder from the pieces in ``work``; the manifest is written last."""
    read = [read_piece_index(work, piece.number) for piece in plan.pieces]
    notices = [*plan.notices, *(notice for _, told in read for notice in told)]
    notices += _told(obtained, {notice.where for notice in notices})
    table = pa.concat_tables([table.replace_schema_metadata(None) for table, _ in read]) if read else None
    dropped = sum(notice.dropped for notice in notices)
    incomplete = _check_complete(card, inputs, plan, table.num_rows if table else 0, obtained, notices)
    if table is None or table.num_rows == 0:
        raise IncompleteSourceError(_list(f"{card.id}: not one row could be built", notices))
    planned = [
        (piece.split, part.column("row").to_pylist()) for piece, (part, _) in zip(plan.pieces, read, strict=True)
    ]

    by_row = table.take(arrow_array(np.argsort(table.column("row").to_numpy()).tolist(), pa.int64()))
    index = Index(by_row)
    rows: list[int] = by_row.column("row").to_pylist()
    splits = assign(index.groups, index.texts("patient_id"), full_published(card.id))
    layout = lay_out(planned, dict(zip(rows, splits, strict=True)))
    names = write_splits(layout, work, planned, final)

    position = {row: place for place, row in enumerate(rows)}
    order = [position[row] for row in layout.order()]
    stored = _write_index(by_row, splits, index.groups, order, final)
    counts = {split: splits.count(split) for split in SPLITS}
    digests = zip(index.texts("row_sha256"), splits, strict=True)
    fingerprint = fingerprint_of(dict(zip(index.texts("sample_id"), digests, strict=True)))
    audits = [_audit(card.id, "patient", splits, index)]
    if card.official_split:
        audits.append(_audit(card.id, "official", index.strings("official_split"), index))
    labels = Counter(label or "unlabelled" for label in index.strings("label"))
    build = {
        "id": card.id,
        "version": inputs["version"],
        "config": inputs["config"],
        "fingerprint": fingerprint,
        "rows": by_row.num_rows,
        "patients": len(set(index.texts("patient_id"))),
        "splits": counts,
        "labels": dict(sorted(labels.items())),
        "dropped": dropped,
        "seconds": measured["seconds"](),
        "peak_rss_mb": measured["peak_rss_mb"],
        "incomplete": incomplete,
        "verify": inputs["verify"],
    }
    _write_huggingface(card, build, names, final)
    origins = [asdict(origin) for origin in obtained.origins]
    quality = Counter(grade for grade in index.strings("quality") if grade)
    comparison = compare(card, inputs["version"], build)
    report = write_report(card, build, origins, notices, quality, audits, comparison)
    (final / REPORT_FILE).write_text(report, encoding="utf-8")
    manifest = {
        "build": build,
        "inputs": inputs,
        "origins": origins,
        "comparison": comparison,
        "groups": len(set(index.groups)),
        "audits": [audit.to_json() for audit in audits],
        "notices": [asdict(notice) for notice in notices],
        "index_rows": stored,
    }
    _write_json(final / MANIFEST_FILE, manifest)


def _told(obtained: Obtained, told: set[str]) -> list[Notice]:
    """Turn what the survey of the raw files found into notices, unless a record told of the same file."""
    found = [Notice("extra file", path, "belongs to no resource of the catalog") for path in obtained.extra]
    found += [
        Notice("file not served", path, "in the content manifest, but in no copy")
        for path in obtained.missing
        if path not in told
    ]
    return found


def _check_complete(
    card: Card, inputs: dict[str, Any], plan: Plan, kept: int, obtained: Obtained, notices: Sequence[Notice]
) -> bool:
    """Fail where more was lost than the catalog tolerates, unless that was allowed; tell whether it is incomplete."""
    version = card.version(inputs["version"])[1]
    lost = {notice.where for notice in notices if notice.kind in LOSSES}
    expected = version.images or (kept + len(lost))
    short = max(len(lost), expected - kept) if _counts_apply(card, inputs) else len(lost)
    if short <= version.tolerance * expected:
        return False
    if bool(inputs["allow_missing"]):
        return True
    title = (
        f"{card.id}@{inputs['version']}: {short:,} of {expected:,} images are missing or damaged; "
        f"the catalog tolerates {version.tolerance:.1%}"
    )
    hint = "To build what is there, marked incomplete: allow_missing=True, or --allow-missing."
    raise IncompleteSourceError(_list(title, [n for n in notices if n.kind in LOSSES]) + "\n" + hint)


LOSSES = ("missing file", "damaged file", "empty file", "changed or damaged", "undecodable (poor)")
"""Kinds of notices that mean an image of the source is not in the dataset though it should be."""


def _counts_apply(card: Card, inputs: dict[str, Any]) -> bool:
    """Expected counts are of the first config, which is the whole source."""
    return str(inputs["config"]) == next(iter(card.configs))


def _list(title: str, notices: Sequence[Notice]) -> str:
    lines = [f"  {notice.where}: {notice.kind}: {notice.what}" for notice in notices[:SHOWN]]
    more = [f"  … and {len(notices) - SHOWN:,} more"] if len(notices) > SHOWN else []
    return "\n".join([title, *lines, *more])


def compare(card: Card, version: str, build: dict[str, Any]) -> list[str]:
    """Hold the counts of a build against those of the catalog."""
    expected = card.version(version)[1]
    if build["config"] != next(iter(card.configs)):
        return []
    lines = []
    for name, wanted, found in (
        ("rows", expected.images, build["rows"]),
        ("patients", expected.patients, build["patients"]),
    ):
        if wanted is not None:
            lines.append(f"{name}: expected {wanted:,}, found {found:,}" + ("" if wanted == found else " (differs)"))
    for label, wanted in expected.labels.items():
        found = build["labels"].get(label, 0)
        lines.append(f"{label}: expected {wanted:,}, found {found:,}" + ("" if wanted == found else " (differs)"))
    return lines


def _audit(dataset: str, scheme: str, splits: Sequence[str | None], index: Index) -> AuditReport:
    return audit_links(dataset, scheme, splits, index.texts("sample_id"), index.strings("label"), index.links)


def _write_index(by_row: pa.Table, splits: list[str], groups: list[int], order: list[int], final: Path) -> int:
    names = by_row.column("sample_id").to_pylist()
    table = by_row.append_column("split", arrow_array(splits, pa.string()))
    table = table.append_column("group", arrow_array([names[group] for group in groups], pa.string()))
    table = table.take(arrow_array(order, pa.int64())).combine_chunks()
    with pa.OSFile(str(final / INDEX_FILE), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return int(table.num_rows)


def fingerprint_of(rows: Mapping[str, tuple[str, str]]) -> str:
    """Digest every row with its split, by sample id: what a paper cites and any machine can check.

    >>> fingerprint_of({"a": ("0f", "train")}) == fingerprint_of({"a": ("0f", "test")})
    False
    """
    digest = hashlib.sha256()
    for sample in sorted(rows):
        digest.update("{} {}\n".format(*rows[sample]).encode())
    return digest.hexdigest()


def _write_huggingface(card: Card, build: dict[str, Any], names: dict[str, list[str]], final: Path) -> None:
    """Write the small files beside the Arrow files that ``datasets.load_from_disk`` expects."""
    _write_json(final / "dataset_dict.json", {"splits": list(SPLITS)})
    for split in SPLITS:
        info = {
            "dataset_name": card.id,
            "config_name": build["config"],
            "description": card.summary,
            "homepage": card.homepage,
            "license": card.licence.spdx or card.licence.terms,
            "citation": "\n\n".join(citation.bibtex() for citation in card.citations),
            "features": features_dict(),
            "splits": {split: {"name": split, "num_examples": build["splits"][split], "dataset_name": card.id}},
        }
        state: dict[str, Any] = {
            "_data_files": [{"filename": name} for name in names[split]],
            "_fingerprint": hashlib.sha256(f"{build['fingerprint']}/{split}".encode()).hexdigest()[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": split,
        }
        _write_json(final / split / "dataset_info.json", info)
        _write_json(final / split / "state.json", state)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
