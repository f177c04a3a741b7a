"""A small DarkCovidNet set: names of cohen's films in three formats, and films of the NIH; the pictures are phantoms."""

from pathlib import Path

from tests.sources import KINDS, Expected, chest, pack_tree

COMMIT = "ee3e2cffc0824711bed675275506b26f19be7198"
FILMS = {
    "Covid-19/auntminnie-a-2020_01_28_23_51_6665_2020_01_28_Vietnam_coronavirus.jpeg": "RGB",
    "Covid-19/auntminnie-b-2020_01_28_23_51_6665_2020_01_28_Vietnam_coronavirus.jpeg": "L",
    "Covid-19/covid-19-pneumonia-14-PA.png": "RGBA",
    "Covid-19/nejmc2001573_f1a.jpeg": "L",
    "No_findings/00000061_012.png": "L",
    "No_findings/00000099_000.png": "L",
    "Pneumonia/00000061_025.png": "L",  # one person in both folders
    "Pneumonia/00000150_002.png": "RGBA",
}


def write_unpacked(folder: Path) -> None:
    """Write what is in the folder of films, whose own name has blanks."""
    for number, (path, mode) in enumerate(FILMS.items()):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        kind = KINDS[Path(path).suffix]
        (folder / path).write_bytes(chest(9700 + number, modality="CXR", mode=mode, kind=kind))


def write_archives(folder: Path) -> None:
    """Write what GitHub serves for the commit."""
    archive = folder / "github.com/muhammedtalo/COVID-19/archive" / f"{COMMIT}.zip"
    pack_tree(write_unpacked, archive, f"COVID-19-{COMMIT}/X-Ray Image DataSet/")


_FIRST, _SECOND, *_ = FILMS
EXPECTED = {
    _FIRST: Expected(_FIRST, "cohen-2", "covid19", "train"),
    _SECOND: Expected(_SECOND, "cohen-2", "covid19", "train"),
    "No_findings/00000061_012.png": Expected("No_findings/00000061_012.png", "nih-00000061", "no_finding", "train"),
    "Pneumonia/00000061_025.png": Expected("Pneumonia/00000061_025.png", "nih-00000061", "other_pneumonia", "train"),
}
write = write_unpacked
