"""A small multiclass dataset of CT scans: names that repeat in every folder; one phantom is in sarscov2_ctscan too."""

from pathlib import Path

from tests.sources import Expected, chest, pack_tree

SLICES = {
    "Covid/Patient (1)/1.png": 500,
    "Covid/Patient (1)/2.png": 520,
    "Covid/Patient (2)/1.png": 521,
    "Healthy/Patient (1)/1.png": 522,
    "Healthy/Patient (1)/2.png": 523,
    "Others/Patient (1)/1.png": 524,
    "Others/Patient (2)/1.png": 525,
}
"""Path -> number of its phantom; the first is that of 'Covid (2).png' of sarscov2_ctscan. Names of folders are ours."""


def write_unpacked(folder: Path) -> None:
    """Write the three folders, a folder for each patient in them."""
    for path, number in SLICES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(chest(number, size=(420 - number % 7, 300 + number % 11)))


def write_archives(folder: Path) -> None:
    """Write what Kaggle serves: the same below a folder of its own."""
    archive = folder / "kaggle.com/plameneduardo/a-covid-multiclass-dataset-of-ct-scans.zip"
    pack_tree(write_unpacked, archive, "New_Data_CoV2/")


EXPECTED = {
    "Covid/Patient (1)/2.png": Expected("Covid/Patient (1)/2.png", "Covid/Patient (1)", "covid19", "train"),
    "Healthy/Patient (1)/2.png": Expected("Healthy/Patient (1)/2.png", "Healthy/Patient (1)", "no_finding", "train"),
    "Others/Patient (2)/1.png": Expected("Others/Patient (2)/1.png", "Others/Patient (2)", "not_covid19", "train"),
}
write = write_unpacked
