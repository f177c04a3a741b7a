"""Files of one's own -> records: what a table says of each, else what the folders on its way say."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from covid_datasets.errors import IncompleteSourceError
from covid_datasets.own.files import Item, find_items, is_mask, kind_by_name
from covid_datasets.own.findings import Findings
from covid_datasets.own.table import SPLITS, Listed, fields_of, masks_of, read_listed
from covid_datasets.read.film import FilmForm, film
from covid_datasets.read.made import volume_as_nifti, volume_mask
from covid_datasets.read.series import Wanted, series_parts
from covid_datasets.read.slices import axial_slices
from covid_datasets.read.volumes import META
from covid_datasets.schema import File, Notice, Parts, RawFiles, Record, Reference

_INFLATED = 2.2
"""How much larger voxels of a chest CT are than what zlib makes of them at its quickest level."""


@dataclass(frozen=True, slots=True)
class _Options:
    """What the owner of the data says of it, see `catalog.own.OwnData`."""

    patient: str
    level: int
    modality: str
    untied: bool
    slices: bool

    @classmethod
    def of(cls, raw: RawFiles) -> _Options:
        said = raw.options
        return cls(
            str(said.get("patient", "")),
            int(said.get("patient_level", 0)),
            str(said.get("modality", "")),
            bool(said.get("untied")),
            bool(said.get("slices")),
        )


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each picture, volume, video, film and series, sorted by path."""
    options = _Options.of(raw)
    findings = Findings(json.loads(str(raw.options.get("findings", "{}"))))
    listed = read_listed(raw, options.patient)
    found, left_out = find_items(raw, films=options.modality == "CXR", but=listed.path)
    yield from listed.notices
    yield from left_out
    items = list(_chosen(raw, found, listed, options))
    yield from (item for item in items if isinstance(item, Notice))
    said_of: dict[str, set[str]] = defaultdict(set)
    kept = 0
    for item in items:
        if isinstance(item, Notice):
            continue
        record, notices = _record(item, listed, options, findings)
        if record.patient is not None and record.label_raw:
            said_of[record.patient].add(record.label_raw)
        kept += 1
        yield from notices
        yield record
    if not kept:
        kinds = Counter(notice.what for notice in (*left_out, *(item for item in items if isinstance(item, Notice))))
        raise IncompleteSourceError(
            "own data: expected pictures, NIfTI volumes, videos or DICOM files, found none of them; "
            f"what is there: {'; '.join(list(kinds)[:10]) or 'an empty folder'}"
        )
    yield from findings.notices()
    for patient, findings_said in sorted(said_of.items()):
        if len(findings_said) > 1:
            shown = ", ".join(map(repr, sorted(findings_said)))
            yield Notice("patient with several findings", patient, f"{shown}; one id is taken as one person everywhere")


def _chosen(raw: RawFiles, found: list[Item], listed: Listed, options: _Options) -> Iterator[Item | Notice]:
    """Choose the files that become samples: those that a table lists, or all but masks."""
    for item in found:
        if not listed.path and is_mask(item.path):
            what = "a mask by its folder, no sample; a table can say whose: a column mask_lung, mask_infection, ..."
            yield Notice("mask left out", item.path, what, dropped=True)
        elif not listed.path or item.path in listed.rows:
            yield item
        elif not is_mask(item.path):
            yield Notice("file not in the table", item.path, f"{listed.path} does not list it", dropped=True)
    known = {item.path for item in found}
    for path in sorted(listed.rows.keys() - known):
        if raw.has(path):
            what = f"{listed.path} lists it, and it is no image; of a DICOM series the folder is listed, not each slice"
            yield Notice("not an image", path, what, dropped=True, lost=True)
        else:  # the plan tells that it is missing
            yield Item(path, kind_by_name(path) or "picture", (path,))


