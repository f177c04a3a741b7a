"""A small MosMedData: the publisher's folders, names, numbers and registry; the volumes are phantoms."""

import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.nifti import nifti
from tests.sources import Expected, chest, pack, workbook

HEADER = ("study_id", "category", "study_file", "mask_file")
# Numbers go through the grades without a gap; these are the first and last of each, as published.
GRADES = {
    "CT-0": (1, 2, 254),
    "CT-1": (255, 256, 304, 305, 938),
    "CT-2": (939, 1063),
    "CT-3": (1064, 1108),
    "CT-4": (1109, 1110),
}
MASKED = (255, 256, 304)
STUDIES = [(f"study_{number:04}", grade) for grade, numbers in GRADES.items() for number in numbers]
SIDE, DEPTH = 96, 12


def hounsfield(number: int) -> np.ndarray:
    """Make a chest of twelve slices, smaller to both ends, with noise."""
    picture = Image.open(io.BytesIO(chest(number))).resize((SIDE, SIDE))
    units = np.asarray(picture, np.int16) * np.int16(6) - np.int16(1000)
    noise = np.random.default_rng(number).integers(-30, 30, (DEPTH, SIDE, SIDE)).astype(np.int16)
    place = np.clip(np.arange(DEPTH) * 40 - 100, -100, 100).astype(np.int16)
    return (units + noise + place[:, None, None])[:, ::-1]  # rows are stored from the back to the front


def infection(number: int) -> np.ndarray:
    """Mark a box in the left half of the picture, in some slices."""
    mask = np.zeros((DEPTH, SIDE, SIDE), np.int16)
    mask[3:7, 40:60, 10 : 20 + number % 7] = 1
    return mask


def write_unpacked(folder: Path, *, inside: bool = False, packed: bool = True) -> None:
    """Write what is in ``COVID19_1110/``.

    ``inside`` is the layout of those who give the folder ``studies``, with the masks beside the grades and no registry;
    not ``packed`` that of those who unpacked each volume.
    """
    ending = "nii.gz" if packed else "nii"
    for study, grade in STUDIES:
        number = int(study[-4:])
        path = folder / ("" if inside else "studies") / grade / f"{study}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(nifti(hounsfield(number), packed=packed))
        if number in MASKED:
            path = folder / "masks" / f"{study}_mask.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(nifti(infection(number), packed=packed, slope=float("nan"), intercept=float("nan")))
    if not inside:
        write_registry(folder)
        for name in ("LICENSE", "README_EN.md", "README_RU.md"):
            (folder / name).write_text("Each study corresponds to unique patient.\n", encoding="utf-8")


Cells = list[list[int | str | None]]


def rows() -> Cells:
    """List the rows of the registry, whose ids are whole numbers."""
    return [
        [
            int(study[-4:]),
            grade,
            f"/studies/{grade}/{study}.nii.gz",
            f"/masks/{study}_mask.nii.gz" if int(study[-4:]) in MASKED else None,
        ]
        for study, grade in STUDIES
    ]


def write_registry(
    folder: Path,
    table: Cells | None = None,
    header: tuple[str, ...] = HEADER,
    title: str = "MosMedData COVID19_1110",
) -> None:
    """Write the registry, as it is or with other rows."""
    cells = [header, *(rows() if table is None else table)]
    (folder / "dataset_registry.xlsx").write_bytes(workbook({title: cells}))


def write_archives(folder: Path, *, root: str = "COVID19_1110/") -> None:
    """Write what the host served: one zip."""
    with tempfile.TemporaryDirectory() as name:
        write_unpacked(Path(name))
        pack(Path(name), folder / "storage.yandexcloud.net/covid19.1110/prod/COVID19_1110.zip", root)


EXPECTED = {
    "studies/CT-0/study_0001.nii.gz": Expected("study_0001", "study_0001", "no_finding", "train"),
    "studies/CT-1/study_0255.nii.gz": Expected("study_0255", "study_0255", "viral_pneumonia", "train"),
    "studies/CT-1/study_0938.nii.gz": Expected("study_0938", "study_0938", "viral_pneumonia", "validation"),
}
write = write_unpacked
