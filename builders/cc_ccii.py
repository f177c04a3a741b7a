"""CC-CCII (China National Center for Bioinformation): slices of CT scans in 90 zips, and what others found wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set

from covid_datasets.catalog.cards import load_card
from covid_datasets.read.cells import Cells, count, ranges
from covid_datasets.read.made import MaskFile, picture_mask
from covid_datasets.read.rows import Row, contradictions, rows_by
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Notice, RawFiles, Record

_SCANS, _LESIONS, _CLEANED, _EXCLUDED = (
    "unzip_filenames.csv", "lesions_slices.csv", "CT_cleaned_v2.csv", "exclude_list.txt",
)  # fmt: skip
_SLICE = re.compile(r"((?:NCP|CP|Normal)/[0-9]+/[0-9]+)/([0-9]{1,9})\.(?i:png|jpe?g|bmp)")
_OUTLINED = re.compile(r"ct_lesion_seg/image/(([0-9]+)/([0-9]{1,9}))\.jpg")
_LABELS = {"NCP": "covid19", "CP": "other_pneumonia", "Normal": "no_finding"}
_TISSUES = {"lung": (1, 2, 3), "infection": (2, 3), "ground_glass": (2,), "consolidation": (3,)}
_YES: Mapping[str, bool] = {"1": True, "0": False}
_SHOWN = "8-bit, windowed before publication; Hounsfield units are lost"


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each slice, scan by scan; of the config of masks, one for each slice that has some."""
    if raw.options.get("outlined"):
        yield from _outlined(raw)
        return
    table = read_csv(raw, _SCANS, required=("zip_file", "label", "patient_id", "scan_id", "n_slice"))
    rows, notices = rows_by(table.rows, lambda row: _scan(row, "label", "patient_id"), _SCANS)
    yield from (*table.notices, *notices, *contradictions(table.rows, "patient_id", "label", "patient of two classes"))
    table = read_csv(raw, _CLEANED, required=("cls", "pid", "scan_id", "is_seg", "repeat_ids", "re_order"))
    cleaned, notices = rows_by(table.rows, lambda row: _scan(row, "cls", "pid"), _CLEANED, known=rows)
    yield from (*table.notices, *notices)
    table = read_csv(raw, _LESIONS, required=("imgpath",))
    lesions, notices = rows_by(table.rows, lambda row: row["imgpath"].strip().rpartition(".")[0], _LESIONS)
    yield from (*table.notices, *notices)
    excluded = {"/".join(line.split()) for line in raw.text(_EXCLUDED).splitlines()}
    if strange := sorted(excluded.difference(scan.rpartition("/")[0] for scan in rows)):
        yield Notice("patient of nothing known", _EXCLUDED, f"expected 'Normal 1995' and the like, found {strange[:5]}")
    scans: dict[str, dict[str, str]] = {}
    for path in sorted(raw.sizes()):
        if match := _SLICE.fullmatch(path):
            scans.setdefault(match[1], {})[path] = match[2]
        elif path not in (_SCANS, _LESIONS, _CLEANED, _EXCLUDED):
            yield Notice("extra file", path, "expected NCP/<patient>/<scan>/<slice>.png and the like; not used", True)
    parts = ((path, *path.rpartition("/")) for path in lesions)
    if absent := sorted(path for path, scan, _, digits in parts if digits not in scans.get(scan, {}).values()):
        what = f"{len(absent):,} slices with lesions are not here, such as {absent[0]}"
        yield Notice("listed slice not here", _LESIONS, what, count=len(absent))
    for scan in sorted({*scans, *rows}):
        cells, said = Cells(rows.get(scan, [{}])[0], scan), Cells(cleaned.get(scan, [{}])[0], f"{_CLEANED}: {scan}")
        flags = ("excluded_by_covidnet_ct",) if scan.rpartition("/")[0] in excluded else ()
        made = [*_slices(scan, scans.get(scan, {}), cells.row, said, flags, lesions.keys())]
        yield from (*_counted(scan, cells, len(made)), *cells.notices, *said.notices)
        yield from (record for listed, record in made if listed or not raw.options.get("lesions"))


