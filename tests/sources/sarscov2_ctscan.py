"""A small SARS-CoV-2 CT-scan dataset: true names and modes of pictures, twins, a number that is missing; phantoms."""

from pathlib import Path

from tests.sources import Expected, chest, pack_tree

COMMIT = "24d2b4890756bf6bdbda8236a89518ccbaf7dabd"
SLICES = {
    "COVID/Covid (2).png": (500, "RGB"),
    "COVID/Covid (10).png": (501, "RGBA"),
    "COVID/Covid (128).png": (502, "RGBA"),
    "COVID/Covid (129).png": (502, "RGBA"),
    "non-COVID/Non-Covid (150).png": (503, "RGBA"),
    "non-COVID/Non-Covid (152).png": (504, "RGBA"),
    "non-COVID/Non-Covid (1230).png": (505, "RGBA"),
}
"""Path -> number and mode of its phantom: RGB is in one class only, 128 is 129, and there is no 151."""


def write_unpacked(folder: Path) -> None:
    """Write the tree as Kaggle's zip has it: each picture of another size."""
    for path, (number, mode) in SLICES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(chest(number, mode=mode, size=(420 - number % 7, 300 + number % 11)))


def write_archives(folder: Path) -> None:
    """Write what Kaggle serves, and GitHub without an account: there one of the folders has another name."""

    def write(tree: Path) -> None:
        write_unpacked(tree / "Data/master-data")
        (tree / "Data/master-data/non-COVID").rename(tree / "Data/master-data/NonCOVID")
        (tree / "Data/master-data/COVID/img1.jpg").write_bytes(chest(1, kind="JPEG"))  # of another source
        (tree / "README.md").write_text("An aggregate of several sources.\n", encoding="utf-8")

    pack_tree(write_unpacked, folder / "kaggle.com/plameneduardo/sarscov2-ctscan-dataset@2.zip")
    archive = folder / "github.com/Coronavirus-Visualization-Team/CVT_COVID-CT-CNN/archive" / f"{COMMIT}.zip"
    pack_tree(write, archive, f"CVT_COVID-CT-CNN-{COMMIT}/")


EXPECTED = {
    "COVID/Covid (128).png": Expected("Covid (128).png", None, "covid19", "train"),
    "COVID/Covid (129).png": Expected("Covid (129).png", None, "covid19", "train"),
    "non-COVID/Non-Covid (1230).png": Expected("Non-Covid (1230).png", None, "not_covid19", "train"),
}
write = write_unpacked
