"""A small COVID-19-CT-Seg: four flat zips of equal names, halves of different units and directions; all are phantoms."""

import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.nifti import USUAL, nifti
from tests.sources import Expected, chest, pack

CORONACASES = ("coronacases_001", "coronacases_007", "coronacases_009")
RADIOPAEDIA = (
    "radiopaedia_4_85506_1",
    "radiopaedia_10_85902_1",
    "radiopaedia_10_85902_3",
    "radiopaedia_29_86490_1",
    "radiopaedia_29_86491_1",
)
NAMES = (*CORONACASES, *RADIOPAEDIA)
KAGGLE = {
    "coronacases_001": "coronacases_org_001",
    "coronacases_007": "coronacases_org_case007",
    "coronacases_009": "case009",
} | {name: name.replace("radiopaedia_", "radiopaedia_org_covid-19-pneumonia-") + "-dcm" for name in RADIOPAEDIA}
"""How a copy at Kaggle calls the volumes; its masks have Zenodo's names."""
ARCHIVES = {
    "images": "COVID-19-CT-Seg_20cases",
    "lung": "Lung_Mask",
    "infection": "Infection_Mask",
    "lung_and_infection": "Lung_and_Infection_Mask",
}
SIDE, DEPTH = 80, 10
FLAT = np.diag([-1.0, -1.0, 1.0, 1.0])


def volume(name: str) -> np.ndarray:
    """Draw a chest: Hounsfield units, or what is left of them between 0 and 255, with axes the other way round."""
    number = NAMES.index(name)
    picture = Image.open(io.BytesIO(chest(700 + number))).resize((SIDE, SIDE))
    noise = np.random.default_rng(number).integers(-20, 20, (DEPTH, SIDE, SIDE))
    units = np.asarray(picture, np.int16) * np.int16(6) - np.int16(1000) + noise
    if name in CORONACASES:
        return units.astype(np.int16)[:, ::-1]
    return np.rint((units.clip(-1250, 250) + 1250) * (255 / 1500)).astype(np.float64)


def affine(name: str) -> np.ndarray:
    """Place the volume: rows of the one half go to the front, those of the other to the back."""
    return USUAL if name in CORONACASES else FLAT


def lungs(name: str) -> np.ndarray:
    """Draw the lungs: 1 and 2."""
    labels = np.zeros((DEPTH, SIDE, SIDE), np.uint8)
    labels[1:-1, 20:60, 10:35], labels[1:-1, 20:60, 45:70] = 1, 2
    return labels


def infection(name: str) -> np.ndarray:
    """Draw the infection, hardly any in the volume that is known for it."""
    labels = np.zeros((DEPTH, SIDE, SIDE), np.uint8)
    labels[3:6, 30:50, 15:30] = 1
    if name == "radiopaedia_29_86490_1":
        labels[:], labels[4, 30, 20] = 0, 1
    return labels


def both(name: str) -> np.ndarray:
    """Draw everything in one map: infection is 3, on top of the lungs."""
    return np.where(infection(name) > 0, 3, lungs(name)).astype(np.uint8)


def write_folder(folder: Path, what: str, *, ending: str = "nii.gz", kaggle: bool = False) -> None:
    """Write what is in one of the archives; some maps of lungs are nearly whole numbers, as in the original."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        voxels = {"images": volume, "lung": lungs, "infection": infection, "lung_and_infection": both}[what](name)
        if what == "lung" and name == "coronacases_007":
            voxels = voxels * np.float32(0.99995)
        called = KAGGLE[name] if kaggle and what == "images" else name
        (folder / f"{called}.{ending}").write_bytes(nifti(voxels, affine(name), packed=ending == "nii.gz"))
    if what == "images":
        (folder / "ReadMe.txt").write_text("COVID-19 CT scans, 20 cases\n", encoding="utf-8")


def write_unpacked(folder: Path) -> None:
    """Write each archive unpacked into a folder of its own."""
    for what in ARCHIVES:
        write_folder(folder / what, what)


def write_archives(folder: Path) -> None:
    """Write what Zenodo serves: four flat zips."""
    with tempfile.TemporaryDirectory() as place:
        for what, archive in ARCHIVES.items():
            write_folder(Path(place) / what, what)
            pack(Path(place) / what, folder / f"zenodo.org/3757476/{archive}.zip", "")


EXPECTED = {
    "images/coronacases_007.nii.gz": Expected("coronacases_007", "coronacases_007", "covid19", "test", "train"),
    "images/radiopaedia_10_85902_1.nii.gz": Expected(
        "radiopaedia_10_85902_1", "radiopaedia_10", "covid19", "train", "test"
    ),
    "images/radiopaedia_10_85902_3.nii.gz": Expected(
        "radiopaedia_10_85902_3", "radiopaedia_10", "covid19", "train", "test"
    ),
}
write = write_unpacked
