"""The index of known public pictures, made anew from the catalog's manifests and from finished builds.

``python -m covid_datasets.contribute.known`` writes ``catalogs/known.arrow``. Manifests give the hashes of bytes; the
builds in the cache, those of open sources alone, add the hashes of their pixels. What the index knows already and
cannot be found again on this machine stays in it.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from covid_datasets.audits.known import BYTES, FILE, KINDS, read_index, write_index
from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import readable_cards
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.columns import INDEX_FILE
from covid_datasets.disk import whole
from covid_datasets.own.files import DICOM, is_mask, kind_by_name
from covid_datasets.settings import Settings
from covid_datasets.splits.index import Index

Record = tuple[str, str, dict[str, str]]
"""Source, sample, and its hashes by kind."""


def of_manifests(card: Card) -> Iterator[Record]:
    """Yield every picture and volume that the manifests of a source name."""
    own = {resource.manifest for resource in card.resources if resource.manifest.startswith(f"{card.id}-")}
    for name in sorted(own):  # a source that is made of others has theirs too, and not all that is in them
        for path, identity in read_manifest(name).items():
            shows = kind_by_name(path) in ("picture", "volume") or path.lower().endswith(DICOM)
            if shows and not is_mask(path) and "mask" not in path.lower():
                digests = {"sha256": identity.sha256, "git_sha1": identity.git_sha1}
                yield card.id, path, {kind: digest for kind, digest in digests.items() if digest}


def of_builds(card: Card, prepared: Path) -> Iterator[Record]:
    """Yield every picture of the finished builds of a source whose pictures may be passed on, or that is open."""
    if card.access.kind != "open" and card.licence.redistribution != "yes":
        return
    for path in sorted((prepared / card.id).glob(f"*/*/*/{INDEX_FILE}")):
        index = Index.read(path.parent)
        columns = (index.texts("sample_id"), index.telling("sha256"), index.telling("pixel_hash"))
        for sample, sha256, pixels in zip(*columns, strict=True):
            digests = {"sha256": sha256, "pixel_hash": pixels}
            yield card.id, sample.partition("/")[2], {kind: digest for kind, digest in digests.items() if digest}


def of_index(path: Path) -> Iterator[Record]:
    """Yield what is known already."""
    if path.exists():
        for row in read_index(path).table.to_pylist():
            yield row["source"], row["sample"], {kind: row[kind].hex() for kind in KINDS if row[kind]}


def merged(records: Iterator[Record]) -> list[Record]:
    """Put the hashes of one file together: those of a source that have one in common, under the first name."""
    found: list[Record] = []
    place: dict[tuple[str, str, str], int] = {}
    for source, sample, digests in records:
        cut = {kind: digest[: 2 * BYTES] for kind, digest in digests.items()}
        keys = [(source, kind, cut[kind]) for kind in ("sha256", "git_sha1") if kind in cut]
        at = next((place[key] for key in keys if key in place), len(found))
        if at == len(found):
            found.append((source, sample, {}))
        for kind, digest in cut.items():
            found[at][2].setdefault(kind, digest)
        place |= {key: at for key in keys if key not in place}
    return [record for record in found if record[2]]


def cards() -> list[Card]:
    """Read the cards of this package."""
    return [card for card in readable_cards()[0] if not card.builder]


def records(prepared: Path, path: Path) -> list[Record]:
    """Collect from everywhere: builds first, whose names are those of samples."""

    def every() -> Iterator[Record]:
        for card in cards():
            yield from of_builds(card, prepared)
            yield from of_manifests(card)
        yield from of_index(path)

    return merged(every())


def main(argv: Sequence[str] | None = None) -> int:
    """Write the index, or say with ``--check`` what the manifests know and it does not."""
    parser = argparse.ArgumentParser(description="Make the index of known public pictures anew.")
    parser.add_argument("--cache-dir", help="cache folder with finished builds (default: COVID_DATASETS_CACHE)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a manifest is not in it")
    arguments = parser.parse_args(argv)
    path = catalog_folder() / FILE
    if arguments.check:
        index = read_index()
        lost = [
            f"{source}/{sample}"
            for card in cards()
            for source, sample, digests in of_manifests(card)
            if not all(source in {name for name, _ in index.find(kind, digest)} for kind, digest in digests.items())
        ]
        for name in lost[:20]:
            print(f"{name}: not in {path}")
        return 1 if lost else 0
    found = records(Settings.resolve(arguments.cache_dir).prepared, path)
    with whole(path) as private:
        write_index(found, private)
    counts: dict[str, int] = defaultdict(int)
    for source, _, _ in found:
        counts[source] += 1
    print(f"{path}: {len(found):,} pictures, {path.stat().st_size:,} bytes")
    for source, count in sorted(counts.items()):
        pixels = sum("pixel_hash" in digests for name, _, digests in found if name == source)
        print(f"  {source}: {count:,}, {pixels:,} with a hash of their pixels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
