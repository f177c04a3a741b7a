"""A small Figure 1 collection: true columns, words for numbers, text in Windows-1252; the pictures are phantoms."""

import csv
from pathlib import Path

from tests.sources import Expected, chest, pack_tree

COMMIT = "95bb569e55f4110d3b734c0f355340e04e16989a"
HEADER = (
    *("patientid", "offset", "sex", "age", "finding", "survival", "temperature", "pO2 saturation", "view", "modality"),
    *("artifacts/distortion", "notes"),
)
ROWS: tuple[dict[str, str], ...] = (
    {"patientid": "COVID-00003a", "offset": "4", "sex": "M", "age": "67+", "temperature": "39.1", "pO2 saturation": "90",
     "view": "AP erect", "finding": "COVID-19", "notes": "Fever 38\u00b0"},
    {"patientid": "COVID-00003b", "offset": "8", "sex": "M", "age": "28", "temperature": "39.1", "pO2 saturation": "90",
     "view": "AP", "finding": "COVID-19", "notes": "The patient\u2019s film after intubation"},
    {"patientid": "COVID-00007", "age": "73", "temperature": "38+", "artifacts/distortion": "Some from monitor"},
    {"patientid": "COVID-00015a", "age": "67+", "finding": "COVID-19"},
    {"patientid": "COVID-00016", "offset": "16", "sex": "M", "age": "64", "finding": "COVID-19",
     "pO2 saturation": "low 90s", "artifacts/distortion": "Slight from monitor"},
    {"patientid": "COVID-00028", "finding": "No finding", "notes": "labeled normal patient"},
    {"patientid": "COVID-00034", "finding": "Pneumonia", "notes": "labeled pneumonia"},
    {"patientid": "COVID-00040a", "offset": "7", "age": "early 40s", "finding": "No finding"},
    {"patientid": "COVID-00040b", "offset": "7", "age": "early 40s"},
    {"patientid": "COVID-00042", "offset": "14", "sex": "F", "age": "45", "view": "PA", "pO2 saturation": "52", "notes": "HIV positive"},
    {"patientid": "COVID-00045", "finding": "COVID-19", "notes": "VP, XRAY"},
)  # fmt: skip
PNG = ("COVID-00015a", "COVID-00045")


def write_unpacked(folder: Path) -> None:
    """Write the tree of the commit: no column for the file, and PNG beside JPEG."""
    (folder / "images").mkdir(parents=True)
    with (folder / "metadata.csv").open("w", encoding="cp1252", newline="") as text:
        table = csv.DictWriter(text, HEADER, restval="", lineterminator="\n")
        table.writeheader()
        for number, row in enumerate(ROWS):
            table.writerow({"modality": "X-ray"} | row)
            kind, ending = ("PNG", "png") if row["patientid"] in PNG else ("JPEG", "jpg")
            picture = chest(100 + number, modality="CXR", kind=kind)
            (folder / "images" / f"{row['patientid']}.{ending}").write_bytes(picture)


def write_archives(folder: Path) -> None:
    """Write what GitHub serves for the commit."""
    archive = folder / "github.com/agchung/Figure1-COVID-chestxray-dataset/archive" / f"{COMMIT}.zip"
    pack_tree(write_unpacked, archive, f"Figure1-COVID-chestxray-dataset-{COMMIT}/")


EXPECTED = {
    "images/COVID-00003a.jpg": Expected("COVID-00003a.jpg", "COVID-00003", "covid19", "train"),
    "images/COVID-00003b.jpg": Expected("COVID-00003b.jpg", "COVID-00003", "covid19", "train"),
    "images/COVID-00015a.png": Expected("COVID-00015a.png", "COVID-00015", "covid19", "train"),
    "images/COVID-00042.jpg": Expected("COVID-00042.jpg", "COVID-00042", None, "train"),
}
write = write_unpacked
