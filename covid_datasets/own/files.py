"""What files of one's own are: pictures, volumes, videos, DICOM films and series; the rest is told and left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.dicom import read_header
from covid_datasets.read.film import FILMS, SECONDARY_CAPTURE
from covid_datasets.read.volumes import META
from covid_datasets.schema import Notice, RawFiles

Kind = Literal["picture", "volume", "metaimage", "video", "film", "series"]
ENDINGS: Mapping[str, Kind] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".gif", ".bmp", ".webp"), "picture"),
    **dict.fromkeys((".nii", ".nii.gz"), "volume"),
    **dict.fromkeys(META, "metaimage"),
    **dict.fromkeys((".mp4", ".avi", ".mov", ".mpg", ".mpeg", ".mkv", ".webm"), "video"),
}
"""What a name ends with -> what the file is."""
DICOM = (".dcm", ".dicom", ".ima")
_PREAMBLE = 128
_MASKS = ("mask", "masks")
_HEADER, _VOXELS = ".mhd", (".raw", ".zraw")


@dataclass(frozen=True, slots=True)
class Item:
    """What becomes one record: a file, or the folder of a series with its files.

    ``patient`` is the PatientID of a series, where its header has one.
    """

    path: str
    kind: Kind
    files: tuple[str, ...]
    patient: str | None = None

    @property
    def folder(self) -> str:
        """The folder that the files are in; empty at the top."""
        return self.files[0].rpartition("/")[0]


def kind_by_name(path: str) -> Kind | None:
    """Tell what a file is by what its name ends with; ``None`` where that says nothing, as of DICOM.

    >>> kind_by_name("covid/1.PNG"), kind_by_name("ct.nii.gz"), kind_by_name("readme.txt")
    ('picture', 'volume', None)
    """
    name = path.lower()
    return next((kind for ending, kind in ENDINGS.items() if name.endswith(ending)), None)


def find_items(raw: RawFiles, films: bool = False, but: str = "") -> tuple[list[Item], list[Notice]]:
    """Sort all files but the table; DICOM files of one folder are a series, unless they are ``films`` or say so."""
    items: list[Item] = []
    dicom: dict[str, list[str]] = defaultdict(list)
    others: list[str] = []
    present = raw.paths()
    voxels = _voxels_of_headers(present)
    beside = {path for paths in voxels.values() for path in paths}
    for path in present:
        kind = kind_by_name(path)
        if kind:
            items.append(Item(path, kind, (path, *voxels.get(path, ()))))
        elif path == but or path in beside:
            continue
        elif _is_dicom(raw, path):
            dicom[path.rpartition("/")[0]].append(path)
        else:
            others.append(path)
    for folder, paths in dicom.items():
        items += _of_dicom(raw, folder, paths, films)
    return sorted(items, key=lambda item: item.path), list(_left_out(others))


def _voxels_of_headers(present: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Name the voxels of each ``.mhd``, as programs call them: a file of the same name beside it."""
    there = set(present)
    stems = {path: path[: -len(_HEADER)] for path in there if path.lower().endswith(_HEADER)}
    named = {path: tuple(stem + ending for ending in _VOXELS if stem + ending in there) for path, stem in stems.items()}
    return {path: found for path, found in named.items() if found}


def is_mask(path: str) -> bool:
    """Tell whether a file lies in a folder of masks, which are no samples.

    >>> is_mask("COVID/masks/COVID-1.png"), is_mask("COVID/images/COVID-1.png")
    (True, False)
    """
    folders = path.lower().replace("-", "_").replace(" ", "_").split("/")[:-1]
    return any(folder in _MASKS or folder.endswith(("_mask", "_masks")) for folder in folders)


def _is_dicom(raw: RawFiles, path: str) -> bool:
    """Tell by its name, or, where that ends with nothing known to be a format, by its first bytes."""
    name = path.rpartition("/")[2].lower()
    if name.endswith(DICOM):
        return True
    ending = name.rpartition(".")[2] if "." in name else ""
    if ending and not ending.isdigit():  # a UID ends with digits
        return False
    with raw.open(path) as file:
        return file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"


def _of_dicom(raw: RawFiles, folder: str, paths: list[str], films: bool) -> Iterator[Item]:
    header = None
    with suppress(DamagedFileError):  # told by who reads the series
        header = read_header(raw.read(paths[0]), paths[0])
    if films or (header and (header.sop_class in FILMS or header.sop_class == SECONDARY_CAPTURE)):
        yield from (Item(path, "film", (path,)) for path in paths)
        return
    patient = header.patient.strip() if header else ""
    yield Item(folder or "series", "series", tuple(paths), patient or None)


def _left_out(paths: Iterable[str]) -> Iterator[Notice]:
    """Tell of files that are nothing we read, in one notice an ending."""
    by_ending: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        name = path.rpartition("/")[2]
        by_ending[f".{name.rpartition('.')[2].lower()}" if "." in name else "no ending"].append(path)
    for ending, found in sorted(by_ending.items()):
        what = f"{len(found):,} of {ending}, no picture, volume or video"
        yield Notice("file left out", found[0], what, dropped=True, count=len(found))
