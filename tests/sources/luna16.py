"""A small LUNA16: ten subsets of pairs of .mhd and .raw, under UIDs of LIDC-IDRI; two volumes are of one person."""

from pathlib import Path

import numpy as np

from tests.metaimage import mha
from tests.sources import Expected, pack
from tests.sources.mosmed import hounsfield

PREFIX = "1.3.6.1.4.1.14519.5.2.1.6279.6001."
TWICE = ("151647338241909635299641922057", "254176853278710432756285662989")
"""Two series of LIDC-IDRI-0132, in two subsets."""
ALONE = "979083010707182900091062408058"
SERIES = {
    TWICE[0]: 0,
    ALONE: 0,
    TWICE[1]: 3,
    **{f"10{number}000000000000000000000000000{number}": number for number in (1, 2, 4, 5, 6, 7, 8, 9)},
}
"""What follows the prefix, and the subset."""


def volume(uid: str) -> np.ndarray:
    """Make the chest of a series, of 6 slices of 48 by 48."""
    return np.ascontiguousarray(hounsfield(int(uid[-4:]) + 7000)[::2, ::2, ::2])


def write_subset(folder: Path, subset: int) -> None:
    """Write what one zip unpacks to."""
    folder.mkdir(parents=True, exist_ok=True)
    for uid, number in SERIES.items():
        if number == subset:
            name = PREFIX + uid
            (folder / f"{name}.mhd").write_bytes(mha(volume(uid), packed=False, data_file=f"{name}.raw"))
            (folder / f"{name}.raw").write_bytes(volume(uid).tobytes())


def write_unpacked(folder: Path) -> None:
    """Write all subsets unpacked into one folder."""
    for subset in range(10):
        write_subset(folder / f"subset{subset}", subset)


def write_archives(folder: Path) -> None:
    """Write what Zenodo serves: a zip of each subset."""
    write_unpacked(folder / "unpacked")
    for subset in range(10):
        archive = folder / "zenodo.org" / ("3723295" if subset < 7 else "4121926") / f"subset{subset}.zip"
        pack(folder / "unpacked" / f"subset{subset}", archive, f"subset{subset}/")


EXPECTED = {
    f"subset0/{PREFIX}{TWICE[0]}.mhd.nii": Expected(
        PREFIX + TWICE[0], "LIDC-IDRI-0132", "not_covid19", "test", "subset0"
    ),
    f"subset0/{PREFIX}{ALONE}.mhd.nii": Expected(PREFIX + ALONE, PREFIX + ALONE, "not_covid19", "train", "subset0"),
    f"subset3/{PREFIX}{TWICE[1]}.mhd.nii": Expected(
        PREFIX + TWICE[1], "LIDC-IDRI-0132", "not_covid19", "test", "subset3"
    ),
}
write = write_unpacked
