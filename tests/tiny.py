"""Sources made for one test, in place of the installed ones: a card, a builder and its raw tree.

The installed catalogs and builders are two packages, so a test puts its own folders into their search paths.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import covid_datasets.builders
import covid_datasets.catalogs
import pytest

from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.errors import CovidDatasetsError

CARD = """\
title = "Tiny"
summary = "A list and its pictures."
seed_names = []
modalities = ["CXR"]
task = "classification"
homepage = ""
default_version = "1"

[[citations]]
key = "tiny2020"
title = "Tiny"
author = ["Nobody"]
year = 2020

[licence]
spdx = "CC0-1.0"
terms = "Made for a test."
redistribution = "yes"
commercial = "yes"

[access]
kind = "open"

[patients]
known = "all"
how = "The list says."
"""
VERSION = """
[versions.1]
resources = ["files"]

[[resources]]
name = "files"
kind = "archive"
manifest = "tiny.tsv"

[[resources.copies]]
url = "https://first.org/files.zip"

[[resources.copies]]
url = "https://second.org/archive/0c1d.zip"
root = "tiny-0c1d/"
rename = { "%" = "_" }
"""
BUILDER = '''
"""Reads list.csv: file, patient, finding."""

from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Record
from covid_datasets.catalog.taxonomy import classify


def records(raw):
    table = read_csv(raw, "list.csv", required=("file", "patient", "finding"))
    yield from table.notices
    for row in table.rows:
        yield Record(
            sample_id=row["file"],
            image=File(row["file"]),
            modality="CXR",
            patient=row["patient"],
            label=classify(row["finding"]),
            source_row=row,
        )
'''


def write_manifest(path: Path, files: Mapping[str, bytes]) -> None:
    """Write the content manifest of files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{name}\t{len(data)}\t{hashlib.sha256(data).hexdigest()}\t\n" for name, data in sorted(files.items())]
    path.write_text("path\tsize\tsha256\tgit_sha1\n" + "".join(lines), encoding="utf-8")


@contextmanager
def installed(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    cards: Mapping[str, str],
    builders: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Iterator[Path]:
    """Let the library see these cards, these builders besides its own, and ``tiny.tsv`` as the manifest of files."""
    catalogs, own = folder / "catalogs", folder / "builders"
    catalogs.mkdir(parents=True)
    own.mkdir()
    for shared in catalog_folder().glob("_*.toml"):
        shutil.copy(shared, catalogs)
    for name, text in cards.items():
        (catalogs / f"{name}.toml").write_text(text, encoding="utf-8")
    for name, text in (builders or {}).items():
        (own / f"{name}.py").write_text(text, encoding="utf-8")
    write_manifest(catalogs / "manifests" / "tiny.tsv", files or {})
    monkeypatch.setattr(covid_datasets.catalogs, "__path__", [str(catalogs)])
    monkeypatch.setattr(covid_datasets.builders, "__path__", [*covid_datasets.builders.__path__, str(own)])
    forget(builders or {})
    yield catalogs
    forget(builders or {})


@contextmanager
def at_most_a_clear_error(*said: str) -> Iterator[None]:
    """Let an error of this library pass if its message holds every given text, and no other error."""
    try:
        yield
    except CovidDatasetsError as error:
        if any(part not in str(error) for part in said) or not str(error):
            raise AssertionError(f"expected a message with {said}, found {str(error)!r}") from error


def forget(builders: Mapping[str, str]) -> None:
    """Drop what is remembered by name only: manifests and the builders of this test."""
    read_manifest.cache_clear()
    for name in builders:
        sys.modules.pop(f"covid_datasets.builders.{name}", None)


def card_without_proofs(name: str) -> str:
    """Give an installed card without hashes, sizes and counts, so that phantom pictures pass for the source."""
    text = (catalog_folder() / f"{name}.toml").read_text(encoding="utf-8")
    return re.sub(r"(?m)^(manifest|sha256|size|images|patients|labels|tolerance) = .*\n", "", text)
