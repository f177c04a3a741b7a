"""A small CT Images in COVID-19: the true names of single, doubled and serial scans; the volumes are phantoms."""

from pathlib import Path

import numpy as np

from tests.nifti import nifti
from tests.sources import Expected
from tests.sources.mosmed import hounsfield

SCANS = ("0000", "0003", "0014", "0028_0", "0028_1", "0167_1", "0171_0", "0700_day000", "0700_day007", "0700_day056")
SMALL = {
    "[facts.scans]": '[facts.scans]\none = "0; 3; 14"\n"0028" = "0 1"\n"0167" = "1"\n"0171" = "0"\n'
    '"0700" = "day000 day007 day056"\n\n[facts.of_all]'
}


def volume(scan: str) -> np.ndarray:
    """Make the chest of a scan, another one for each name."""
    return hounsfield(3000 + 17 * int(scan[:4]) + sum(map(ord, scan[4:])))


def write_unpacked(folder: Path) -> None:
    """Write the one folder of all volumes."""
    folder.mkdir(parents=True, exist_ok=True)
    for scan in SCANS:
        (folder / f"volume-covid19-A-{scan}.nii.gz").write_bytes(nifti(volume(scan)))


EXPECTED = {
    "volume-covid19-A-0003.nii.gz": Expected("0003", "0003", "covid19", "train"),
    "volume-covid19-A-0028_0.nii.gz": Expected("0028_0", "0028", "covid19", "train"),
    "volume-covid19-A-0028_1.nii.gz": Expected("0028_1", "0028", "covid19", "train"),
    "volume-covid19-A-0700_day056.nii.gz": Expected("0700_day056", "0700", "covid19", "train"),
}
write = write_unpacked
