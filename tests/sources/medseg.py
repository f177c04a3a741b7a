"""A small MedSeg: two stacks of slices that are no volume, and volumes with two maps of labels; all are phantoms."""

import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.nifti import nifti
from tests.sources import Expected, chest, pack

SIDE, TR, VAL = 96, 6, 2
DEPTHS = {1: 11, 2: 10, 3: 24}
"""Volume -> how many slices; the third has half of all, as in the original."""
FLAT = np.diag([-0.7, -0.7, 1.0, 1.0])
"""What a converter writes: nobody knows where a slice of the pile lies."""


def grey(number: int) -> np.ndarray:
    """Draw one chest as fractions: estimates of Hounsfield units, as pictures from web pages give."""
    picture = Image.open(io.BytesIO(chest(number))).resize((SIDE, SIDE))
    return np.asarray(picture, np.float32) * np.float32(5.4) - np.float32(1010.3)


def pile(first: int, count: int) -> np.ndarray:
    """Pile slices of as many people."""
    return np.stack([grey(first + number) for number in range(count)])


def lesions(count: int) -> np.ndarray:
    """Draw 1 ground glass, 2 consolidation, 3 effusion, in all but the last slice."""
    labels = np.zeros((count, SIDE, SIDE), np.uint8)
    labels[:-1, 30:50, 20:40], labels[:-1, 40:45, 25:30], labels[1:-1, 70:75, 60:70] = 1, 2, 3
    return labels


def lungs(count: int) -> np.ndarray:
    """Draw both lungs, 1 and 2."""
    labels = np.zeros((count, SIDE, SIDE), np.uint8)
    labels[:, 20:70, 15:45], labels[:, 20:70, 50:80] = 1, 2
    return labels


def body(number: int) -> np.ndarray:
    """Draw a volume of one person: the same slice with noise, as a converter's unsigned numbers."""
    noise = np.random.default_rng(number).integers(0, 30, (DEPTHS[number], SIDE, SIDE))
    return ((grey(900 + number) + 1024) * 2 + noise).astype(np.uint16)


def write_part_b(folder: Path, what: str) -> None:
    """Write one of the three folders of part B."""
    (folder / what).mkdir(parents=True)
    for number, depth in DEPTHS.items():
        labels = {"rp_msk": lesions, "rp_lung_msk": lungs}
        voxels = body(number) if what == "rp_im" else np.minimum(labels[what](depth), 2)
        (folder / what / f"{number}.nii.gz").write_bytes(nifti(voxels))


def write_part_a(folder: Path) -> None:
    """Write the stacks."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, voxels in (
        ("tr_im", pile(800, TR)),
        ("tr_mask", lesions(TR).astype(np.float64)),
        ("val_im", pile(850, VAL)),
        ("tr_lungmasks_updated", lungs(TR)),
    ):
        (folder / f"{name}.nii.gz").write_bytes(nifti(voxels, FLAT))


def write_unpacked(folder: Path) -> None:
    """Write both parts into one folder, the masks of lungs that only Google Drive has among them."""
    write_part_a(folder)
    for what in ("rp_im", "rp_msk", "rp_lung_msk"):
        write_part_b(folder, what)


def write_archives(folder: Path) -> None:
    """Write what figshare serves: three stacks, three zips."""
    write_part_a(folder / "figshare.com/13521488@2")
    (folder / "figshare.com/13521488@2/tr_lungmasks_updated.nii.gz").unlink()
    with tempfile.TemporaryDirectory() as place:
        for what in ("rp_im", "rp_msk", "rp_lung_msk"):
            write_part_b(Path(place) / what, what)
            pack(Path(place) / what, folder / f"figshare.com/13521509@2/{what}.zip", "")


EXPECTED = {
    "tr_im.nii.gz/000.tiff": Expected("tr/000", None, "covid19", "train", "train"),
    "tr_im.nii.gz/005.tiff": Expected("tr/005", None, "covid19", "train", "train"),
    "val_im.nii.gz/001.tiff": Expected("val/001", None, "covid19", "train", "test"),
}
write = write_unpacked
