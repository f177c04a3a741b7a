"""What the modules of the conformance suite share: which sources there are, their builds, and how two builds differ.

A card that cannot be read is in `BROKEN` and fails a test of its own; the other sources' tests go on without it.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pytest

from covid_datasets.catalog.cards import load_card, readable_cards
from covid_datasets.catalog.layout import matches
from covid_datasets.catalog.listing import chosen
from covid_datasets.catalog.resource import Resource
from covid_datasets.errors import CovidDatasetsError
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import CONTENT, Made, Notice, Record
from tests.small import small_configs

ROOT = Path(__file__).resolve().parent.parent
IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".dcm", ".nii", ".nii.gz", ".mha", ".mhd")
PICTURES = (*IMAGES, ".gif", ".mp4", ".mov", ".avi", ".mpeg")
SHOWN = 10

CARDS, BROKEN = {card.id: card for card in readable_cards()[0]}, readable_cards()[1]
SOURCES = {name: card for name, card in CARDS.items() if card.has_data}
TABLES = {name for name, card in SOURCES.items() if card.columns}
BUILDS = [(name, config) for name, card in SOURCES.items() for config in small_configs(card)]
every_card = pytest.mark.parametrize("name", list(CARDS))
every_source = pytest.mark.parametrize("name", list(SOURCES))
every_build = pytest.mark.parametrize(("name", "config"), BUILDS)
OF_TABLES = [(name, config) for name, config in BUILDS if SOURCES[name].choice(config=config).columns]
every_image_build = pytest.mark.parametrize(("name", "config"), [each for each in BUILDS if each not in OF_TABLES])
every_table = pytest.mark.parametrize(("name", "config"), OF_TABLES)


def records_of(name: str, config: str, folder: Path) -> list[Record | Notice]:
    """List all that a builder yields for a folder."""
    choice = load_card(name).choice(config=config)
    raw = RawTree.of_folder(folder, version=choice.version, config=config, options=choice.form.options)
    return list(importlib.import_module(f"covid_datasets.builders.{name}").records(raw))


def of_another_config(name: str, config: str, path: str) -> bool:
    """Tell whether a file is of a resource that other configs of the source are built from, and this one is not."""
    choice = load_card(name).choice(config=config)
    others = [part for part in choice.every_resource if part not in choice.resources]

    def holds(part: Resource) -> bool:
        if part.listing:
            return path.partition("/")[0] in chosen(part.listing, part.only)
        globs = [pattern.glob for pattern in part.files] or ([part.path] if part.path else [])
        return path.startswith(part.folder) and matches(path.removeprefix(part.folder), globs)

    return any(map(holds, others)) and not any(map(holds, choice.resources))


def made_of(found: Iterable[Record | Notice], folder: Path) -> dict[str, set[str]]:
    """List what references make of raw files: the path that is stored -> the raw files that are read for it."""
    references = {
        item.path: item
        for record in found
        if isinstance(record, Record)
        for item in (record.content, *record.masks.values(), *record.volume_masks.values())
        if isinstance(item, Made)
    }
    seen: dict[str, set[str]] = {}
    for path, reference in references.items():
        files = _Seen(folder)
        with suppress(CovidDatasetsError):  # what cannot be made is told by the build, and names no file here
            reference.read(files)
            seen[path] = files.seen
    return seen


class _Seen:
    """Raw files, and which of them were asked for."""

    def __init__(self, folder: Path) -> None:
        self._raw, self.seen = RawTree.of_folder(folder), set[str]()

    def has(self, path: str) -> bool:
        return self._raw.has(path)

    def read(self, path: str) -> bytes:
        self.seen.add(path)
        return self._raw.read(path)

    def open(self, path: str) -> IO[bytes]:
        self.seen.add(path)
        return self._raw.open(path)


def differences(first: Built, second: Built) -> str:
    """Say which rows, columns, splits and notices differ between two builds of what should be one dataset."""
    lines = list(islice(_differences(first, second), SHOWN + 1))
    return "\n".join(["the two builds differ:", *lines[:SHOWN], *["… and more"] * (len(lines) > SHOWN)])


def _differences(first: Built, second: Built) -> Iterator[str]:
    ours, theirs = _rows(first), _rows(second)
    for sample in sorted(ours.keys() ^ theirs.keys()):
        yield f"  {sample}: only in the {'first' if sample in ours else 'second'} build"
    for sample in sorted(ours.keys() & theirs.keys()):
        for column, value in ours[sample].items():
            if value != theirs[sample].get(column):
                yield f"  {sample}: {column} is {_short(value)} and {_short(theirs[sample].get(column))}"
    told = [{json.dumps(notice, sort_keys=True) for notice in built.manifest()["notices"]} for built in (first, second)]
    for notice in sorted(told[0] ^ told[1]):
        yield f"  notice only of the {'first' if notice in told[0] else 'second'} build: {notice}"


def _rows(built: Built) -> dict[str, dict[str, Any]]:
    """List rows by their id, those of a table by their number; bytes are told by their number and path."""
    rows: dict[str, dict[str, Any]] = {}
    split = [name for name, count in built.splits.items() for _ in range(count)]
    for number, row in enumerate(open_table(built).to_pylist()):
        for kind in CONTENT:
            if row.get(kind):
                row[kind] = f"{row[kind]['path']} ({len(row[kind]['bytes'])} bytes)"
        rows[str(row.get("sample_id", f"row {number}"))] = row | {"split": split[number]}
    return rows


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
