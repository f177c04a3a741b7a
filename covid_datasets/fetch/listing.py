"""Listings of series in a public bucket: which there are, whose they are, how many files and bytes each has.

``catalogs/listings/<id>.tsv`` is an extract of the index of Imaging Data Commons, so that nobody needs the index,
which is far larger than this library. With the extra ``idc`` an extract is made anew::

    python -m covid_datasets.fetch.listing COLLECTION catalogs/listings/<id>.tsv
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from covid_datasets.catalog import catalog_folder
from covid_datasets.errors import CatalogError, NotThereError
from covid_datasets.extras import need

COLUMNS = (
    "crdc_series_uuid", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "PatientAge", "PatientSex", "StudyDate",
    "StudyDescription", "SeriesDescription", "SeriesNumber", "BodyPartExamined", "Modality", "SOPClassUID",
    "TransferSyntaxUID", "Manufacturer", "ManufacturerModelName", "aws_bucket", "instanceCount", "series_size_MB",
)  # fmt: skip
"""Columns of the index that a listing keeps, under the index's own names."""
ROUNDING_BYTES = 1000
"""The index gives sizes in MB with six decimals; whether the last ones are exact is not said."""


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
        with path.open(encoding="utf-8", newline="") as lines:
            table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            for number, row in enumerate(table, start=2):
                if not _is_series(row) or row["crdc_series_uuid"] in found:
                    raise CatalogError(f"{path} line {number}: expected a series, each once, found {row}")
                found[row["crdc_series_uuid"]] = _series(row)
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path}: expected a listing of series in UTF-8, found: {error}") from error
    return MappingProxyType(found)


def _is_series(row: Mapping[str | None, str | None]) -> bool:
    return (
        set(row) == set(COLUMNS)
        and None not in row.values()
        and bool(re.fullmatch(r"[0-9a-f-]{36}", row["crdc_series_uuid"] or ""))
        and all(row[name] for name in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID"))
        and bool(re.fullmatch(r"[1-9][0-9]*", row["instanceCount"] or ""))
        and bool(re.fullmatch(r"[0-9]+(\.[0-9]+)?", row["series_size_MB"] or ""))
    )


def _series(row: Mapping[str, str]) -> Series:
    return Series(
        folder=row["crdc_series_uuid"],
        patient=row["PatientID"],
        study=row["StudyInstanceUID"],
        series=row["SeriesInstanceUID"],
        files=int(row["instanceCount"]),
        bytes=round(float(row["series_size_MB"]) * 1e6),
        row=dict(row),
    )


def fingerprint(folders: Iterable[str]) -> str:
    """Digest the folders of a listing, to compare it with another one.

    >>> fingerprint(["b", "a"]) == fingerprint(["a", "b"])
    True
    """
    return hashlib.sha256("\n".join(sorted(folders)).encode()).hexdigest()


def extract(collection: str, index: Path | None = None) -> list[dict[str, str]]:
    """Read the series of a collection from the index of IDC, only the columns and rows that a listing keeps.

    Args:
        collection: The ``collection_id`` of IDC.
        index: A file ``idc_index.parquet``; the one that is installed with the extra ``idc`` by default.
    """
    import pyarrow.parquet as parquet

    rows = parquet.read_table(
        index or _installed_index(), columns=list(COLUMNS), filters=[("collection_id", "=", collection)]
    ).to_pylist()
    if not rows:
        raise NotThereError(f"{collection}: expected series of this collection in {index or 'the index'}, found none")
    texts = [{name: _text(row[name]) for name in COLUMNS} for row in rows]
    return sorted(texts, key=lambda row: (row["PatientID"], row["StudyInstanceUID"], row["SeriesInstanceUID"]))


def write_listing(rows: Iterable[Mapping[str, str]], path: Path) -> None:
    """Write a listing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as lines:
        table = csv.DictWriter(
            lines, COLUMNS, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None
        )
        table.writeheader()
        table.writerows(rows)


def _installed_index() -> Path:
    need("idc_index_data")
    return Path(importlib.import_module("idc_index_data").IDC_INDEX_PARQUET_FILEPATH)


def _text(value: object) -> str:
    """Write a value of the index as text in one line; what it does not know is empty."""
    return "" if value is None else " ".join(str(value).split())


def main(argv: Sequence[str] | None = None) -> int:
    """Make a listing anew from the installed index."""
    parser = argparse.ArgumentParser(prog="python -m covid_datasets.fetch.listing", description=main.__doc__)
    parser.add_argument("collection", help="the collection_id of IDC")
    parser.add_argument("path", type=Path, help="the listing to write")
    parser.add_argument("--index", type=Path, help="another idc_index.parquet than the installed one")
    arguments = parser.parse_args(argv)
    rows = extract(arguments.collection, arguments.index)
    write_listing(rows, arguments.path)
    print(f"{arguments.path}: {len(rows):,} series, {fingerprint(row['crdc_series_uuid'] for row in rows)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
