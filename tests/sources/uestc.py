"""A small UESTC-COVID-19: two parts of equal names, volumes between 0 and 1, headers of masks that are wrong."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from tests.nifti import USUAL, nifti
from tests.sources import Expected, chest

PARTS = {"part1": ("0001", "0002", "0003"), "part2": ("0001", "0007")}
"""Part -> its names, which nobody here has seen; one is in both."""
SIDE, DEPTH = 80, 10
WRONG = np.diag([1.0, 1.0, 1.0, 1.0])


def volume(part: str, name: str) -> np.ndarray:
    """Draw a chest between 0 and 1, as a window of 1500 at -650 leaves it; another one for each volume."""
    number = int(part[-1]) * 100 + int(name)
    picture = Image.open(io.BytesIO(chest(number))).resize((SIDE, SIDE))
    noise = np.random.default_rng(number).uniform(0, 0.02, (DEPTH, SIDE, SIDE))
    shown: np.ndarray = (np.asarray(picture, np.float32) / 260 + noise).clip(0, 1).astype(np.float32)
    return shown[:, ::-1]


def lesions(part: str, name: str) -> np.ndarray:
    """Draw a lesion."""
    mask = np.zeros((DEPTH, SIDE, SIDE), np.uint8)
    mask[2:6, 20:40, 10 : 20 + int(name)] = 1
    return mask


def write_unpacked(folder: Path) -> None:
    """Write both parts; masks of the first have a header of their own."""
    for part, names in PARTS.items():
        for name in names:
            for what, voxels, affine in (
                ("image", volume(part, name), USUAL),
                ("label", lesions(part, name), WRONG if part == "part1" else USUAL),
            ):
                path = folder / part / what / f"{name}.nii.gz"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(nifti(voxels, affine))


EXPECTED = {
    "part1/image/0001.nii.gz": Expected("part1/0001", "part1-0001", "covid19", "test"),
    "part1/image/0003.nii.gz": Expected("part1/0003", "part1-0003", "covid19", "train"),
    "part2/image/0007.nii.gz": Expected("part2/0007", "part2-0007", "covid19", "train"),
}
write = write_unpacked