def _record(item: Item, listed: Listed, options: _Options, findings: Findings) -> tuple[Record, list[Notice]]:
    row = listed.rows.get(item.path)
    said: list[str] = []
    fields, notices = fields_of(row, item.path, options.patient, said) if row is not None else ({}, [])
    folders = item.folder.split("/") if item.folder else []
    split = next((SPLITS[name.casefold()] for name in folders if name.casefold() in SPLITS), None)
    if options.level:
        patient, told = _of_level(item, folders, options.level, findings)
        notices += told
    else:
        patient = None if options.patient else item.patient
    patient = fields.pop("patient", None) or patient
    raw_label = said[0] if said else _finding(item, folders, options.level, findings)
    modality = {"series": "CT", "film": "CXR"}.get(item.kind) or options.modality or None
    in_depth = item.kind in ("volume", "metaimage")
    whole, cut = in_depth and not options.slices, in_depth and options.slices
    drawn = masks_of(row, listed.path) if row is not None else {}
    masks = {} if cut else {name: _mask(path) if whole else File(path) for name, path in drawn.items()}
    label = findings.label(raw_label)
    shown = {"sample_id": item.path, "patient": patient, "label": label, "label_raw": raw_label or None}
    if patient is None and not options.untied:
        shown["ties"] = (f"folder:{item.folder or '.'}",)
    if raw_label and label is None:
        shown["flags"] = ("unknown_finding",)
    shown |= {"official_split": split, "modality": modality, "source_row": dict(row or {"path": item.path})}
    shown |= {"volume_masks" if whole else "masks": masks}
    return Record(**{**shown, **_content(item, options, dict(row or {}), drawn), **fields}), notices


def _content(item: Item, options: _Options, row: dict[str, str], masks: dict[str, str]) -> dict[str, Any]:
    """Refer to what a sample shows; what is read in a worker is read then, and masks are cut with their volume."""
    if item.kind == "series":
        parts = Parts(item.path, series_parts, (item.files, Wanted(item.path, row=row)), item.files)
        return {"image": parts, "series": item.path}
    if item.kind == "film":
        return {"image": Parts(item.path, film, (item.path, FilmForm(secondary=True, row=row)), item.files)}
    if item.kind in ("volume", "metaimage") and options.slices:
        files = (*item.files, *masks.values())
        expansion = 4.0 if item.path.endswith(".gz") else 1.0
        parts = Parts(item.path, axial_slices, (item.path, tuple(masks.items())), files, expansion)
        return {"image": parts, "series": item.path, "view": "axial"}
    if item.kind == "metaimage":
        return {"volume": volume_as_nifti(*item.files, expansion=_INFLATED)}
    return {{"volume": "volume", "video": "video"}.get(item.kind, "image"): File(item.path)}


def _mask(path: str) -> Reference:
    """Refer to a mask; one that is a MetaImage becomes NIfTI, as its volume does."""
    return volume_mask(path) if path.lower().endswith(META) else File(path)


def _of_level(item: Item, folders: list[str], level: int, findings: Findings) -> tuple[str | None, list[Notice]]:
    """Take the patient from the folder so many levels above the file; a class or a split is nobody."""
    what = f"expected {level} folders above it, found {len(folders)}"
    if level <= len(folders):
        name = folders[-level]
        if name.casefold() not in SPLITS and not findings.knows(name):
            return name, []
        what = f"expected the name of a patient {level} above it, found {name!r}, a class or a split"
    return None, [Notice("no folder of a patient", item.path, f"{what}; its patient is unknown")]


def _finding(item: Item, folders: list[str], level: int, findings: Findings) -> str:
    """Choose the folder that says the finding: the first with a name that is known, else the first of all.

    The folders of a split, of the patient and of a series itself say none, unless the name is a known one.
    """
    taken = {len(folders) - level} if level else set()
    free = [name for at, name in enumerate(folders) if at not in taken and name.casefold() not in SPLITS]
    if known := next(filter(findings.knows, free), ""):
        return known
    if item.kind == "series" and level != 1:
        free = free[:-1]
    return next(iter(free), "")
