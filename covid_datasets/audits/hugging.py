"""Hugging Face datasets, in memory or saved to a folder, as rows of a split."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from covid_datasets.audits.files import Names, read_file
from covid_datasets.audits.sample import Gathered, Sample
from covid_datasets.audits.tables import NAMES, Listing, Role, Row, read_listing
from covid_datasets.errors import ColumnMissingError, DamagedFileError, UsageError, did_you_mean
from covid_datasets.extras import need
from covid_datasets.schema import Notice
from covid_datasets.splits.assign import is_everybody

_AT_ONCE = 256
_SAVED = ("dataset_dict.json", "state.json")


def is_saved(folder: Path) -> bool:
    """Tell whether a folder is what ``save_to_disk`` leaves."""
    return any((folder / name).is_file() for name in _SAVED)


def is_dataset(what: object) -> bool:
    """Tell whether something is a dataset of Hugging Face, or a dictionary of such.

    >>> is_dataset({"train": ["a.png"]}), is_dataset("cohen")
    (False, False)
    """
    if isinstance(what, Mapping):
        return bool(what) and all(map(is_dataset, what.values()))
    return hasattr(what, "features") and hasattr(what, "cast_column")


def of_saved(folder: Path, split: Any, columns: Mapping[str, str]) -> Gathered:
    """Open what ``save_to_disk`` left."""
    need("datasets")
    import datasets

    try:
        what = datasets.load_from_disk(str(folder))
    except Exception as error:  # what it says of a damaged file depends on the file
        raise DamagedFileError(
            f"{folder}: expected a saved dataset, found one that cannot be opened: {error}"
        ) from error
    return of_dataset(what, split, columns, str(folder))


def of_dataset(what: Any, split: Any, columns: Mapping[str, str], title: str = "") -> Gathered:
    """Take a ``Dataset`` or a ``DatasetDict``; parts are those of the dictionary, of a column, or of a table."""
    parts = dict(what) if isinstance(what, Mapping) else {"": what}
    title = title or f"the {type(what).__name__}"
    samples: list[Sample] = []
    notices: list[Notice] = []
    for part, rows in parts.items():
        if not hasattr(rows, "select_columns") or not hasattr(rows, "__len__"):
            raise UsageError(f"{title}: expected datasets that are not streamed, found {type(rows).__name__}")
        found, told = _of_rows(rows, str(part), {} if split is not None else columns, title)
        samples += found
        notices += told
    if split is not None:
        samples, told = _by_table(samples, read_listing(split, columns))
        notices += told
    left = sum(not sample.split for sample in samples)
    samples = [sample for sample in samples if sample.split]
    if not samples:
        raise ColumnMissingError(
            f"{title}: expected parts of a split, found none: give a DatasetDict, a column split, or a table as split="
        )
    if left:
        notices.append(Notice("row without a split", title, f"{left:,} rows are in no part of the split", count=left))
    return Gathered(title, samples, notices)


def _of_rows(rows: Any, part: str, columns: Mapping[str, str], title: str) -> tuple[list[Sample], list[Notice]]:
    roles = _roles(rows.column_names, columns, title)
    image = _image_of(rows.features, columns)
    told: dict[Role, list[Any]] = {role: list(rows[name]) for role, name in roles.items() if name != image}
    if "label" in told:
        names = getattr(rows.features[roles["label"]], "names", None)
        told["label"] = [_class(names, value) for value in told["label"]]
    known = list(rows["patient_known"]) if "patient_known" in rows.column_names else None
    samples, notices = [], []
    if not image:
        notices.append(Notice("no pictures", title, "no column holds pictures: audited by what its columns say"))
    raw = _undecoded(rows, image) if image else None
    if raw is not None and "file" not in told:
        told["file"] = _paths(raw, image)
    for number in range(len(rows)):
        said = {role: "" if (value := values[number]) is None else str(value) for role, values in told.items()}
        patient, group = said.get("patient", ""), ""
        if known is not None and not known[number]:
            patient, group = "", "" if is_everybody(patient) else patient
        samples.append(
            Sample(
                name=said.get("file") or f"{part or 'row'}[{number}]",
                split=part or said.get("split", ""),
                label=said.get("label") or None,
                patient=patient or None,
                group=group or None,
                read=partial(_read, raw, image, number) if image else None,
                sha256=said.get("sha256", "").lower(),
            )
        )
    return samples, notices


def _roles(names: list[str], columns: Mapping[str, str], title: str) -> dict[Role, str]:
    roles: dict[Role, str] = {}
    for role, known in NAMES.items():
        asked = columns.get(role)
        if asked is not None and asked not in names:
            raise ColumnMissingError(
                f"{title}: expected a column {asked!r}, found {', '.join(map(repr, names))}{did_you_mean(asked, names)}"
            )
        found = asked or next((name for name in known if name in names and name not in ("image", "id")), None)
        if found:
            roles[role] = found
    return roles


def _image_of(features: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    """Choose the column of pictures: the one that is named so, else the first of its kind."""
    pictures = [name for name, kind in features.items() if type(kind).__name__ == "Image"]
    return "image" if "image" in pictures else next(iter(pictures), "")


def _class(names: list[str] | None, value: Any) -> Any:
    if names is None or not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else None


def _undecoded(rows: Any, image: str) -> Any:
    """Keep nothing but the pictures, as their bytes."""
    from datasets import Image

    return rows.with_format(None).select_columns([image]).cast_column(image, Image(decode=False))


def _paths(rows: Any, image: str) -> list[str | None]:
    """Read the paths of pictures without their bytes; nothing where some have none, or the same as another."""
    paths: list[str | None] = []
    table = rows.with_format("arrow")
    for start in range(0, len(rows), _AT_ONCE):
        cells = table[start : start + _AT_ONCE][image].combine_chunks()
        paths += pc.struct_field(cells, "path").to_pylist()
    return paths if None not in paths and len(set(paths)) == len(paths) else [None] * len(paths)


def _read(rows: Any, image: str, number: int) -> bytes:
    cell = rows[number][image]
    if cell is None:
        raise DamagedFileError(f"row {number}: expected a picture, found none")
    if cell.get("bytes") is not None:
        return bytes(cell["bytes"])
    return read_file(cell["path"])


def _by_table(samples: list[Sample], listing: Listing) -> tuple[list[Sample], list[Notice]]:
    """Give rows the parts that a table says, by name or by hash."""
    from dataclasses import replace

    names = Names([sample.name for sample in samples])
    by_hash: dict[str, list[int]] = {}
    for number, sample in enumerate(samples):
        if sample.sha256:
            by_hash.setdefault(sample.sha256, []).append(number)
    found: list[Sample] = []
    missing: list[Row] = []
    for row in listing.rows:
        fitting = names.find(row.file) if row.file else by_hash.get(row.sha256.lower(), [])
        if len(fitting) != 1 and row.file:
            missing.append(row)
            continue
        for number in fitting:
            sample = samples[number]
            found.append(
                replace(sample, split=row.split, label=row.label or sample.label, patient=row.patient or sample.patient)
            )
    if not found:
        raise UsageError(
            f"{listing.title}: expected names of rows, such as {samples[0].name!r}, found none of "
            f"{len(listing.rows):,}: the first is {(listing.rows[0].file or listing.rows[0].sha256)!r}"
        )
    notices = [*listing.notices]
    if missing:
        what = f"{len(missing):,} rows of the table name no row, or several: {missing[0].file!r} is the first"
        notices.append(Notice("row not there", missing[0].where, what, count=len(missing)))
    return found, notices
