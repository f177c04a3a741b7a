"""MosMedData COVID19_1110 (Moscow): thinned-out chest CT volumes graded CT-0 to CT-4, some with masks of infection."""

from __future__ import annotations

import re
from collections.abc import Iterator

from covid_datasets.read.rows import Row, rows_by
from covid_datasets.read.slices import axial_slices
from covid_datasets.read.tables import Table, read_xlsx
from covid_datasets.schema import File, Notice, Parts, RawFiles, Record

_REGISTRY, _SHEET = "dataset_registry.xlsx", "MosMedData COVID19_1110"
_COLUMNS = ("study_id", "category", "study_file", "mask_file")
_STUDY = re.compile(r"(?:.*/)?(CT-\d)/(study_\d+)\.nii(?:\.gz)?")
_MASK = re.compile(r"(?:.*/)?masks/(study_\d+)_mask\.nii(?:\.gz)?")
# The README says "normal lung tissue, no CT-signs of viral pneumonia" and that nobody was graded by a PCR test.
_LABELS = {"CT-0": "no_finding"} | dict.fromkeys(("CT-1", "CT-2", "CT-3", "CT-4"), "viral_pneumonia")
_PAPERS = {_REGISTRY, "LICENSE", "README_EN.md", "README_RU.md", "README_EN.pdf", "README_RU.pdf"}
_EXPANSION = {True: 1.2, False: 1.0}
"""46,411 slices of half a megabyte come from about 21 GB that are compressed."""


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each study that is there or that the registry names, by its number."""
    files: dict[str, str] = {}
    masks: dict[str, str] = {}
    yield from _files(raw, files, masks)
    path = min((path for path in raw.sizes() if path.rpartition("/")[2] == _REGISTRY), key=len, default="")
    missing = Notice("table missing", _REGISTRY, "folders say the categories, names which mask is whose")
    table = read_xlsx(raw, path, required=_COLUMNS, sheet=_SHEET) if path else Table([], [missing])
    rows, notices = rows_by(table.rows, _study_of, path)
    yield from (*table.notices, *notices)
    for study in sorted(rows.keys() | files.keys()):
        yield from _study(raw, study, rows.get(study, [None])[0], files.get(study), masks.pop(study, None))
    for path in masks.values():
        yield Notice("mask without a study", path, "neither a volume nor a row of the registry is its", dropped=True)


def _study(raw: RawFiles, study: str, row: Row | None, path: str | None, mask: str | None) -> Iterator[Record | Notice]:
    folder = path.split("/")[-2] if path else ""
    if row is None:
        yield Notice("file not in the table", path or study, f"no row of the registry; its folder says {folder}")
    category = (row["category"] if row else folder).strip()
    where = path or (row["study_file"].strip().lstrip("/") if row else "")
    if folder and category != folder:
        yield Notice("category contradicts the folder", where, f"{category!r} of the registry is kept, not {folder}")
    if category not in _LABELS:
        yield Notice("unknown category", where, f"expected CT-0 to CT-4, found {category!r}; kept without a label")
    listed = row["mask_file"].strip().lstrip("/") if row else ""
    if listed and mask is None:
        yield Notice("mask missing", listed, f"listed for {study}, but the file is not there; the volume is kept")
    elif mask and row and not listed:
        yield Notice("mask not in the table", mask, f"the registry lists none for {study}; used, as its name says")
    slices, drawn = bool(raw.options.get("slices")), (("infection", mask),) if mask else ()
    paths = (where, mask) if mask else (where,)
    yield Record(
        sample_id=study,
        image=Parts(where, axial_slices, (where, drawn), paths, _EXPANSION[where.endswith(".gz")]) if slices else None,
        volume=None if slices else File(where),
        volume_masks={"infection": File(mask)} if mask and not slices else {},
        modality="CT",
        patient=study,
        study=study,
        series=study,
        view="axial" if slices else None,
        label=_LABELS.get(category),
        label_raw=category,
        severity=category if category in _LABELS else None,
        location="Moscow, Russia",
        country="Russia",
        value_range="signed 16-bit, as stored; read as Hounsfield units" if slices else None,
        flags=() if category in _LABELS else ("unknown_finding",),
        source_row=row or {},
    )


def _files(raw: RawFiles, files: dict[str, str], masks: dict[str, str]) -> Iterator[Notice]:
    """Find volumes and masks under whatever folder the user unpacked them into."""
    for path in sorted(raw.sizes(), reverse=True):  # .nii.gz, the publisher's, before .nii
        volume, drawn = _STUDY.fullmatch(path), _MASK.fullmatch(path)
        found, study = (files, volume[2]) if volume else (masks, drawn[1] if drawn else "")
        if not study and path.rpartition("/")[2] not in _PAPERS:
            yield Notice("extra file", path, "neither a study, nor a mask, nor a paper of the source")
        elif study and found.setdefault(study, path) != path:
            yield Notice("file twice", path, f"{found[study]} is used", dropped=True)


def _study_of(row: Row) -> str:
    """Name the study of a row: by its file, which its bare number (1 to 1110) is that of too."""
    if match := _STUDY.fullmatch(row["study_file"].strip()):
        return match[2]
    match = re.fullmatch(r"(?:study_)?0*(\d{1,4})", row["study_id"].strip())
    return f"study_{int(match[1]):04}" if match else ""
