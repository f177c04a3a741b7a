"""A small MIDRC-RICORD-1A: real names of four of its series, small phantoms as their slices, annotations as MD.ai has them.

The unpacked form is one folder for each series as the bucket has it, the packed one a zip in the layout of Imaging Data
Commons beside the annotations, and the served one is the bucket with its lists.
"""

import json
from pathlib import Path

import numpy as np
from covid_datasets.builders.midrc_ricord_1a import _ANNOTATIONS, _LISTING

from covid_datasets.catalog.listing import Series, read_listing
from tests.buckets import Collection, Tree, file_name, packed
from tests.dicom import ct
from tests.sources import Expected

ROOT = "https://idc-open-data-cr.s3.amazonaws.com/"
SIDE = 64
# A scout and a coronal reformat of one study, an axial series of the same study, a series of another site.
CHOSEN = (
    ("63c33434-db28-4836-b8ac-692468d1d486", "scout"),
    ("3675ede4-ac4e-4b72-9f47-e1017a1f7a55", "coronal"),
)
COUNT = 5
GROUPS = ("Purple Group 1", "Green Group 2")


def series() -> dict[str, str]:
    """Choose series: folder -> what it is."""
    chosen = dict(CHOSEN)
    for folder, one in read_listing(_LISTING).items():
        kind = "axial"
        site = one.patient.split("-")[3]
        if site in ("440808", "660042", "SITE2") and sum(f" {site}" in v for v in chosen.values()) < 2:
            chosen[folder] = f"{kind} {site}"
    return chosen


def slices(one: Series, kind: str) -> dict[str, bytes]:
    """Make the files of a series, with instance numbers that run against the positions."""
    files = {}
    seed = int(one.folder[:6], 16)
    for index in range(2 if kind == "scout" else COUNT):
        pixels = np.random.default_rng(seed + index).integers(-1000, 400, (SIDE, SIDE)).astype(np.int16)
        yy, xx = np.mgrid[:SIDE, :SIDE]
        pixels[np.hypot(yy - 30, xx - 32) > 20 + index + seed % 9] //= 8
        axis = {"coronal": (1, 0, 0, 0, 0, -1), "scout": (1, 0, 0, 0, 0, -1)}.get(kind, (1, 0, 0, 0, 1, 0))
        position = (-20.0, 3.0 * index, 20.0) if kind == "coronal" else (-20.0, -20.0, -3.0 * index)
        data = ct(
            pixels,
            position,
            SeriesInstanceUID=one.series,
            StudyInstanceUID=one.study,
            PatientID=one.patient,
            SOPInstanceUID=f"{one.series[:-3]}{index}",
            InstanceNumber=COUNT - index,
            ImageOrientationPatient=list(axis),
            ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER" if kind == "scout" else "AXIAL"],
        )
        files[file_name(one, index)] = packed(one, data)
    return files


def annotations() -> str:
    """Write the export: labels of one name in two groups, a null outline, one that leaves its image, a label of a study."""
    chosen = [read_listing(_LISTING)[folder] for folder, kind in series().items() if kind.startswith("axial SITE2")]
    groups = [
        {
            "id": f"G_{number}",
            "name": group,
            "labels": [
                {"id": f"L_{number}a", "name": "Infectious opacity", "scope": "INSTANCE", "annotationMode": "polygon"},
                {"id": f"L_{number}b", "name": "Atelectasis", "scope": "INSTANCE", "annotationMode": "polygon"},
                {"id": f"L_{number}c", "name": "Typical", "scope": "STUDY", "annotationMode": None},
            ],
        }
        for number, group in enumerate(GROUPS)
    ]
    square = [[10, 10], [20, 10], [20, 20], [10, 20]]

    def drawn(number: int, label: str, one: Series, image: int, vertices: object) -> dict[str, object]:
        return {
            "id": f"A_{number}", "labelId": label, "StudyInstanceUID": one.study, "SeriesInstanceUID": one.series,
            "SOPInstanceUID": f"{one.series[:-3]}{image}", "height": SIDE, "width": SIDE,
            "data": None if vertices is None else {"vertices": vertices}, "note": None,
        }  # fmt: skip

    first = chosen[0]
    found = [
        drawn(1, "L_0a", first, 1, square),
        drawn(2, "L_1a", first, 1, [[30, 30], [40, 30], [40, 40]]),
        drawn(3, "L_0b", first, 2, square),
        drawn(4, "L_1a", first, 3, None),
        drawn(5, "L_0a", first, 3, [[50, 50], [90, 50], [90, 60]]),
        {"id": "A_6", "labelId": "L_0c", "StudyInstanceUID": first.study, "SeriesInstanceUID": None},
        {"id": "A_7", "labelId": "L_1c", "StudyInstanceUID": first.study, "SeriesInstanceUID": None},
    ]
    studies = [{"StudyInstanceUID": one.study, "number": number} for number, one in enumerate(chosen, start=1)]
    dataset = {"id": "D_q24k8z", "name": "RICORD-1a", "studies": studies, "annotations": found}
    return json.dumps({"labelGroups": groups, "datasets": [dataset]})


def tree() -> Tree:
    """Make the files of each series."""
    return {name: slices(read_listing(_LISTING)[name], kind) for name, kind in series().items()}


def write_annotations(path: Path) -> None:
    """Write the annotations as MD.ai exports them."""
    path.write_text(annotations(), encoding="utf-8")


_SMALL = Collection("midrc_ricord_1a", _LISTING, ROOT, tree, _ANNOTATIONS, write_annotations)
write_unpacked, write_packed, write_archives = _SMALL.unpacked, _SMALL.packed, _SMALL.archives
_SITE2, _REFORMAT = "febc71bf-7900-4dbf-9f6e-0ac018e96a43", "3675ede4-ac4e-4b72-9f47-e1017a1f7a55"
EXPECTED = {
    f"{_SITE2}/0000.tiff": Expected(
        "1.2.826.0.1.3680043.10.474.2473275186493634773351774155462085271/0000", "SITE2-000001", "covid19", "train"
    ),
    f"{_REFORMAT}/0004.tiff": Expected(
        "1.2.826.0.1.3680043.10.474.419639.108518937868403894887894311320/0004", "419639-000082", "covid19", "train"
    ),
}
write = write_unpacked
