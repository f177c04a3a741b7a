"""DICOM files with something that must not survive, and what becomes of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from covid_datasets.own.deidentify.clean import clean
from covid_datasets.own.deidentify.secret import Secret
from tests.dicom import ct

PIXELS = np.random.default_rng(0).integers(-1000, 400, (16, 16)).astype(np.int16)
DEEP = np.random.default_rng(5).integers(0, 4096, (30, 20)).astype(np.uint16)
NAME = "Zebulon"
SECRET = Secret(bytes(range(32)))


def rewritten(data: bytes, change: Any = None, syntax: str = "") -> bytes:
    """Change a file with pydicom, which is given its data set."""
    found = pydicom.dcmread(io.BytesIO(data))
    if change:
        change(found)
    out = io.BytesIO()
    if syntax:
        if syntax == ExplicitVRBigEndian:
            found.PixelData = np.frombuffer(found.PixelData, "<i2").astype(">i2").tobytes()
        found.file_meta.TransferSyntaxUID = syntax
        implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
        pydicom.dcmwrite(out, found, implicit_vr=implicit, little_endian=little, force_encoding=True)
    else:
        pydicom.dcmwrite(out, found)
    return out.getvalue()


def cleaned(data: bytes, **options: Any) -> Dataset:
    found: Dataset = pydicom.dcmread(io.BytesIO(clean(data, "a.dcm", SECRET, **options).data))
    return found


def everything(folder: Path) -> bytes:
    """All bytes of all files of a folder, and all their names."""
    paths = sorted(folder.rglob("*"))
    return b"\n".join([*(str(path.relative_to(folder)).encode() for path in paths)] + [
        path.read_bytes() for path in paths if path.is_file()
    ])  # fmt: skip


def tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def written(out: Path) -> dict[str, Dataset]:
    return {str(path.relative_to(out)): pydicom.dcmread(path) for path in sorted(out.rglob("*.dcm"))}


def cohort(folder: Path, patients: int = 2, slices: int = 3) -> Path:
    return tree(
        folder,
        {
            f"p{patient}/s{place}.dcm": ct(
                PIXELS + patient,
                (0, 0, place),
                PatientID=f"Hospital-{patient:05}",
                PatientName=f"{NAME}^{patient}",
                SOPInstanceUID=f"1.9.{patient}.{place}",
                SeriesInstanceUID=f"1.8.{patient}",
                StudyInstanceUID=f"1.7.{patient}",
                StudyDate="20200310",
            )
            for patient in range(patients)
            for place in range(slices)
        },
    )
