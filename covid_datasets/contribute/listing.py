"""Make a listing of series anew, from the index of Imaging Data Commons that the extra ``idc`` installs.

That is::

    python -m covid_datasets.contribute.listing COLLECTION catalogs/listings/<id>.tsv

With ``.tsv.gz`` at its end the file is packed, for collections of very many series.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import importlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from covid_datasets.catalog.listing import COLUMNS
from covid_datasets.errors import NotThereError
from covid_datasets.extras import need


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
    """Write a listing; packed where the name says so, without a date, so that equal rows are equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = io.StringIO(newline="")
    table = csv.DictWriter(lines, COLUMNS, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
    table.writeheader()
    table.writerows(rows)
    data = lines.getvalue().encode()
    path.write_bytes(gzip.compress(data, 9, mtime=0) if path.suffix == ".gz" else data)


def _installed_index() -> Path:
    need("idc_index_data")
    return Path(importlib.import_module("idc_index_data").IDC_INDEX_PARQUET_FILEPATH)


def _text(value: object) -> str:
    """Write a value of the index as text in one line; what it does not know is empty."""
    return "" if value is None else " ".join(str(value).split())


def main(argv: Sequence[str] | None = None) -> int:
    """Make a listing anew from the installed index."""
    parser = argparse.ArgumentParser(prog="python -m covid_datasets.contribute.listing", description=main.__doc__)
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
