"""What users ask about splits: the rows of a scheme, and its audit."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pyarrow as pa

from covid_datasets.catalog.cards import Name, names_in
from covid_datasets.errors import UsageError
from covid_datasets.load.schemes import splits_of
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from covid_datasets.splits.assign import TABLE_SPLIT
from covid_datasets.splits.audit import AuditReport, audit_links
from covid_datasets.splits.index import Index

COLUMNS = ("sample_id", "patient_id", "patient_known", "group", "split", "label", "sha256", "pixel_hash", "phash")


def load_splits(
    name: Name,
    scheme: str = "patient",
    *,
    config: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> pa.Table:
    """Return one row per sample of a finished build: its split under a scheme, and hashes that anyone can check."""
    built = with_patients(find_build(name, config, cache_dir=cache_dir))
    index = Index.read(built.path)
    table = index.table
    if scheme != "patient":
        splits = pa.array(splits_of([built], index, scheme), pa.string())
        table = table.set_column(table.schema.get_field_index("split"), "split", splits)
    return table.select(COLUMNS)


def audit(
    name: Name | Sequence[Name],
    scheme: str = "patient",
    *,
    config: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> AuditReport:
    """Check whether a split of a finished build keeps patients, articles and pictures apart.

    Of a list of names, the joint split is checked that ``load_dataset`` gives for the same list.
    """
    builds = [find_build(each, config, cache_dir=cache_dir) for each in names_in(name)]
    if not builds:
        raise UsageError("name: expected a dataset or a list of them, found an empty list")
    if len(builds) == 1:
        return audit_build(builds[0], scheme)
    index, datasets = Index.join([built.path for built in builds]), [built.id for built in builds]
    splits = splits_of(builds, index, scheme)
    samples, labels = index.texts("sample_id"), index.strings("label")
    return audit_links(", ".join(datasets), scheme, splits, samples, labels, index.links)


def with_patients(built: Built) -> Built:
    """Refuse a table, of which nobody is a patient."""
    if built.columns:
        raise UsageError(
            f"{built.id}, config {built.config!r}, is a table without images and patients: all its rows are in the "
            f"split {TABLE_SPLIT!r}, so there is nothing to audit; split it by date or place"
        )
    return built


def audit_build(built: Built, scheme: str) -> AuditReport:
    """Check a scheme of a build against all evidence in its index."""
    with_patients(built)
    index = Index.evidence([built.path])
    splits = index.strings("split") if scheme == "patient" else splits_of([built], index, scheme)
    return audit_links(built.id, scheme, splits, index.texts("sample_id"), index.strings("label"), index.links)


def audit_when_built(built: Built, scheme: str) -> AuditReport:
    """Return the audit that was made when the build was, where it was of this scheme; else check it now."""
    stored = [each for each in built.manifest()["audits"] if each["scheme"] == scheme]
    return AuditReport.from_json(stored[0]) if stored else audit_build(built, scheme)
