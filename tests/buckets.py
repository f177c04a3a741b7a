"""Small series of a public bucket, in every layout in which somebody may have them.

A tree is ``{folder in the bucket: {file: its bytes}}``; the series are real ones of a listing, their pixels phantoms.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from covid_datasets.catalog.listing import Series, read_listing
from covid_datasets.fetch.places import place
from covid_datasets.raw.bucket import list_url
from tests.dicom import ct, jpeg_lossless, radiograph
from tests.sources import pack

Tree = Mapping[str, Mapping[str, bytes]]
CT_SIDE, FILM_SIDE = 48, 96


@dataclass(frozen=True)
class Collection:
    """A small collection in the forms of `tests.sources`: what is in its bucket, and the table that lies beside it.

    ``served`` is where a public copy of the table is; without one its user has to bring it.
    """

    name: str
    listing: str
    root: str
    tree: Callable[[], Tree]
    table: str = ""
    write_table: Callable[[Path], object] = Path.touch
    served: str = ""

    def unpacked(self, folder: Path) -> None:
        """Write a folder for each series, and the table."""
        write_folders(folder, self.tree())
        self._beside(folder)

    def packed(self, folder: Path) -> None:
        """Write a zip as the tools of Imaging Data Commons lay it out, and the table beside it."""
        write_zip(folder / "collection.zip", self.tree(), read_listing(self.listing), self.name)
        self._beside(folder)

    def archives(self, folder: Path) -> None:
        """Write what the bucket serves, and the public copy of the table."""
        write_bucket(folder, self.tree(), self.root)
        if self.served:
            path = folder / place(self.served)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.write_table(path)

    def _beside(self, folder: Path) -> None:
        if self.table:
            self.write_table(folder / self.table)


def file_name(series: Series, index: int) -> str:
    """Name a file as the bucket does: by a number of its own, which says nothing of its place."""
    seed = int(series.folder[:6], 16)
    return f"{seed:08x}-0000-4000-8000-{(index * 7919 + seed) % 10**12:012x}.dcm"


def of_series(series: Series, index: int) -> dict[str, Any]:
    """Give the elements that say which series a file is of."""
    row = series.row
    return {
        "SeriesInstanceUID": series.series,
        "StudyInstanceUID": series.study,
        "PatientID": series.patient,
        "SOPInstanceUID": f"{series.series[:-3]}{index}",
        "SOPClassUID": row["SOPClassUID"],
        "Modality": row["Modality"],
        "PatientAge": row["PatientAge"] or None,
        "PatientSex": row["PatientSex"] or None,
        "BodyPartExamined": row["BodyPartExamined"] or None,
        "Manufacturer": row["Manufacturer"] or None,
        "ManufacturerModelName": row["ManufacturerModelName"] or None,
    }


def picture(seed: int, side: int, low: int, high: int) -> np.ndarray:
    """Make a picture that looks like no other one."""
    pixels = np.random.default_rng(seed).integers(low, high, (side, side)).astype(np.int16)
    rows, columns = np.mgrid[:side, :side]
    inside = np.hypot(rows - side * 0.47, columns - side * 0.5) < side * 0.31 + seed % 7
    pixels[~inside] = low + (pixels[~inside] - low) // 8
    return pixels


def slices(series: Series, count: int, *, coronal: bool = False, **tags: Any) -> dict[str, bytes]:
    """Make slices of CT, axial ones or coronal, with numbers against their places; ``tags`` replace elements."""
    files, seed = {}, int(series.folder[:6], 16)
    for index in range(count):
        said = of_series(series, index) | {"InstanceNumber": count - index}
        if coronal:
            said["ImageOrientationPatient"] = [1, 0, 0, 0, 0, -1]
        place_ = (-20.0, 3.0 * index, 20.0) if coronal else (-20.0, -20.0, -3.0 * index)
        data = ct(picture(seed + index, CT_SIDE, -1000, 400), place_, **{**said, **tags})
        files[file_name(series, index)] = packed(series, data)
    return files


def film(series: Series, index: int = 0, **tags: Any) -> bytes:
    """Make a radiograph of 12 bits; ``tags`` replace elements."""
    pixels = picture(int(series.folder[:6], 16) + index, FILM_SIDE, 0, 4000).astype(np.uint16)
    said = of_series(series, index) | {"BitsStored": 12, "HighBit": 11, "ViewPosition": "AP"}
    return packed(series, radiograph(pixels, **{**said, **tags}))


def films(series: Series, **tags: Any) -> dict[str, bytes]:
    """Make the one radiograph of a series."""
    return {file_name(series, 0): film(series, **tags)}


def packed(series: Series, data: bytes) -> bytes:
    """Compress a file as those of its series are."""
    return jpeg_lossless(data) if series.row["TransferSyntaxUID"].endswith(".70") else data


def write_folders(folder: Path, tree: Tree) -> None:
    """Write a folder for each series, under its name in the bucket."""
    for name, files in tree.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file, data in files.items():
            (folder / name / file).write_bytes(data)


def write_zip(archive: Path, tree: Tree, listing: Mapping[str, Series], collection: str) -> None:
    """Write a zip as the tools of Imaging Data Commons lay a collection out."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name) / collection
        for chosen, files in tree.items():
            one = listing[chosen]
            folder = top / one.patient / one.study / f"{one.row['Modality']}_{one.series}"
            folder.mkdir(parents=True)
            for file, data in files.items():
                (folder / file).write_bytes(data)
        pack(top, archive, f"{collection}/")


def write_nbia(folder: Path, tree: Tree, listing: Mapping[str, Series], collection: str) -> None:
    """Lay series out as the NBIA Data Retriever does, with names of files that count against ours."""
    for number, (chosen, files) in enumerate(tree.items(), start=1):
        one = listing[chosen]
        study = f"01-01-2002-NA-{one.row['StudyDescription']}-{one.study[-5:]}".replace("/", "")
        series = f"{number}.000000-NA-{one.series[-5:]}"
        place_ = folder / "manifest-1608266677008" / collection / one.patient / study / series
        place_.mkdir(parents=True)
        for index, file in enumerate(sorted(files, reverse=True), start=1):
            (place_ / f"1-{index:03}.dcm").write_bytes(files[file])


def write_bucket(folder: Path, tree: Tree, root: str) -> None:
    """Write what a bucket serves, as a mirror: each file under its key, and the list of each series."""
    for name, files in tree.items():
        for file, data in files.items():
            path = folder / place(f"{root}{name}/{file}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        listed = folder / place(list_url(root, f"{name}/"))
        listed.parent.mkdir(parents=True, exist_ok=True)
        listed.write_bytes(bucket_list({f"{name}/{file}": len(data) for file, data in files.items()}))


def read_folders(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Read what `write_folders` wrote of some series, or of all."""
    for name in names:
        if (folder / name).is_dir():
            yield name, {path.name: path.read_bytes() for path in sorted((folder / name).glob("*.dcm"))}


def bucket_list(sizes: Mapping[str, int], token: str = "") -> bytes:
    """Write a page of a list as S3 does."""
    items = "".join(f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size></Contents>" for key, size in sizes.items())
    more = f"<NextContinuationToken>{escape(token)}</NextContinuationToken>" if token else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<IsTruncated>{str(bool(token)).lower()}</IsTruncated>{more}{items}</ListBucketResult>"
    ).encode()
