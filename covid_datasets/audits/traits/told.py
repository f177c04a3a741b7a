"""Traits that are told without a pixel: by the file, by the source, by the equipment, and of the person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa

from covid_datasets.audits.traits.heads import head_of
from covid_datasets.audits.traits.rows import Rows

KINDS = {
    "file": "gone as soon as it is decoded, made grey and brought to one size",
    "record": "no file shows it, but a model that can tell the source from the picture learns it",
    "equipment": "stays in the picture as its noise and sharpness",
    "person": "no fault of the files; patients of other classes are other people",
}
"""What a trait belongs to, and what that means for who trains on pictures."""
TOLD = (
    *("container", "extension", "header", "mode", "bit_depth", "size", "shape", "compression"),
    *("modality", "view", "source", "host", "country", "licence", "year"),
    *("manufacturer", "model", "kernel", "kvp", "thickness"),
    *("age", "sex"),
)
"""The names of all traits that are told, in order."""
COLUMN_OF = {
    "mode": "pixel_mode",
    "modality": "modality",
    "view": "view",
    "source": "dataset",
    "country": "country",
    "licence": "license",
    "year": "date",
    "host": "source_url",
    "manufacturer": "manufacturer",
    "model": "scanner_model",
    "kernel": "kernel",
    "sex": "sex",
}
"""Traits that are a stored column, or follow from one: they would predict themselves."""
_BITS = {"1": 1.0, "I;16": 16.0, "I;16B": 16.0, "I": 32.0, "F": 32.0}
"""Modes of Pillow that have not 8 bits a channel."""


@dataclass(frozen=True, eq=False)
class Trait:
    """A trait of all rows: features that are numbers (with NaN where nobody tells), or words (with ``None``)."""

    name: str
    kind: str
    features: tuple[np.ndarray, ...]

    @property
    def known(self) -> np.ndarray:
        """Tell of each row whether any feature of it is known."""
        known: np.ndarray = np.logical_or.reduce([_is_known(feature) for feature in self.features])
        return known

    @property
    def values(self) -> list[str | tuple[float, ...] | None]:
        """Say the value of each row: the word, or the numbers; ``None`` where nothing is known."""
        rows = zip(*(feature.tolist() for feature in self.features), strict=True)
        known = self.known.tolist()
        of_words = self.features[0].dtype == object
        return [(row[0] if of_words else row) if told else None for row, told in zip(rows, known, strict=True)]

    @property
    def varies(self) -> bool:
        """Tell whether it is not the same in all rows."""
        return any(
            len(set(feature.tolist())) > 1 if feature.dtype == object else len(np.unique(feature)) > 1
            for feature in self.features
        )

    def take(self, rows: np.ndarray) -> Trait:
        """Return it of some rows."""
        return Trait(self.name, self.kind, tuple(feature[rows] for feature in self.features))


def _is_known(feature: np.ndarray) -> np.ndarray:
    if feature.dtype == object:
        return np.asarray([value is not None for value in feature.tolist()], dtype=bool)
    known: np.ndarray = ~np.isnan(feature)
    return known


def told_traits(rows: Rows) -> list[Trait]:
    """Return the traits of stored rows; of each file no more is read than its beginning."""
    table, files = rows.table, _Files(rows)
    mode = _words(table, "pixel_mode")
    width, height, depth = (_numbers(table, name) for name in ("width", "height", "depth"))
    with np.errstate(divide="ignore", invalid="ignore"):
        shape, packed = width / height, files.size / (width * height * np.where(np.isnan(depth), 1, depth))
    bits = [None if each is None else _BITS.get(each, 8.0) for each in mode.tolist()]
    of_file: dict[str, Sequence[np.ndarray]] = {
        "container": [files.container],
        "extension": [files.extension],
        "header": [files.parts],
        "mode": [mode],
        "bit_depth": [np.asarray(bits, dtype=float)],
        "size": [width, height, depth],
        "shape": [shape],
        "compression": [packed, files.coarseness, files.size],
    }
    of_record = {
        "modality": _words(table, "modality"),
        "view": _words(table, "view"),
        "source": _words(table, "dataset"),
        "host": _mapped(_words(table, "source_url"), _host),
        "country": _words(table, "country"),
        "licence": _words(table, "license"),
        "year": _mapped(_words(table, "date"), lambda date: date[:4]),
    }
    of_equipment = {
        "manufacturer": _words(table, "manufacturer"),
        "model": _words(table, "scanner_model"),
        "kernel": _words(table, "kernel"),
        "kvp": _numbers(table, "kvp"),
        "thickness": _numbers(table, "slice_thickness_mm"),
    }
    of_person = {"age": _numbers(table, "age"), "sex": _words(table, "sex")}
    return [
        *(Trait(name, "file", tuple(features)) for name, features in of_file.items()),
        *(Trait(name, "record", (feature,)) for name, feature in of_record.items()),
        *(Trait(name, "equipment", (feature,)) for name, feature in of_equipment.items()),
        *(Trait(name, "person", (feature,)) for name, feature in of_person.items()),
    ]


class _Files:
    """The heads of the files of some rows, each a picture, a volume or a video."""

    def __init__(self, rows: Rows) -> None:
        count = rows.table.num_rows
        self.container, self.parts, self.extension = (np.full(count, None, dtype=object) for _ in range(3))
        self.size, self.coarseness = (np.full(count, np.nan) for _ in range(2))
        for row in range(count):
            if (file := rows.file(row)) is None:
                continue
            head = head_of(file.data)
            self.container[row], self.parts[row] = head.container, head.parts
            self.extension[row] = PurePosixPath(file.path).suffix.lower() or None
            self.size[row] = len(file.data)
            self.coarseness[row] = np.nan if head.coarseness is None else head.coarseness


def _words(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table.column(name).to_pylist(), dtype=object)


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table.column(name).to_pylist(), dtype=float)


def _mapped(words: np.ndarray, function: Callable[[str], str | None]) -> np.ndarray:
    return np.asarray([None if word is None else function(word) for word in words.tolist()], dtype=object)


def _host(url: str) -> str | None:
    """Name the host of an address.

    >>> _host("https://www.sirm.org/2020/03/"), _host("[broken")
    ('www.sirm.org', None)
    """
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
