"""Write a table of downloads from what lies below a prefix of a public bucket, for `members` of a card.

``python -m covid_datasets.contribute.downloads https://bucket.s3.amazonaws.com/ data/mha/ catalogs/listings/x-mha.tsv``

The host gives names and sizes and no hash that holds for every file, so hashes stay empty: each is recorded on first
download. A card then says ``members = "x-mha.tsv"`` and ``path = "mha/{name}"``.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from covid_datasets.catalog.templates import COLUMNS, Member, read_members
from covid_datasets.disk import whole
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.raw.bucket import list_objects
from covid_datasets.settings import Settings


def downloads_below(root: str, prefix: str, transfer: Transfer) -> list[Member]:
    """List the files below a prefix, by their names from there on; folders and empty files are left out."""
    _, objects = list_objects(root, prefix, transfer)
    return [
        Member(found.key.removeprefix(prefix), root + quote(found.key), found.size, "", "", "")
        for found in objects
        if found.size and not found.key.endswith("/")
    ]


def write_downloads(members: Iterable[Member], path: Path) -> None:
    """Write a table of downloads, and read it again: one that cannot be read is not written."""
    text = io.StringIO(newline="")
    table = csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
    table.writerow(COLUMNS)
    for each in members:
        table.writerow([each.name, each.url, each.size or "", each.sha256, each.md5, each.sha1])
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as private:
        private.write_text(text.getvalue(), encoding="utf-8")
        read_members(private.name, private.parent)


def main(arguments: list[str] | None = None) -> None:
    """Ask the bucket, not the cache, and write what it holds now."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", help="the root of the bucket, with a slash at its end")
    parser.add_argument("prefix", help="what the names of the files begin with")
    parser.add_argument("file", type=Path, help="the table to write")
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as cache:
        found = downloads_below(options.root, options.prefix, Transfer(Settings(Path(cache))))
    write_downloads(found, options.file)
    print(f"{options.file}: {len(found):,} files, {sum(each.size or 0 for each in found):,} bytes")


if __name__ == "__main__":
    main()
