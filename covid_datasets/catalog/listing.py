"""Listings of series in a public bucket: which there are, whose they are, how many files and bytes each has.

``catalogs/listings/<id>.tsv``, or ``.tsv.gz`` where it is large, is an extract of the index of Imaging Data Commons, so
that nobody needs the index, which is far larger than this library; `covid_datasets.contribute.listing` makes one.

The canonical path of a file is ``<folder of the series in the bucket>/<file>``, so a builder sees one layout only.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TextIO

from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.errors import CatalogError

COLUMNS = (
    "crdc_series_uuid", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "PatientAge", "PatientSex", "StudyDate",
    "StudyDescription", "SeriesDescription", "SeriesNumber", "BodyPartExamined", "Modality", "SOPClassUID",
    "TransferSyntaxUID", "Manufacturer", "ManufacturerModelName", "aws_bucket", "instanceCount", "series_size_MB",
)  # fmt: skip
"""Columns of the index that a listing keeps, under the index's own names."""
ROUNDING_BYTES = 1000
"""The index gives sizes in MB with six decimals; whether the last ones are exact is not said."""


_NAMES = {*COLUMNS}
_FORMS = {
    "crdc_series_uuid": re.compile(r"[0-9a-f-]{36}"),
    "instanceCount": re.compile(r"[1-9][0-9]{0,8}"),
    "series_size_MB": re.compile(r"[0-9]{1,12}(\.[0-9]{1,20})?"),
}
_SUFFIX = ".dcm"
_AS_IN_THE_BUCKET = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.dcm")


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a listing.

    Attributes:
        folder: Its folder in the bucket. It names one version of the series, so its content never changes.
        files: How many files it has.
        bytes: How many bytes they have together, give or take `ROUNDING_BYTES`.
        row: What else the index says about it.
    """

    folder: str
    patient: str
    study: str
    series: str
    files: int
    bytes: int
    row: Mapping[str, str]

    def difference(self, sizes: Sequence[int]) -> str:
        """Say how files of these sizes differ from what is listed; empty where they do not."""
        if len(sizes) != self.files:
            return f"expected {self.files:,} files, found {len(sizes):,}"
        if abs(sum(sizes) - self.bytes) > ROUNDING_BYTES:
            return f"expected {self.bytes:,} bytes in {self.files:,} files, found {sum(sizes):,}"
        return ""


@lru_cache(maxsize=32)
def read_listing(name: str, folder: Path | None = None) -> Mapping[str, Series]:
    """Read ``catalogs/listings/<name>``: folder in the bucket -> series, in the file's order."""
    path = (folder or catalog_folder() / "listings") / name
    found: dict[str, Series] = {}
    try:
        with open_text(path) as lines:
            table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            for number, row in enumerate(table, start=2):
                if not _is_series(row) or row["crdc_series_uuid"] in found:
                    raise CatalogError(f"{path} line {number}: expected a series, each once, found {row}")
                found[row["crdc_series_uuid"]] = _series(row)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise CatalogError(f"{path}: expected a listing of series in UTF-8, found: {error}") from error
    if not found:
        raise CatalogError(f"{path}: expected a listing of series, found none")
    return MappingProxyType(found)


def open_text(path: Path) -> TextIO:
    """Open a listing, packed or not."""
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def chosen(name: str, only: Mapping[str, Sequence[str]]) -> Mapping[str, Series]:
    """Read the part of a listing whose columns hold one of the values that are named for them.

    >>> len(chosen("midrc_ricord_1a.tsv", {"Modality": ["CT"]})) <= len(chosen("midrc_ricord_1a.tsv", {}))
    True
    """
    series = read_listing(name)
    if not only:
        return series
    if unknown := sorted(set(only) - set(COLUMNS)):
        raise CatalogError(f"listings/{name}: key 'only': expected columns of {', '.join(COLUMNS)}, found {unknown}")
    part = {
        folder: one for folder, one in series.items() if all(one.row[key] in values for key, values in only.items())
    }
    if not part:
        raise CatalogError(f"listings/{name}: key 'only': expected some of {len(series):,} series, found none")
    return part


def _is_series(row: Mapping[str | None, str | None]) -> bool:
    return (
        row.keys() == _NAMES
        and None not in row.values()
        and all(row[name] for name in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID"))
        and all(form.fullmatch(row[name] or "") for name, form in _FORMS.items())
    )


def _series(row: Mapping[str, str]) -> Series:
    return Series(
        folder=row["crdc_series_uuid"],
        patient=row["PatientID"],
        study=row["StudyInstanceUID"],
        series=row["SeriesInstanceUID"],
        files=int(row["instanceCount"]),
        bytes=round(float(row["series_size_MB"]) * 1e6),
        row={sys.intern(name): sys.intern(value) for name, value in row.items()},  # most of them repeat
    )


def by_folder(names: Iterable[str]) -> dict[str, list[str]]:
    """Sort DICOM files into their folders, which end with a slash.

    >>> by_folder(["a/2.dcm", "a/1.dcm", "a/readme.txt", "3.dcm"])
    {'a/': ['1.dcm', '2.dcm'], '': ['3.dcm']}
    """
    found: dict[str, list[str]] = defaultdict(list)
    for path in names:
        head, slash, name = path.rpartition("/")
        if is_dicom(name):
            found[head + slash].append(name)
    return {folder: sorted(held) for folder, held in found.items()}


def difference(series: Series, sizes: Mapping[str, int]) -> str:
    """Say how the files of a folder differ from the listed series; empty where they do not.

    Bytes are compared where the names are those of the bucket: other publishers of a series may write other headers.
    """
    original = all(_AS_IN_THE_BUCKET.fullmatch(PurePosixPath(path).name) for path in sizes)
    if original or len(sizes) != series.files:
        return series.difference(list(sizes.values()))
    return ""


def is_dicom(name: str) -> bool:
    """Tell by its name whether a file is one that belongs to a series."""
    return name.lower().endswith(_SUFFIX) and not name.startswith(".")