def _slices(
    scan: str, slices: Mapping[str, str], row: Row, said: Cells, flags: tuple[str, ...], lesions: Set[str]
) -> Iterator[tuple[bool, Record]]:
    """Yield a record for each slice of a scan, with whether a lesion was seen on it."""
    label, patient, _ = scan.split("/")
    masked = said.one_of("is_seg", _YES)
    flags += ("masking_unknown",) if masked is None else ("lung_masked",) if masked else ()
    wrong, repeated = load_card("cc_ccii").facts["erroneous_scans"].get(scan), said.text("repeat_ids")
    of_scan: tuple[str, ...] = (wrong,) if wrong else ()
    of_scan += ("discarded scan (Clean-CC-CCII)",) if repeated == "discard" else ()
    foreign = set() if repeated == "discard" else {*(said.value("repeat_ids", lambda text: ranges(text, ";")) or ())}
    numbers = sorted({int(digits) for digits in slices.values()})
    if said.text("re_order") == "reverse":
        order = numbers[::-1]
    else:
        corrected = said.value("re_order", lambda text: ranges(text, "+"))
        order = numbers if corrected is None else [number for number in dict.fromkeys(corrected) if number in numbers]
    place = {number: at for at, number in enumerate(order)}
    good = [number for number in order if number not in foreign] or order or [-1]
    rows = {listed: {**row, "has_lesion": "listed" if listed else "not listed"} for listed in (True, False)}
    for path, digits in slices.items():
        number, listed = int(digits), f"{scan}/{digits}" in lesions
        reasons: tuple[str, ...] = ("repeated or foreign slice (Clean-CC-CCII)",) if number in foreign else ()
        reasons += ("no place in the corrected order (Clean-CC-CCII)",) if number not in place else ()
        yield (
            listed,
            Record(
                sample_id=path,
                image=File(path),
                modality="CT",
                patient=patient,
                series=scan,
                part_index=place.get(number),
                typical=number == good[len(good) // 2],
                view="axial",
                label=_LABELS[label],
                label_raw=label,
                country="China",
                value_range=_SHOWN,
                quality_reasons=(*of_scan, *reasons),
                flags=flags,
                source_row=rows[listed],
            ),
        )


def _counted(scan: str, cells: Cells, here: int) -> Iterator[Notice]:
    """Hold the slices of a scan against the table; what it counts more is lost, and it does not say which."""
    expected = cells.value("n_slice", count)
    if not cells.row:
        yield Notice("scan not in the table", scan, f"{_SCANS} does not list it; its {here} slices are kept")
    elif expected is not None and here != expected:
        what = f"{_SCANS} counts {expected} slices in {cells.text('zip_file')}, found {here}"
        lost = max(expected - here, 0)
        yield Notice("another number of slices", scan, what, dropped=lost > 0, lost=lost > 0, count=lost or 1)


def _outlined(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each slice on which lungs and lesions are drawn."""
    for path in raw.paths("ct_lesion_seg/image/*"):
        if not (match := _OUTLINED.fullmatch(path)):
            yield Notice("extra file", path, "expected image/<folder>/<number>.jpg; not used", dropped=True)
            continue
        drawn = f"ct_lesion_seg/mask/{match[1]}.png"
        masks = {name: picture_mask(MaskFile(drawn, values=values)) for name, values in _TISSUES.items()}
        if not raw.has(drawn):
            yield Notice("mask missing", path, f"expected {drawn}; the slice is kept without masks")
        yield Record(
            sample_id=path,
            image=File(path),
            modality="CT",
            patient=f"ct_lesion_seg/{match[2]}",
            part_index=int(match[3]),
            masks=masks if raw.has(drawn) else {},
            label="covid19",  # nothing in it says so, but others who know it do: see the card
            view="axial",
            country="China",
            value_range=_SHOWN,
        )


def _scan(row: Row, label: str, patient: str) -> str:
    cells = [row[column].strip() for column in (label, patient, "scan_id")]
    return "/".join(cells) if all(cells) else ""
