"""A small STOIC2021: the bucket's folders, the table of labels, headers with and without age and sex."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.metaimage import mha
from tests.nifti import USUAL
from tests.sources import Expected, write_table
from tests.sources.mosmed import hounsfield

BUCKET = "stoic2021-training.s3.amazonaws.com"
REVERSED = USUAL @ np.diag([1.0, 1.0, -1.0, 1.0])
ROWS = (
    ("6", "1", "0", {"PatientAge": "065Y", "PatientSex": "M"}),
    ("7", "0", "0", {"PatientAge": "045Y", "PatientSex": "F"}),
    ("8", "1", "1", {"PatientAge": "085Y"}),
    ("9", "1", "0", {"PatientAge": "035Y", "PatientSex": "F"}),
    ("10", "0", "0", {"PatientSex": "M"}),
)
"""Patient, probCOVID, probSevere, and what its header says. 8 is stored from the head down, 9 without compression."""
SMALL = {
    'members = "stoic.tsv"\npath = "data/mha/{name}.mha"': 'numbers = [6, 10]\npath = "data/mha/{number}.mha"',
    "amazonaws.com/data/mha/{name}.mha": "amazonaws.com/data/mha/{number}.mha",
}


def volume(patient: str) -> np.ndarray:
    """Make the chest of a patient, from the feet up."""
    return hounsfield(5000 + 31 * int(patient))


def write_unpacked(folder: Path) -> None:
    """Write what is in the bucket."""
    header = ("PatientID", "probCOVID", "probSevere")
    write_table(folder / "metadata" / "reference.csv", header, [row[:3] for row in ROWS])
    (folder / "data" / "mha").mkdir(parents=True)
    for patient, _, _, said in ROWS:
        form: dict[str, Any] = {"packed": patient != "9", **said}
        voxels, affine = (volume(patient)[::-1], REVERSED) if patient == "8" else (volume(patient), USUAL)
        data = mha(np.ascontiguousarray(voxels), affine, **form)
        (folder / "data" / "mha" / f"{patient}.mha").write_bytes(data)


def write_archives(folder: Path) -> None:
    """Write what the bucket serves."""
    write_unpacked(folder / BUCKET)


EXPECTED = {
    "data/mha/6.mha.nii": Expected("6", "6", "covid19", "train"),
    "data/mha/7.mha.nii": Expected("7", "7", "not_covid19", "train"),
    "data/mha/8.mha.nii": Expected("8", "8", "covid19", "train"),
}
write = write_unpacked
