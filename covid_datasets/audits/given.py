"""From what somebody gives to the rows that are audited: folders, tables, lists of files."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from covid_datasets.audits.files import Found, Names, files_of, form_of, read_file
from covid_datasets.audits.sample import Gathered, Sample, is_part
from covid_datasets.audits.tables import Listing, Row, read_listing
from covid_datasets.errors import CovidDatasetsError, UsageError
from covid_datasets.schema import Notice

TOLD = 20
"""Rows of one sort that are told one by one."""


def of_folder(folder: Path, split: Any, columns: Mapping[str, str]) -> Gathered:
    """Take a folder: its own folders say the parts (``train/…``), or a table does."""
    found, notices = files_of(folder)
    if not found:
        told = "; ".join(notice.what for notice in notices) or "nothing"
        parquet = next(folder.rglob("*.parquet"), None) is not None
        hint = ". Next: audit(datasets.load_dataset(folder)) reads Parquet with pictures in it" if parquet else ""
        raise UsageError(f"{folder}: expected pictures, NIfTI volumes or DICOM files, found {told}{hint}")
    if split is not None:
        return joined(str(folder), found, read_listing(split, columns), notices)
    samples = [sample for each in found if (sample := _by_place(each)) is not None]
    if not samples:
        here = sorted({each.name.split("/", 1)[0] for each in found if "/" in each.name})
        shown = ", ".join(map(repr, here[:TOLD])) or "none"
        raise UsageError(
            f"{folder}: expected folders that say the part of the split (train, test, validation, fold_1), "
            f"found {shown}. Next: give a table of file names and their parts: split='my.csv', or --split my.csv"
        )
    if left := len(found) - len(samples):
        notices.append(Notice("file in no part", str(folder), f"{left:,} files lie in no folder of a part", count=left))
    return Gathered(str(folder), samples, notices)


def of_folders(parts: Mapping[str, str | os.PathLike[str]]) -> Gathered:
    """Take a folder for each part; the first folder inside is the label."""
    samples: list[Sample] = []
    notices: list[Notice] = []
    for part, folder in parts.items():
        found, told = files_of(Path(folder).expanduser())
        if not found:
            raise UsageError(f"{folder}: expected pictures, NIfTI volumes or DICOM files, found none")
        notices += told
        for each in found:
            label = each.name.split("/")[0] if "/" in each.name else None
            name = f"{os.fspath(folder).rstrip('/')}/{each.name}"
            samples.append(Sample(name, part, label, read=each.read, form=each.form))
    return Gathered(", ".join(map(str, parts.values())), samples, notices)


def _by_place(each: Found) -> Sample | None:
    """Read part and label off the folders on the way to a file: ``train/covid/1.png`` and ``covid/train/1.png``."""
    folders = each.name.split("/")[:-1]
    at = next((number for number, name in enumerate(folders) if is_part(name)), None)
    if at is None:
        return None
    label = folders[at + 1] if len(folders) > at + 1 else folders[at - 1] if at else None
    return Sample(each.name, folders[at], label, read=each.read, form=each.form)


def of_table(table: Any, columns: Mapping[str, str]) -> Gathered:
    """Take a table alone; its paths are those of files, seen from where the table lies."""
    listing = read_listing(table, columns)
    home = Path(table).expanduser().absolute().parent if isinstance(table, str | os.PathLike) else Path.cwd()
    samples, missing = [], []
    for row in listing.rows:
        path = _beside(home, row.file)
        form = form_of(path) if path else None
        if form is None and row.file:
            missing.append(row)
        samples.append(_sample(row, Found(row.file, form, partial(read_file, path)) if form else None))
    return Gathered(listing.title, samples, [*listing.notices, *_missing(missing, len(samples))])


def _beside(home: Path, name: str) -> str:
    """Find a file of a table: from where the table lies, else from here; empty where it is in neither place."""
    places = (home / name.replace("\\", "/"), Path(name)) if name else ()
    return next((os.path.abspath(place) for place in places if os.path.isfile(place)), "")


def of_files(files: Sequence[str | os.PathLike[str]], split: Any, columns: Mapping[str, str]) -> Gathered:
    """Take a list of files, such as DICOM or NIfTI, with a table that says their parts; else their folders do."""
    found = []
    notices = []
    for file in files:
        path = os.path.abspath(os.path.expanduser(os.fspath(file)))
        form = form_of(path)
        if form is None or not os.path.isfile(path):
            why = "no picture, NIfTI volume or DICOM file" if os.path.exists(path) else "not there"
            notices.append(Notice("file left out", os.fspath(file), why, dropped=True))
        else:
            found.append(Found(os.fspath(file), form, partial(read_file, path)))
    if not found:
        raise UsageError(f"{len(files):,} files: expected pictures, volumes or DICOM files, found none that is one")
    if split is not None:
        return joined(f"{len(files):,} files", found, read_listing(split, columns), notices)
    samples = [sample for each in found if (sample := _by_place(each)) is not None]
    if not samples:
        raise UsageError("files: expected split=, a table of the files and their parts, found none")
    return Gathered(f"{len(files):,} files", samples, notices)


def joined(what: str, found: Sequence[Found], listing: Listing, notices: Sequence[Notice]) -> Gathered:
    """Put the rows of a table and the files together, by name or by sha256; both sides tell what is left over."""
    names = Names([each.name for each in found])
    by_hash = _hashes(found) if "file" not in listing.roles else {}
    samples: list[Sample] = []
    missing: list[Row] = []
    told: list[Notice] = []
    taken: dict[int, list[Row]] = defaultdict(list)
    for row in listing.rows:
        fitting = names.find(row.file) if row.file else by_hash.get(row.sha256.lower(), [])
        if row.file and len(fitting) > 1:
            which = ", ".join(found[number].name for number in fitting[:3])
            told.append(Notice("ambiguous name", row.where, f"{row.file!r} fits {len(fitting):,} files: {which}"))
            fitting = []
        elif not fitting:
            missing.append(row)
        for number in fitting:  # several files of one hash are all meant, and one stands for them
            taken[number].append(row)
        samples.append(_sample(row, found[fitting[0]] if fitting else None))
    for number, rows in taken.items():
        if len(rows) > 1:
            where = ", ".join(row.where for row in rows)
            parts = ", ".join(dict.fromkeys(row.split for row in rows))
            told.append(Notice("one file, several rows", found[number].name, f"{where}: {parts}", count=len(rows)))
    if not taken:
        raise UsageError(
            f"{listing.title}: expected names of files in {what}, found none of {len(listing.rows):,} there: "
            f"the table has {listing.rows[0].file or listing.rows[0].sha256!r}, the folder has {found[0].name!r}"
        )
    unlisted = [each.name for number, each in enumerate(found) if number not in taken]
    if unlisted:
        shown = ", ".join(unlisted[:3])
        told.append(
            Notice(
                "file in no row", unlisted[0], f"{len(unlisted):,} files are in no row: {shown}", count=len(unlisted)
            )
        )
    return Gathered(what, samples, [*listing.notices, *notices, *_some(told), *_missing(missing, len(samples))])


def _hashes(found: Sequence[Found]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(found):
        try:
            numbers[hashlib.sha256(each.read()).hexdigest()].append(number)
        except CovidDatasetsError:  # told as a file in no row
            continue
    return numbers


def _sample(row: Row, found: Found | None) -> Sample:
    name = row.file or (found.name if found else row.sha256)
    told = Sample(name, row.split, row.label or None, row.patient or None, sha256=row.sha256.lower())
    return told if found is None else replace(told, read=found.read, form=found.form)


def _missing(rows: Sequence[Row], count: int) -> list[Notice]:
    if not rows:
        return []
    if len(rows) == count:
        what = "none of its files was found: the split is audited by names, patients and hashes alone"
        return [Notice("no pictures", rows[0].where, what, count=count)]
    told = [Notice("file not there", row.where, row.file or row.sha256) for row in rows[:TOLD]]
    if len(rows) > TOLD:
        more = len(rows) - TOLD
        told.append(Notice("file not there", rows[TOLD].where, f"and {more:,} more rows", count=more))
    return told


def _some(notices: Sequence[Notice]) -> list[Notice]:
    if len(notices) <= 5 * TOLD:
        return list(notices)
    more = len(notices) - 5 * TOLD
    return [
        *notices[: 5 * TOLD],
        Notice("more of the table", notices[5 * TOLD].where, f"{more:,} more like these", count=more),
    ]
