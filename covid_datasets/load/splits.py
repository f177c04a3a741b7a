"""What users ask about splits: the rows of a scheme, and its audit."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from covid_datasets.catalog.cards import Name, names_in
from covid_datasets.catalog.published import SPLITS_VERSION, published_file
from covid_datasets.errors import UsageError
from covid_datasets.load.schemes import division_of
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from covid_datasets.splits.assign import TABLE_SPLIT
from covid_datasets.splits.audit import AuditReport, audit_links
from covid_datasets.splits.divide import Division
from covid_datasets.splits.groups import group_names
from covid_datasets.splits.index import Index
from covid_datasets.splits.scheme import canonical
from covid_datasets.splits.told import tell

COLUMNS = ("sample_id", "patient_id", "patient_known", "group", "split", "label", "sha256", "pixel_hash", "phash")
ABOUT = b"covid_datasets"
"""The key of the schema's metadata under which `load_splits` says, as JSON, what a table of splits is."""


def load_splits(
    name: Name | Sequence[Name],
    scheme: str = "patient",
    *,
    config: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> pa.Table:
    """Return one row per sample of a finished build: its split under a scheme, and hashes that anyone can check.

    Of a list of names, it is the joint split that ``load_dataset`` gives for the same list, in which groups go across
    sources. What the table is, is in the metadata of its schema; see `about_splits`.
    """
    builds = _built(name, config, cache_dir)
    index = Index.join([built.path for built in builds])
    division = _division(builds, index, scheme)
    table = index.table
    if len(builds) > 1:
        groups = pa.array(group_names(index.groups, index.texts("sample_id")), pa.string())
        table = table.set_column(table.schema.get_field_index("group"), "group", groups)
    splits = pa.array(division.splits, pa.string())
    table = table.set_column(table.schema.get_field_index("split"), "split", splits).select(COLUMNS)
    about = {
        "scheme": canonical(scheme),
        "digest": digest_of(index.texts("sample_id"), division.splits),
        "builds": [_about(built) for built in builds],
        "notes": tell(index, division, scheme),
    }
    return table.replace_schema_metadata({ABOUT: json.dumps(about).encode()})


def about_splits(table: pa.Table) -> dict[str, Any]:
    """Say what a table of `load_splits` is: its scheme, its digest, its builds with what was published of them, notes.

    Two tables with one digest give every sample the same split, whoever made them: cite it beside the scheme.
    """
    about: dict[str, Any] = json.loads(table.schema.metadata[ABOUT])
    return about


def digest_of(samples: Iterable[str], splits: Iterable[str | None]) -> str:
    """Digest which sample is in which split, whatever their order.

    >>> digest_of(["a/1", "a/2"], ["train", None]) == digest_of(["a/2", "a/1"], [None, "train"])
    True
    """
    lines = sorted(f"{sample} {split or ''}\n" for sample, split in zip(samples, splits, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


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
    builds = _built(name, config, cache_dir)
    if len(builds) == 1:
        return audit_build(builds[0], scheme)
    index = Index.join([built.path for built in builds])
    division = _division(builds, index, scheme)
    return _audited(", ".join(built.id for built in builds), scheme, index, division)


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
    return _audited(built.id, scheme, index, _division([built], index, scheme))


def audit_when_built(built: Built, scheme: str) -> AuditReport:
    """Return the audit that was made when the build was, where it was of this scheme; else check it now."""
    stored = [each for each in built.manifest()["audits"] if each["scheme"] == scheme]
    return AuditReport.from_json(stored[0]) if stored else audit_build(built, scheme)


def _built(name: Name | Sequence[Name], config: str | None, cache_dir: str | os.PathLike[str] | None) -> list[Built]:
    builds = [with_patients(find_build(each, config, cache_dir=cache_dir)) for each in names_in(name)]
    if not builds:
        raise UsageError("name: expected a dataset or a list of them, found an empty list")
    return builds


def _division(builds: Sequence[Built], index: Index, scheme: str) -> Division:
    if len(builds) == 1 and canonical(scheme) == "patient":
        return Division(index.texts("split"))  # as it was built
    return division_of(builds, index, scheme)


def _audited(dataset: str, scheme: str, index: Index, division: Division) -> AuditReport:
    samples, labels = index.texts("sample_id"), index.strings("label")
    notes = tell(index, division, scheme)
    return audit_links(dataset, scheme, division.splits, samples, labels, index.links, notes)


def _about(built: Built) -> dict[str, Any]:
    """Name a build, and the file in which its split is published, if there is one, with its digest."""
    path, published = published_file(built.id), None
    if path.exists():
        published = {"version": SPLITS_VERSION, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    return {
        "id": built.id,
        "version": built.version,
        "config": built.config,
        "fingerprint": built.fingerprint,
        "published": published,
    }
