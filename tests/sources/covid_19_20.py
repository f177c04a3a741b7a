"""A small COVID-19-20: true folders and names; the volumes of training and validation are those of the collection."""

from pathlib import Path

import numpy as np

from tests.nifti import nifti
from tests.sources import Expected
from tests.sources.ct_images_in_covid19 import volume

FOLDERS = {
    "COVID-19-20_v2/Train": ("0003", "0011", "0014", "0028_1"),
    "COVID-19-20_v2/Validation": ("0171_0", "0288"),
    "COVID-19-20_TestSet": ("0255", "0451"),
}


def lesions(scan: str) -> np.ndarray:
    """Mark a box in the left half of the picture, in some slices."""
    mask = np.zeros(volume(scan).shape, np.uint8)
    mask[3:7, 40:60, 10 : 20 + int(scan[:4]) % 7] = 1
    return mask


def write_unpacked(folder: Path) -> None:
    """Write ``COVID-19-20_v2``, with the test beside it."""
    for name, scans in FOLDERS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for scan in scans:
            (folder / name / f"volume-covid19-A-{scan}_ct.nii.gz").write_bytes(nifti(volume(scan)))
            if name.endswith("Train"):
                (folder / name / f"volume-covid19-A-{scan}_seg.nii.gz").write_bytes(nifti(lesions(scan)))


EXPECTED = {
    "COVID-19-20_v2/Train/volume-covid19-A-0003_ct.nii.gz": Expected("Train/0003", "0003", "covid19", "train", "train"),
    "COVID-19-20_v2/Train/volume-covid19-A-0028_1_ct.nii.gz": Expected(
        "Train/0028_1", "0028", "covid19", "train", "train"
    ),
    "COVID-19-20_v2/Validation/volume-covid19-A-0288_ct.nii.gz": Expected(
        "Validation/0288", "0288", "covid19", "train", "validation"
    ),
    "COVID-19-20_TestSet/volume-covid19-A-0451_ct.nii.gz": Expected(
        "COVID-19-20_TestSet/0451", "0451", "covid19", "train", "test"
    ),
}
write = write_unpacked
