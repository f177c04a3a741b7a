"""Files with bytes changed at random, for every reader: each is read, or refused with an error of ours."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from covid_datasets.measure.image import UndecodableError, measure
from covid_datasets.measure.video import measure_video
from covid_datasets.measure.volume import measure_volume
from covid_datasets.read.coco import read_coco
from covid_datasets.read.darwin import read_darwin
from covid_datasets.read.dicom import read_header, read_hounsfield
from covid_datasets.read.film import FilmForm, film
from covid_datasets.read.levels import Grey
from covid_datasets.read.made import MaskFile, make_mask, make_volume_mask_on
from covid_datasets.read.masks import read_labels, read_mask
from covid_datasets.read.mdai import read_annotations
from covid_datasets.read.polygons import fill
from covid_datasets.read.series import Wanted, series_parts
from covid_datasets.read.slices import axial_slices, piled_pictures
from tests.dicom import compressed, ct, radiograph
from tests.metaimage import mha
from tests.mutate import raw_errors_of
from tests.nifti import nifti
from tests.raws import Files
from tests.read.test_exports import SQUARE, coco, darwin
from tests.sources.pocus import clip

VOXELS = np.random.default_rng(0).integers(-1024, 900, (4, 9, 8)).astype(np.int16)
FILM = np.random.default_rng(1).integers(0, 4096, (24, 30)).astype(np.uint16)


def _outlines(drawn: Any) -> None:
    fill(drawn.outlines, (8, 9))


def _mdai(data: bytes) -> None:
    said = read_annotations(data.decode("utf-8", "replace"), "a.json", ("Lung",))
    for images in said.outlines.values():
        for outlines in images.values():
            fill(outlines, (8, 9))


def _coco(data: bytes) -> None:
    for drawn in read_coco(data.decode("utf-8", "replace"), "a.json").values():
        _outlines(drawn)


def _film(shown: bool) -> Callable[[bytes], object]:
    form = FilmForm(secondary=True, shown=shown)
    return lambda data: list(film(Files({"a.dcm": data}), "a.dcm", form))


def _series(data: bytes) -> object:
    files = {"b.dcm": data} | {f"{place}.dcm": ct(VOXELS[0] + place, (0.0, 0.0, place)) for place in (0, 2)}
    return list(series_parts(Files(files), sorted(files), Wanted("s")))


def _picture(mode: str, kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(2).integers(0, 255, (40, 50)).astype(np.uint8)).convert(mode).save(out, kind)
    return out.getvalue()


def _dicom() -> list[bytes]:
    twelve: dict[str, Any] = {"BitsStored": 12, "HighBit": 11, "WindowCenter": 2000, "WindowWidth": 800}
    plain = radiograph(FILM, PhotometricInterpretation="MONOCHROME1", **twelve)
    packed = [f"1.2.840.10008.1.2.{number}" for number in ("5", "4.70", "4.80", "4.90")]
    return [ct(VOXELS[0]), plain, *(compressed(plain, syntax) for syntax in packed)]


MDAI = {
    "labelGroups": [{"name": "Lion", "labels": [{"id": "L1", "name": "Lung"}]}],
    "datasets": [
        {
            "annotations": [
                {
                    "id": "A1", "labelId": "L1", "StudyInstanceUID": "1", "SeriesInstanceUID": "2", "height": 8,
                    "SOPInstanceUID": "3", "width": 9, "data": {"vertices": [[1, 2], [3, 4], [5, 1]]},
                },
                {"id": "A2", "labelId": "L1", "StudyInstanceUID": "1", "data": None},
            ]
        }
    ],
}  # fmt: skip


def readers() -> dict[str, tuple[list[bytes], list[Callable[[bytes], object]]]]:
    """Return for each kind of file whole ones, and what reads them."""
    lung = {"name": "Lung", "polygon": {"path": SQUARE}}
    rings = {"name": "Lung", "complex_polygon": {"path": [SQUARE, SQUARE]}}

    def image(data: bytes) -> object:
        return measure(data, "", "a")

    def mask(data: bytes) -> object:
        return make_mask(Files({"a": data}), (MaskFile("a"),), (40, 50), "blank", "nearest")

    return {
        "dicom": (
            _dicom(),
            [
                lambda data: read_header(data, "a.dcm"),
                lambda data: read_hounsfield(data, "a.dcm"),
                _film(False),
                _film(True),
                _series,
            ],
        ),
        "nifti": (
            [nifti(VOXELS, packed=False), nifti(VOXELS), nifti(VOXELS.astype(np.float32), slope=2.0, packed=False)],
            [
                lambda data: list(axial_slices(Files({"a.nii.gz": data}), "a.nii.gz")),
                lambda data: measure_volume(data, "", "a.nii.gz"),
                lambda data: read_mask(data, "a.nii.gz"),
                lambda data: read_labels(data, "a.nii.gz", (1, 2), (1, 2, 3)),
                lambda data: list(piled_pictures(Files({"a.nii.gz": data}), "a.nii.gz", (), Grey())),
                lambda data: list(axial_slices(Files({"a.nii.gz": data}), "a.nii.gz", (), Grey(0, 1))),
                lambda data: make_volume_mask_on(Files({"a.nii": data}), "a.nii", "a.nii"),
            ],
        ),
        "metaimage": (
            [mha(VOXELS), mha(VOXELS, packed=False), mha(VOXELS, packed=False, data_file="b.raw")],
            [
                lambda data: list(axial_slices(Files({"a.mha": data}), "a.mha")),
                lambda data: list(axial_slices(Files({"a.mhd": data, "b.raw": VOXELS.tobytes()}), "a.mhd")),
                lambda data: measure_volume(data, "", "a.mha"),
            ],
        ),
        "mdai": ([json.dumps(MDAI).encode()], [_mdai]),
        "darwin": (
            [darwin(lung, rings, {"name": "b", "bounding_box": {"x": 1, "y": 2, "w": 3, "h": 4}}).encode()],
            [lambda data: _outlines(read_darwin(data.decode("utf-8", "replace"), "a.json"))],
        ),
        "coco": ([coco().encode()], [_coco]),
        "video": (
            [clip(1, kind) for kind in ("gif", "mpeg", "avi", "mp4")],
            [lambda data: measure_video(data, "", "a.mp4")],
        ),
        "image": (
            [
                *(_picture("L", kind) for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")),
                _picture("P", "PNG"),
                _picture("RGBA", "PNG"),
                _picture("F", "TIFF"),
            ],
            [image, mask],
        ),
    }


def raw_errors(kind: str, count: int, seed: int) -> list[tuple[int, str]]:
    """Read so many changed files of a kind; return the seeds of those that raised what is not ours, with what."""
    wholes, ways = readers()[kind]
    return raw_errors_of(wholes, ways, count, seed, (UndecodableError,))
