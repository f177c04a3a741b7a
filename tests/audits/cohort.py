"""A small split with one planted leak, or none, in every form in which somebody may have it."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from tests.dicom import radiograph
from tests.nifti import nifti

Leak = Literal["patient", "same bytes", "same pixels", "near-duplicate", "registered"]
LEAKS: tuple[Leak, ...] = ("patient", "same bytes", "same pixels", "near-duplicate")


@dataclass(frozen=True)
class Shot:
    """A picture of somebody, and where it stands."""

    split: str
    name: str
    label: str
    patient: str
    pixels: np.ndarray
    kind: str = "PNG"

    def encoded(self) -> bytes:
        out = io.BytesIO()
        options: dict[str, Any] = {"quality": 85} if self.kind == "JPEG" else {}
        Image.fromarray(self.pixels).save(out, self.kind, **options)
        return out.getvalue()


def scene(seed: int, size: tuple[int, int] = (240, 200)) -> np.ndarray:
    """Paint blobs of many sizes: like nothing else, and with places that are found again."""
    random = np.random.default_rng(seed)
    total = np.zeros(size)
    for side in (4, 8, 16, 32, 64):
        coarse = random.normal(size=(side, side)).astype(np.float32)
        total += np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC)) / side**0.4
    total -= total.min()
    pixels: np.ndarray = np.rint(total / total.max() * 255).astype(np.uint8)
    return pixels


def cohort(leak: Leak | None = None) -> list[Shot]:
    """Four pictures to train and two to test on, of six people; a leak is one more in the test set, of the first."""
    shots = [
        Shot("train" if number < 4 else "test", f"p{number}.png", "ab"[number % 2], f"P{number}", scene(number))
        for number in range(6)
    ]
    first = shots[0]
    if leak == "patient":
        shots.append(Shot("test", "again.png", "a", first.patient, scene(77)))
    elif leak == "same bytes":
        shots.append(Shot("test", "again.png", "a", "P9", first.pixels))
    elif leak == "same pixels":
        shots.append(Shot("test", "again.bmp", "a", "P9", first.pixels, "BMP"))
    elif leak == "near-duplicate":
        shots.append(Shot("test", "again.jpg", "a", "P9", first.pixels, "JPEG"))
    elif leak == "registered":
        turned = np.ascontiguousarray(np.rot90(first.pixels)[20:-20, 30:-10])
        shots.append(Shot("test", "again.png", "a", "P9", turned))
    return shots


def write_files(folder: Path, shots: list[Shot], place: Callable[[Shot], str] = lambda shot: shot.name) -> Path:
    for shot in shots:
        path = folder / place(shot)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(shot.encoded())
    return folder


def write_csv(path: Path, shots: list[Shot]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("filename", "split", "label", "patient_id"))
        writer.writerows((shot.name, shot.split, shot.label, shot.patient) for shot in shots)
    return path


def rows_of(shots: list[Shot]) -> list[dict[str, str]]:
    return [{"file": s.name, "split": s.split, "label": s.label, "patient": s.patient} for s in shots]


def write_shards(folder: Path, shots: list[Shot]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split in dict.fromkeys(shot.split for shot in shots):
        with tarfile.open(folder / f"{split}-000.tar", "w") as tar:
            for shot in shots:
                if shot.split == split:
                    key, ending = shot.name.split(".")
                    said = json.dumps({"label": shot.label, "patient_id": shot.patient}).encode()
                    for name, content in ((f"{key}.{ending}", shot.encoded()), (f"{key}.json", said)):
                        member = tarfile.TarInfo(name)
                        member.size = len(content)
                        tar.addfile(member, io.BytesIO(content))
    return folder


def write_dicom(folder: Path, shots: list[Shot]) -> Path:
    """Films whose headers say the patient; a copy of other bytes has another tag."""
    for number, shot in enumerate(shots):
        path = folder / shot.split / f"{shot.name.split('.')[0]}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        own = {"SeriesInstanceUID": f"1.2.3.{number}", "SOPInstanceUID": f"1.2.4.{number}"}
        pixels = np.asarray(Image.open(io.BytesIO(shot.encoded())))
        path.write_bytes(radiograph(pixels, PatientID=shot.patient, **own))
    return folder


def write_volumes(folder: Path, shots: list[Shot]) -> Path:
    for number, shot in enumerate(shots):
        path = folder / shot.split / f"{shot.name.split('.')[0]}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        plane = np.asarray(Image.open(io.BytesIO(shot.encoded()))).astype(np.int16) * 4 - 500
        same = shot.name == "again.png" and number >= 6
        path.write_bytes(nifti(np.stack([plane] * 3, axis=2), packed=same or shot.kind == "PNG"))
    return folder
