"""What the readers make of a fixed set of files, as one digest for each; see tests/prepare/test_readers.py.

    python -m tests.readers               # store the digests anew, after FORMAT was raised
    python -m tests.readers --unreleased  # the same, while a FORMAT that no release has had yet is being made

Files are written here where no library decides their values; compressed ones, whose bytes would differ between
releases of what encodes them, lie in tests/prepare/read/.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import plistlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from covid_datasets.catalog.listing import COLUMNS, Series
from covid_datasets.measure.image import measure
from covid_datasets.measure.video import measure_video
from covid_datasets.measure.volume import measure_volume
from covid_datasets.phantoms.chest import draw, faint_picture, picture, series_picture
from covid_datasets.prepare.inputs import FORMAT
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.arrays import read_npy
from covid_datasets.read.bids import day_of, lowest, participants, read_name, read_sidecar, read_tree, words_of
from covid_datasets.read.bounds import allowing
from covid_datasets.read.cases import HEADERS, Case, read_cases, records_of_case
from covid_datasets.read.cells import Cells, Columns, count, day, fips, number, ranges, time, whole
from covid_datasets.read.coco import read_coco
from covid_datasets.read.cuts import CutReader, cuts
from covid_datasets.read.darwin import read_darwin
from covid_datasets.read.dicom import read_header, read_hounsfield
from covid_datasets.read.encode import Room, decode_deep, digest, encode, encode_into, extension
from covid_datasets.read.film import FilmForm, film
from covid_datasets.read.inflate import GZIP
from covid_datasets.read.levels import Grey
from covid_datasets.read.listed import is_projection, listed_series, series_record
from covid_datasets.read.made import MaskFile, other_size, picture_mask, volume_as_nifti, volume_mask, volume_mask_on
from covid_datasets.read.masks import check_mask, read_labels, read_mask
from covid_datasets.read.mdai import read_annotations
from covid_datasets.read.metaimage import said
from covid_datasets.read.metaimage import said as metaimage_said
from covid_datasets.read.moved import places_of
from covid_datasets.read.nifti import read_header as read_nifti_header
from covid_datasets.read.notes import read_note
from covid_datasets.read.only_picture import only_picture
from covid_datasets.read.parts import records_of_part
from covid_datasets.read.person import described
from covid_datasets.read.plists import outline_masks
from covid_datasets.read.png import read_png
from covid_datasets.read.polygons import Polygon, fill
from covid_datasets.read.rows import contradictions, count_by_folder, ids_of_one, not_in, read_splits, rows_by
from covid_datasets.read.scores import read_scores
from covid_datasets.read.series import Wanted, series_parts
from covid_datasets.read.sidecar import Side, assays_by_person, ct_beside, film_beside, scan_slices, shown_film
from covid_datasets.read.slices import axial_slices, piled_pictures
from covid_datasets.read.tables import read_csv, read_matching, read_xlsx
from covid_datasets.read.typed import TableForm, typed_rows
from covid_datasets.read.video import frames, pixels, sample
from covid_datasets.read.volumes import read_header as read_volume_header
from covid_datasets.read.votes import vote
from covid_datasets.read.wide import counts_on, falls, read_places
from covid_datasets.schema import File, Notice, Parts, RawFiles, Record
from tests.dicom import ct, jpeg_lossless, radiograph
from tests.metaimage import mha
from tests.nifti import nifti
from tests.raws import Files

FILES = Path(__file__).parent / "prepare" / "read"
STORED = Path(__file__).parent / "prepare" / "readers.digest"


def plain(value: Any) -> Any:
    """Turn a value into what has one text on every machine."""
    if isinstance(value, Notice):  # told in words, which may be put better; what it is about may not change
        return [value.where, value.dropped, value.lost, value.count]
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


def typed() -> Any:
    text = b"n,on,day,word,more\n1,TRUE,2020-03-09,a,x\n?,false,soon,b,y\n1,TRUE,2020-03-09,a,x\n"
    columns = {"count": "int32", "on": "bool", "day": "date32", "word": "string", "late": "float64"}
    form = TableForm(columns=columns, names={"count": "n"}, optional=("late",), key=("count", "on"), unknown=("?",))
    wide = b"Country,Place,3/9/20,3/10/20\nItaly,Rome,1,2\nItaly,Milan,4,\nItaly,Rome,9,9\nSpain,Madrid,x,8\n"
    files = Files({"a.csv": text, "wide.csv": wide})
    days = {"Italy": (date(2020, 3, 9), date(2020, 3, 10)), "Spain": (date(2020, 3, 9),)}
    counts, told = counts_on(
        files, "wide.csv", days, lambda row: [row["Country"]], told=("Country", "Place"), required=("Place",)
    )
    parts = list(cuts(files, "a.csv", 20))
    readers = [CutReader(files, part) for part in parts]
    of_parts = [row for each in readers for row in read_csv(each, "a.csv", required=("n",)).rows]
    assert all(each.has("a.csv") for each in readers)
    summed = sorted((place, str(on), value) for (place, on), value in counts.items())
    return [
        summed,
        told,
        list(typed_rows(files, "a.csv", form)),
        [part.name for part in parts],
        of_parts,
        readers[-1].read("a.csv"),
    ]


def pages() -> Any:
    note = "url: https://a.org/case/8\nage: 7,5\nsex: f\ndate: 2020-03-09\ncredit film-pa.jpg: B\n\nTosse.\n"
    names = ("case.txt", "film-pa.jpg", "ct/10.png", "ct/2.png")
    files = {f"case 07/{name}": note.encode() if name == "case.txt" else b"" for name in names}
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).write_bytes(content)
        raw = RawTree.of_folder(Path(folder))
        found = list(read_cases(raw, "case ([0-9]+)", (*HEADERS, "credit"), stacks=True))
    address = re.compile(r"case/([0-9]{1,9})")
    return [list(records_of_case(case, case.cells, address)) for case in found if isinstance(case, Case)]


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

    listed = [read(lambda text: ranges(text, ";"), text) for text in ("0;11;24-26", "7", "3-", "", "1;x")]
    return [[[read(convert, text) for text in texts] for convert in (whole, count, number, time, day)], listed]


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
    found = [part for name in names for part in axial_slices(raw, name, (("lung", "mask.nii.gz"),))]
    parts = [part for part in found if not isinstance(part, Notice)]
    measured = [measure_volume(files[name], "0", name) for name in ("plain.nii", "packed.nii.gz")]
    return [
        parts,
        read_mask(files["mask.nii.gz"], "mask").voxels,
        read_nifti_header(files["oblique.nii"], "x"),
        measured,
    ]


def greys() -> Any:
    values = np.arange(3 * 6 * 5).reshape(3, 6, 5)
    kinds = {"whole": values, "below": values - 40, "parts": values / 89}
    raw = Files({f"{name}.nii": nifti(each.astype(np.float32), packed=False) for name, each in kinds.items()})
    raw["m.nii"] = nifti((values % 5).astype(np.uint8), packed=False)
    masks = (("lung", "m.nii", (1, 2), (1, 2, 3)), ("infection", "m.nii", (3,), (1, 2, 3)))
    return [
        [list(read(raw, f"{name}.nii", masks, Grey())) for name in kinds for read in (axial_slices, piled_pictures)],
        read_labels(raw["m.nii"], "m.nii", (1, 4)).voxels,
        gzip.decompress(volume_mask("m.nii", (1,), (1, 2)).read(raw)),
        gzip.decompress(volume_mask_on("whole.nii", "m.nii").read(raw)),
        measure_volume(raw["parts.nii"], "0", "parts.nii"),
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
        replace(header, image=None),  # where pixels are in this very file, into which pydicom writes its own version
    ]


def headers() -> Any:
    """Headers of series: what they say of a person, and what may tell who it is."""
    said: dict[str, Any] = {
        "PatientSex": "F",
        "PatientAge": "042Y",
        "KVP": 110,
        "ConvolutionKernel": "D40s",
        "SliceThickness": 2,
    }
    plain = ct(np.zeros((8, 6), np.int16), **said)
    named = ct(np.zeros((8, 6), np.int16), **said, PatientName="Doe", StudyDate="20200305", Manufacturer=" Maker ")
    files = Files({"plain.dcm": plain, "named.dcm": named})
    return [described(files, ["plain.dcm"], "P1"), described(files, ["named.dcm"], "P2")]


def arrays() -> Any:
    found = {}
    for name, array in {"rows": np.arange(6.0).reshape(2, 3), "columns": np.arange(6).reshape(3, 2).T}.items():
        np.save(out := io.BytesIO(), array)
        found[name] = read_npy(Files({"a.npy": out.getvalue()}), "a.npy", (None, 3))
    return found


def films() -> Any:
    values = np.arange(70 * 90, dtype=np.uint16).reshape(70, 90) % 4096
    twelve: dict[str, Any] = {"BitsStored": 12, "HighBit": 11}
    window = {"WindowCenter": 2000, "WindowWidth": 1500, "RescaleSlope": 2, "RescaleIntercept": -100}
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [3, 10, 10])
    table.add_new("LUTData", "US", [0, 100, 1023])
    files = Files(
        {
            "plain.dcm": radiograph(values, **twelve),
            "window.dcm": radiograph(values, **twelve, **window, PatientAge="006M"),
            "table.dcm": radiograph(values, **twelve, VOILUTSequence=[table]),
            "white.dcm": radiograph(values, **twelve, PhotometricInterpretation="MONOCHROME1", ViewPosition="LL"),
            "signed.dcm": radiograph(values, **twelve, PixelRepresentation=1),
            "flat.dcm": radiograph(values.astype(np.uint8), BurnedInAnnotation="YES"),
        }
    )
    return [list(film(files, path, FilmForm(shown=shown))) for path in files for shown in (False, True)]


def listed() -> Any:
    plain = dict.fromkeys(COLUMNS, "") | {"PatientAge": "055Y", "PatientSex": "F", "Manufacturer": "Maker"}
    values = np.arange(70 * 90, dtype=np.uint16).reshape(70, 90) % 4096
    files = Files(
        {
            f"{folder}/{name}.dcm": radiograph(values, SOPInstanceUID=name, PatientID=patient, ViewPosition="LL")
            for folder, name, patient in (
                ("a", "1.2", "P1"),
                ("b", "1.9", "P1"),
                ("b", "1.5", "P1"),
                ("b", "1.7", "P2"),
            )
        }
    )
    files |= {f"c/{place}.dcm": ct(values.astype(np.int16), (0.0, 0.0, 2.5 * place)) for place in range(3)}
    found: list[Any] = []
    for folder, modality in (("a", "DX"), ("b", "CR"), ("c", "CT")):
        paths = tuple(sorted(path for path in files if path.startswith(folder)))
        row = plain | {"Modality": modality}
        record = series_record(Series(folder, "P1", "1.2", "1.2.3", len(paths), 1, row), paths, "1", {"said": "so"})
        assert isinstance(record.image, Parts)
        found += [
            replace(record, image=None),
            is_projection(Series(folder, "P1", "1.2", "1.2.3", 1, 1, row)),
            list(record.image.function(files, *record.image.arguments)),
        ]
    said = {"A": ["mild"], "B": ["mild", "severe"], "chief": ["severe"]}
    votes = [vote(said, ["mild", "severe"], "ABC", chief) for chief in ("", "chief")]
    first = "841e50fe-8693-45b1-b84e-0ea7ec4e7015"
    with TemporaryDirectory() as folder:
        raw = RawTree.of_folder(Path(folder), version="1", config="films")
        lost = list(listed_series(raw, "midrc_ricord_1c", lambda one: one.folder == first))
    dated = {"x": (7, "film"), "y": (9, "film"), "z": (9, "film")}
    return [found, votes, lost, places_of([(-1, "film"), (1, "film")], dated), places_of([(0, "film")], dated)]


def metaimages() -> Any:
    values = (np.arange(3 * 6 * 5, dtype=np.int16).reshape(3, 6, 5) * 20 - 1000).astype(np.int16)
    data = mha(values, packed=False)
    header, voxels = data[: -values.nbytes].replace(b"= LOCAL", b"= a.raw"), data[-values.nbytes :]
    mask = mha((values > 0).astype(np.uint8) * 2)
    files = Files({"a.mha": mha(values), "a.mhd": header, "a.raw": voxels, "m.mha": mask, "m.nii": nifti(values % 3)})
    made = (volume_as_nifti("a.mha"), volume_mask("m.mha", (2,)), volume_mask("m.nii", (1,)))
    return [
        [list(allowing(10**6, axial_slices(files, path, (("lung", "m.mha", (2,)),)))) for path in ("a.mha", "a.mhd")],
        [each.read(files) for each in made],
        [said(files, "a.mha"), list(only_picture(Files({"a.mha": mha(values[:1])}), "a.mha"))],
        [gzip.decompress(kept) if (kept := each.read(files))[:2] == GZIP else kept for each in made],
        read_volume_header(data, "a.mha"),
        metaimage_said(files, "a.mha"),
        list(check_mask(files["a.mha"], "a.mha", mask, "m.mha")),
    ]


def masks() -> Any:
    labels = np.array([[0, 1, 2, 127], [3, 1, 0, 255]], np.uint8)
    colours = np.zeros((2, 3, 3), np.uint8)
    colours[0, 1], colours[1, 2] = (187, 73, 73), (0, 0, 9)
    files = Files({"labels.png": encode(labels), "colours.png": encode(colours)})
    found = [
        picture_mask(MaskFile("labels.png")),
        picture_mask(MaskFile("labels.png", (1, 2), (127,)), empty="unknown"),
        picture_mask(MaskFile("labels.png", (3,)), size=(4, 8), fit="nearest"),
        picture_mask(MaskFile("colours.png")),
        picture_mask(MaskFile("colours.png", ((187, 73, 73),), corner=(2, 1)), size=(4, 8)),
    ]
    shown = [np.asarray(Image.open(io.BytesIO(made.read(files)))) for made in found]
    return [shown, other_size((3, 3), files["labels.png"], "labels.png"), [extension(each) for each in shown]]


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


def drawings() -> Any:
    ring, hole = [(1, 2), (4, 2), (4, 5), (1, 5)], [(2, 3), (3, 3), (3, 4), (2, 4)]
    as_tables = [[{"x": x, "y": y} for x, y in each] for each in (ring, hole)]
    darwin = {
        "image": {"width": 9, "height": 8, "filename": "1.jpg", "original_filename": "a.jpg"},
        "annotations": [
            {"name": "Lung", "polygon": {"path": as_tables[0]}},
            {"name": "Lung", "complex_polygon": {"path": as_tables}},
            {"name": "Mark", "bounding_box": {"x": 1, "y": 2, "w": 3, "h": 4}},
            {"name": "View/PA", "tag": {}},
            {"name": "Line", "line": {}},
        ],
    }
    flat = [number for point in ring for number in point]
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "height": 8, "width": 9}],
        "categories": [{"id": 0, "name": "Lung"}],
        "annotations": [
            {"image_id": 1, "category_id": 0, "bbox": [1, 2, 3, 3], "segmentation": [flat]},
            {"image_id": 1, "category_id": 7},
        ],
    }
    one, several = read_darwin(json.dumps(darwin), "a.json"), read_coco(json.dumps(coco), "c.json")
    return [one, several, fill(one.outlines[1:], (8, 9))[0]]


def rows() -> Any:
    cells = (
        {"id": "1", "sex": "f", "age": "60", "t": "37.5", "days": "-3", "finding": "COVID-19", "place": "Wuhan, China"},
        {"id": "1", "sex": "m", "age": "230", "t": "375", "days": "1.5", "finding": "no such", "place": "Italy"},
        {"id": "2", "sex": "?", "age": "1e1", "t": "", "days": "", "finding": "", "place": ""},
        {"id": "", "sex": "f"},
    )
    ages = ("120", "120.5", "-1", "7.5")
    dates = ("2020-03-31", "March 2020", "3/7/20", "2031", "31 Feb 2020", "10.1186/x", "https://doi.org/10.1186/cc5668")
    found: list[Any] = []
    for row in (*cells, *({"age": text} for text in ages), *({"date": text} for text in dates)):
        read = Cells(row, "a.png", unknown=("?",))
        read.doubt("odd", "told")
        found += [
            [read.text("place"), read.one_of("sex", {"f": "F", "m": "M"}), read.number("days", -2, 2)],
            [read.days("days"), read.age("age"), read.clinical({"t": "temperature_c"}), read.finding("finding")],
            [read.country("place"), read.doi("date"), read.date("date", month_first=True, latest="2020-12-31")],
            [read.flags, read.notices],
        ]
    columns = Columns()
    found.append([columns.counts(texts, "deaths") for texts in (["1", "2"], ["3", "", "3.0", "-1"])])
    found.append([list(columns.notices("a.csv")), [fips(text) for text in ("60.0", "1001")]])
    found.append(rows_by(cells, lambda row: row["id"], "a.csv", known={"1"}))
    found.append(list(contradictions(cells, "id", "sex", "several sexes")))
    found.append([list(not_in("a.csv", ["a", "b"], ["a"])), list(count_by_folder("odd", ["a/1", "b/2"], "are"))])
    found.append(ids_of_one([{"285", "339"}, {"7"}, {"339", "340"}]))
    return found


def tables() -> Any:
    wide = "Province,Country,1/22/20,1/23/2020\n,Italy,1,2\nHubei,China,5,\n"
    text = {
        "deaths.csv": wide,
        "cases.csv": wide.replace("Hubei", "Anhui"),
        "scores.csv": "file,Extent\n1.png,2.5\n2.png,9\n3.png,\n",
        "train.txt": "a\nb\n",
        "test.txt": "b\n\nc\n",
        "case 007/case.txt": "Age: 78\nCough.\n",
        "case 007/1.png": "x",
        "case 8/case.txt": "nothing",
        "part/list.csv": "x",
        "part/films/1.png": "x",
    }

    def part(raw: RawFiles) -> Iterator[Record | Notice]:
        for path in raw.paths("films/*"):
            yield Record(sample_id="1", image=File(path), modality="CXR", patient="7", ties=("patient:8",))

    with TemporaryDirectory() as folder:
        for path, content in text.items():
            (Path(folder) / path).parent.mkdir(exist_ok=True)
            (Path(folder) / path).write_text(content, encoding="utf-8")
        raw = RawTree.of_folder(Path(folder))
        key, counts = ("Country", "Province"), {"deaths": "deaths.csv", "cases": "cases.csv"}
        places, *other = read_places(raw, counts, key, told=key, required=key[:1], rename={})
        return [
            [list(places.items()), other, list(falls([1, 3, None, 2, 2]))],
            read_scores(raw, "scores.csv", {"extent": ("Extent", 8.0)}, ("file",)),
            read_splits(raw, {"train.txt": "train", "test.txt": "test"}, lambda _, name: f"{name}.png"),
            list(read_cases(raw, "case ([0-9]+)", ("age",))),
            list(records_of_part(part, raw, "part", "list.csv")),
        ]


def sidecars() -> Any:
    """Read a tree of images with headers beside them, as BIDS has it, and what was outlined on one."""
    place, film_name, volume = "sub-S1/ses-E1/mod-rx/", "sub-S1_ses-E1_run-1_bp-chest_vp-ap", "sub-S1_ses-E1_run-1_ct"
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 60
    picture = io.BytesIO()
    Image.fromarray(values).save(picture, "PNG")
    elements = {
        "00080008": "AXIAL", "00080020": "20200322", "00100040": "F", "00101010": "056Y", "00180050": "5",
        "00181210": "B31s", "00280004": "MONOCHROME1", "00280101": 12, "00280103": 0, "00281050": 2048,
        "00281051": 4096,
    }  # fmt: skip
    header = json.dumps({tag: {"vr": "XX", "Value": [value]} for tag, value in elements.items()})
    drawn = plistlib.dumps({"Images": [{"ROIs": [{"Name": "GGO", "Point_px": ["(1, 1)", "(5, 1)", "(5, 5)"]}]}]})
    files = {
        f"{place}{film_name}_cr.png": picture.getvalue(),
        f"{place}{film_name}_cr.json": header.encode(),
        f"{place}{volume}.nii.gz": nifti(np.arange(24, dtype=np.int16).reshape(2, 3, 4)),
        f"{place}stray.png": b"",
        f"derivatives/roi/{place}{film_name}_mod-cr_roi.xml": drawn,
        "participants.tsv": b"participant\tage\nsub-S1\t[57, 56]\nderivatives\t[]\n",
        "tests.tsv": b"participant\tdate\ttest\tresult\nsub-S1\t20.03.2020\tpcr\tPOS\nsub-S1\t\tpcr\tPOS\n",
    }
    with TemporaryDirectory() as folder:
        for path, data in files.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_bytes(data)
        raw = RawTree.of_folder(Path(folder))
        tree = read_tree(raw, ("cr.png",), ("ct.nii.gz",))
        film_path, volume_path = f"{place}{film_name}_cr.png", f"{place}{volume}.nii.gz"
        _, tests = read_matching(raw, "tests*", required=("participant",), delimiter="\t")
        assays, told = assays_by_person(tests.rows, "tests.tsv", {"POS": True})
        side = Side(*tree.sidecar(film_path), view=True, assays=assays["sub-S1"])
        masks, odd = outline_masks(raw, tree.outlines[f"{film_name}_cr.png"], film_path, {"ggo": "ground_glass"})
        return [
            [
                read_name(volume),
                words_of("a', ' b"),
                lowest("[57, 56]"),
                day_of("20200322"),
                read_sidecar(raw, side.path).day,
            ],
            [tree, participants(raw, "participants.tsv", ("age",)), told, odd, digest(masks["ground_glass"].read(raw))],
            [
                list(film_beside(raw, side, film_path)),
                list(ct_beside(raw, Side(*tree.sidecar(volume_path)), volume_path)),
            ],
            [list(shown_film(raw, film_path, side, keep)) for keep in (False, True)],
            list(scan_slices(raw, volume_path, side)),
        ]


def phantoms() -> Any:
    layers = ("image", "lung", "infection")
    made = [(modality, shifted, layer) for modality in ("CT", "CXR") for shifted in (False, True) for layer in layers]
    pictures = [picture(Files(), 0, 1, 1, modality, 0, shifted, layer) for modality, shifted, layer in made]
    faint = [faint_picture(Files(), 0, 1, 0, layer) for layer in layers]
    series = [series_picture(Files(), 0, 1, 0, 2, ill, layer) for ill in (False, True) for layer in layers]
    return [pictures, faint, series, [draw(0, patient, "age", 18, 92) for patient in range(9)]]


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
    grey = np.arange(12 * 10, dtype=np.uint8).reshape(12, 10)
    colour = np.stack([grey, grey + 1, grey[::-1]], axis=2)
    packed = [[digest(encode(pixels)), read_png(encode(pixels))] for pixels in (grey, colour)]
    room = Room(1 << 12)
    into = [bytes(encode_into(pixels, room)) for pixels in (values, values[::-1], grey)]
    room.clear()
    return [data, digest(data), decode_deep(data), measure(data, "0", "a.tif"), packed, into]


CASES: dict[str, Callable[[], Any]] = {
    "csv": csv,
    "xlsx": xlsx,
    "cells": cells,
    "notes": notes,
    "volumes": volumes,
    "greys": greys,
    "dicom": dicom,
    "headers": headers,
    "arrays": arrays,
    "films": films,
    "listed": listed,
    "metaimages": metaimages,
    "masks": masks,
    "outlines": outlines,
    "exports": exports,
    "drawings": drawings,
    "rows": rows,
    "tables": tables,
    "typed": typed,
    "sidecars": sidecars,
    "pages": pages,
    "phantoms": phantoms,
    "videos": videos,
    "pictures": pictures,
    "encoded": encoded,
}


def text_of(name: str) -> str:
    """Read the files of one case and write the values down."""
    return json.dumps(plain(CASES[name]()), sort_keys=True)


def digest_of(text: str) -> str:
    """Digest what `text_of` wrote."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def stored() -> tuple[int, dict[str, str]]:
    """Read the format and the digests that are stored."""
    (_, form), *lines = (line.split() for line in STORED.read_text(encoding="utf-8").splitlines())
    return int(form), dict(lines)


def store(*, unreleased: bool) -> None:
    """Store the digests; not where a value changed and FORMAT did not."""
    form, before = stored() if STORED.exists() else (0, {})
    found = {name: digest_of(text_of(name)) for name in CASES}
    changed = [name for name, digest in before.items() if found.get(name) != digest]
    if changed and form >= FORMAT and not unreleased:
        sys.exit(f"{', '.join(changed)}: the values changed; raise FORMAT in covid_datasets/prepare/inputs.py first")
    lines = [f"FORMAT {FORMAT}", *(f"{name} {digest}" for name, digest in found.items())]
    STORED.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unreleased", action="store_true")
    store(unreleased=parser.parse_args().unreleased)
