"""The last steps of a view: its files, its index and that of its source, its report and, as its end, its manifest."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from covid_datasets.catalog.published import SPLITS
from covid_datasets.columns import COLUMNS, INDEX_FILE, SOURCE_INDEX
from covid_datasets.disk import read_json, whole
from covid_datasets.errors import BuildError, FunctionError, UsageError
from covid_datasets.features import arrow_schema, features_dict
from covid_datasets.prepare.derived.asked import VIEW_FORMAT, Derivation
from covid_datasets.prepare.derived.derive import FAILED, not_found
from covid_datasets.prepare.derived.stacks import none_fits
from covid_datasets.prepare.derived.work import UNWINDOWED, VIEW_INDEX
from covid_datasets.prepare.finish import fingerprint_of
from covid_datasets.prepare.huggingface import built_as, write_huggingface
from covid_datasets.prepare.place import Place
from covid_datasets.prepare.plan import Plan
from covid_datasets.prepare.report import count_told, notices_text, table_text, told_of
from covid_datasets.prepare.result import REPORT_FILE, Built, people
from covid_datasets.prepare.seal import seal
from covid_datasets.prepare.settle import lay_out, write_splits
from covid_datasets.schema import Notice

SHOWN = 5
"""Rows that an error names."""


def finish_view(source: Built, wanted: Derivation, plan: Plan, place: Place, final: Path, started: float) -> None:
    """Assemble the finished folder ``final`` from the pieces; ``started`` is when the work began.

    Raises:
        UsageError: No row could be brought to what is wanted.
    """
    read = [place.index(piece.number) for piece in plan.pieces]
    notices = [*plan.notices, *(notice for _, told, _ in read for notice in told)]
    index = pa.concat_tables([pa.Table.from_batches([], VIEW_INDEX), *(_plain(table) for table, _, _ in read)])
    left_out = [notice for notice in notices if notice.dropped]
    if left_out and not index.num_rows:  # what only pixels tell
        raise UsageError(none_fits(source, wanted, left_out))
    _check_failed(source, wanted, notices, index.num_rows)
    names: list[str] = index.column("sample_id").to_pylist()
    splits: list[str] = index.column("split").to_pylist()
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise BuildError(f"{source.id}: expected each sample of a view once, found {twice[0]!r} and others twice")
    rows_of = [table.column("row").to_pylist() for table, _, _ in read]
    planned = [(piece.split, rows) for piece, rows in zip(plan.pieces, rows_of, strict=True)]
    layout = lay_out(planned, dict(zip(index.column("row").to_pylist(), splits, strict=True)))
    columns = {**COLUMNS, **wanted.columns}
    files = write_splits(layout, place, planned, final, SPLITS, arrow_schema(columns), plan.batch_bytes)
    _write_index(index, final)
    shutil.copyfile(source.path / INDEX_FILE, final / SOURCE_INDEX)  # it joins this view with other sources, as it does
    build = _build(source, wanted, index, notices)
    info = read_json(source.path / SPLITS[0] / "dataset_info.json")
    info["description"] = f"{str(info['description']).partition('Built by')[0].strip()}\n\n{built_as(build)}"
    write_huggingface(info | {"features": features_dict(columns)}, build, files, final)
    with whole(final / REPORT_FILE, durable=False) as private:
        private.write_text(_report(source, build, notices), encoding="utf-8")
    manifest = source.manifest()
    said = {
        "build": build | {"seconds": round(time.perf_counter() - started, 3)},
        "inputs": manifest["inputs"] | {"view": wanted.parameters, "view_format": VIEW_FORMAT},
        **{name: manifest[name] for name in ("origins", "shares", "audits")},
        "notices": [asdict(notice) for notice in notices],
    }
    seals = {piece.number: told for piece, (_, _, told) in zip(plan.pieces, read, strict=True)}
    linked = {
        f"{split}/{name}": seals[piece]
        for split, of_split in files.items()
        for name, (piece, _) in zip(of_split, layout.files[split], strict=False)
        if piece is not None
    }
    seal(final, said, linked)


def _plain(table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata(None)


def _write_index(index: pa.Table, final: Path) -> None:
    with (
        whole(final / INDEX_FILE, durable=False) as private,
        pa.OSFile(str(private), "wb") as sink,
        pa.ipc.new_file(sink, VIEW_INDEX) as writer,
    ):
        for batch in index.to_batches():
            writer.write_batch(batch)


def _build(source: Built, wanted: Derivation, index: pa.Table, notices: Sequence[Notice]) -> dict[str, Any]:
    columns = {name: index.column(name).to_pylist() for name in ("sample_id", "row_sha256", "split", "label", "group")}
    columns |= {name: index.column(name).to_pylist() for name in ("patient_id", "patient_known")}
    known = {id for id, sure in zip(columns["patient_id"], columns["patient_known"], strict=True) if sure}
    digests = zip(columns["sample_id"], zip(columns["row_sha256"], columns["split"], strict=True), strict=True)
    counts = Counter(columns["split"])
    return {
        **{name: getattr(source, name) for name in ("id", "version", "config", "lost", "incomplete", "verify")},
        "fingerprint": wanted.fingerprint(source.fingerprint),
        "rows": index.num_rows,
        "patients": len(known) or None,
        "groups": len(set(columns["group"])),
        "unknown": columns["patient_known"].count(False),
        "splits": {split: counts[split] for split in SPLITS},
        "labels": dict(sorted(Counter(label or "unlabelled" for label in columns["label"]).items())),
        "dropped": source.dropped + sum(notice.count for notice in notices if notice.dropped),
        "columns": {},
        "view": {
            "name": wanted.name,
            "parameters": wanted.parameters,
            "source": source.fingerprint,
            "content": fingerprint_of(dict(digests)),
            "left_out": sum(notice.count for notice in notices if notice.dropped),
            "unwindowed": count_told(notices, UNWINDOWED),
            **_derived(wanted, notices),
        },
    }


def _derived(wanted: Derivation, notices: Sequence[Notice]) -> dict[str, Any]:
    """Say what a function added, what it was, and of how many rows it found nothing."""
    if wanted.made is None:
        return {}
    found = {"not_found": count_told(notices, not_found(wanted.made)), "failed": count_told(notices, FAILED)}
    return {"columns": dict(wanted.columns), "derived_by": wanted.made.provenance, **found}


def _check_failed(source: Built, wanted: Derivation, notices: Sequence[Notice], rows: int) -> None:
    """Refuse what a function raised too often for, with the rows and the reasons."""
    failed = told_of(notices, FAILED)
    count, made = sum(notice.count for notice in failed), wanted.made
    if made is None or count <= made.declared.tolerance * rows:
        return
    shown = "; ".join(f"{notice.where}: {notice.what}" for notice in failed[:SHOWN])
    more = f"; and {len(failed) - SHOWN:,} more" if len(failed) > SHOWN else ""
    raise FunctionError(
        f"{made.text} raised for {count:,} of {rows:,} rows of {source.id}@{source.version}; of "
        f"{made.declared.tolerance:.3g} of them it may (tolerance of @derives): {shown}{more}. Next: mend the "
        "function, and run the same command again"
    )


def _report(source: Built, build: Mapping[str, Any], notices: Sequence[Notice]) -> str:
    view = build["view"]
    said = "\n".join(f"- `{name}`: {value}" for name, value in view["parameters"].items())
    if "derived_by" in view:
        by = ", ".join(f"{name} {value}" for name, value in view["derived_by"].items() if value)
        none, failed = view["not_found"], view["failed"]
        said += f"\n\nDerived by {by}. In {none:,} rows nothing was found, and it failed for {failed:,}."
    shown = f"{people(build['patients'], build['groups'], build['unknown'])}, {view['left_out']:,} left out"
    return "\n".join(
        [
            f"# {source.id}@{source.version}, config {source.config}, as {view['name']}\n",
            f"{build['rows']:,} rows of {shown}. Fingerprint `{build['fingerprint']}`.\n",
            f"## What was changed\n\n{said}\n\nMade of the build with the fingerprint `{source.fingerprint}`.\n",
            table_text("Splits", build["splits"]),
            table_text("Labels", build["labels"]),
            notices_text(notices),
        ]
    )
