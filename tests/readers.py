"""What the readers make of a fixed set of files, as one digest for each; see tests/prepare/test_readers.py.

    python -m tests.readers               # store the digests anew, after FORMAT was raised
    python -m tests.readers --unreleased  # the same, while a FORMAT that no release has had yet is being made

Files are written here where no library decides their values; compressed ones, whose bytes would differ between
releases of what encodes them, lie in tests/prepare/read/.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from covid_datasets.measure.image import measure
from covid_datasets.measure.video import measure_video
from covid_datasets.measure.volume import measure_volume
from covid_datasets.prepare.inputs import FORMAT
from covid_datasets.read.cells import count, day, number, time, whole
from covid_datasets.read.dicom import read_header, read_hounsfield
from covid_datasets.read.encode import decode_deep, encode
from covid_datasets.read.masks import read_mask
from covid_datasets.read.mdai import read_annotations
from covid_datasets.read.nifti import read_header as read_nifti_header
from covid_datasets.read.notes import read_note
from covid_datasets.read.polygons import Polygon, fill
from covid_datasets.read.series import Wanted, series_parts
from covid_datasets.read.slices import axial_slices
from covid_datasets.read.tables import read_csv, read_xlsx
from covid_datasets.read.video import frames, pixels, sample
from covid_datasets.schema import Notice
from tests.dicom import ct, jpeg_lossless
from tests.nifti import nifti
from tests.raws import Files

FILES = Path(__file__).parent / "prepare" / "read"
STORED = Path(__file__).parent / "prepare" / "readers.digest"


def plain(value: Any) -> Any:
    """Turn a value into what has one text on every machine."""
    if isinstance(value, np.ndarray):
        return [str(value.dtype), value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()]
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, float | np.floating):
        return f"{float(value):.9g}"
    return value if isinstance(value, int | str | bool | None) else str(value)


def csv() -> Any:
    text = b'\xef\xbb\xbffile, age,sex,note\r\na.png,60.0,F,"two\nlines, one cell"\r\nb.png,,M,\r\nbroken\r\n'
    text += b'"c.png",7,,d\r\n'
    latin = "file;age\na.png;3\nü.png;4\n".encode("cp1252")
    files = Files({"a.csv": text, "b.csv": b"# told\n" + latin})
    return [
        read_csv(files, "a.csv", required=("file", "years"), rename={"age": "years"}).rows,
        read_csv(files, "b.csv", required=("file",), delimiter=";", comment="#").rows,
    ]


def xlsx() -> Any:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (["File name", "Age", None, "Day"], ["a.png", 60, True, "2020-03-01"], [None, 1.5, "x", None]):
        book.active.append(row)
    book.create_sheet("more").append(["Only", "names"])
    out = io.BytesIO()
    book.save(out)
    files = Files({"a.xlsx": out.getvalue()})
    return [read_xlsx(files, "a.xlsx", required=()).rows, read_xlsx(files, "a.xlsx", required=(), sheet="more").rows]


def cells() -> Any:
    texts = ["3", "60.0", "-1", "1e3", " 7 ", "x", "", "1.5", "3/9/20", "2020-03-09", "2020-03-09 12:30:00", "0x1"]

    def read(convert: Callable[[str], Any], text: str) -> Any:
        try:
            return convert(text)
        except ValueError:
            return "no value"

    return [[read(convert, text) for text in texts] for convert in (whole, count, number, time, day)]


def notes() -> Any:
    return read_note("Age: 78\nSEX:\n\nurl: https://a.org/1\nTosse.\nage: no header\n", ("age", "sex", "url"))


def volumes() -> Any:
    values = (np.arange(3 * 6 * 5, dtype=np.int16).reshape(3, 6, 5) * 20 - 1000).astype(np.int16)
    mask = (values > 0).astype(np.uint8)
    oblique = np.array([[0.6, 0.2, 0, 1.0], [-0.2, 0.6, 0, 2.0], [0, 0, 5.0, 3.0], [0, 0, 0, 1.0]])
    files = {
        "plain.nii": nifti(values, packed=False),
        "packed.nii.gz": nifti(values),
        "scaled.nii": nifti(values.astype(np.uint8), packed=False, slope=2.0, intercept=-1024.0),
        "floats.nii.gz": nifti(values.astype(np.float32)),
        "oblique.nii": nifti(values, oblique, packed=False),
        "nowhere.nii": nifti(values, packed=False, located=False),
        "mask.nii.gz": nifti(mask),
    }
    raw = Files(files)
    names = [name for name in files if name != "mask.nii.gz"]
    found = [plain(part) for name in names for part in axial_slices(raw, name, (("lung", "mask.nii.gz"),))]
    # A notice is told in words, which may be put better; what it is about may not change.
    told = [item for item in found if "dropped" not in item]
    measured = [measure_volume(files[name], "0", name) for name in ("plain.nii", "packed.nii.gz")]
    return [
        told,
        read_mask(files["mask.nii.gz"], "mask").voxels,
        read_nifti_header(files["oblique.nii"], "x"),
        measured,
    ]


def dicom() -> Any:
    values = (np.arange(8 * 6, dtype=np.int16).reshape(8, 6) * 30 - 1000).astype(np.int16)
    files = {f"{place}.dcm": ct(values + place, (0.0, 0.0, 2.5 * place)) for place in range(4)}
    files["packed.dcm"] = jpeg_lossless(ct(values, (0.0, 0.0, 12.5)))
    files["scout.dcm"] = ct(values, (0.0, 0.0, 99.0), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    outline = (Polygon.of("infection", [(1, 1), (4, 1), (4, 5), (1, 5)], 8, 6),)
    header = read_header(files["1.dcm"], "1.dcm")
    parts = series_parts(Files(files), sorted(files), Wanted("s", row={"a": "b"}), {header.instance: outline})
    return [
        [part for part in parts if not isinstance(part, Notice)],
        {name: read_hounsfield(data, name) for name, data in files.items()},
        header,
    ]


def outlines() -> Any:
    polygons = [
        Polygon.of("in", [(1, 1), (6.4, 1.5), (5, 6)], 8, 8),
        Polygon.of("line", [(0, 0), (7, 7)], 8, 8),
        Polygon.of("elsewhere", [(1, 1), (3, 1), (3, 3)], 9, 9),
    ]
    return fill(polygons, (8, 8))[0]


def exports() -> Any:
    label = {"id": "L_1", "name": "Infection"}
    ids = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3"}
    points = {"vertices": [[1, 1], [5, 1], [5, 6.5]]}
    found = [
        {"labelId": "L_1", **ids, "SOPInstanceUID": "1.2.3.4", "data": points, "height": 8, "width": 8},
        {"labelId": "L_1", **ids},
    ]
    table = {"labelGroups": [{"name": "readers", "labels": [label]}], "datasets": [{"annotations": found}]}
    read = read_annotations(json.dumps(table), "a.json", ["Infection"])
    return [read.outlines, read.images, read.studies]


def videos() -> Any:
    found: list[Any] = []
    for path in sorted(FILES.glob("clip.*")):
        data = path.read_bytes()
        found.append([path.name, [[each.number, each.seconds, pixels(each)] for each in frames(data, path.name)]])
        found.append([each.number for each in sample(data, path.name, hertz=10, most=3)])
        found.append(measure_video(data, "0", path.name))
    return found


def pictures() -> Any:
    jpeg = (FILES / "photo.jpg").read_bytes()
    return measure(jpeg, hashlib.sha256(jpeg).hexdigest(), "photo.jpg")


def encoded() -> Any:
    values = (np.arange(12 * 10, dtype=np.int16).reshape(12, 10) * 17 - 1000).astype(np.int16)
    data = encode(values)
    return [data, decode_deep(data), measure(data, "0", "a.tif")]


CASES: dict[str, Callable[[], Any]] = {
    "csv": csv,
    "xlsx": xlsx,
    "cells": cells,
    "notes": notes,
    "volumes": volumes,
    "dicom": dicom,
    "outlines": outlines,
    "exports": exports,
    "videos": videos,
    "pictures": pictures,
    "encoded": encoded,
}


def digest_of(name: str) -> str:
    """Read the files of one case and digest the values."""
    return hashlib.sha256(json.dumps(plain(CASES[name]()), sort_keys=True).encode()).hexdigest()[:32]


def stored() -> tuple[int, dict[str, str]]:
    """Read the format and the digests that are stored."""
    (_, form), *lines = (line.split() for line in STORED.read_text(encoding="utf-8").splitlines())
    return int(form), dict(lines)


def store(*, unreleased: bool) -> None:
    """Store the digests; not where a value changed and FORMAT did not."""
    form, before = stored() if STORED.exists() else (0, {})
    found = {name: digest_of(name) for name in CASES}
    changed = [name for name, digest in before.items() if found.get(name) != digest]
    if changed and form >= FORMAT and not unreleased:
        sys.exit(f"{', '.join(changed)}: the values changed; raise FORMAT in covid_datasets/prepare/inputs.py first")
    lines = [f"FORMAT {FORMAT}", *(f"{name} {digest}" for name, digest in found.items())]
    STORED.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unreleased", action="store_true")
    store(unreleased=parser.parse_args().unreleased)
