"""A small iCTCF: a zip for each patient, blanks in names, numbers with gaps, COVIDNet-CT's two tables."""

import tempfile
from pathlib import Path

from tests.sources import Expected, chest, pack, write_table

COUNTS = {1: 4, 2: 3, 4: 3}
"""Number of a patient -> slices; there is no patient 3, and of patient 2 nobody says anything."""
SMALL = {"numbers = [1, 1521]": "numbers = [1, 4]"}
HOST = "ngdc.cncb.ac.cn/ictcf/patient/CT"
COVIDNET = "github.com/haydengunraj/COVIDNet-CT/raw/b5c92b7d3c4b4f3d472b2fb72c29155a6e953627"


def write_patient(folder: Path, number: int) -> None:
    """Write the slices of a patient."""
    place = folder / f"Patient {number}" / "CT"
    place.mkdir(parents=True)
    for at in range(COUNTS[number]):
        picture = chest(5000 + 10 * number + at, kind="JPEG", size=(128, 128))
        (place / f"IMG-0001-{at + 1:05}.jpg").write_bytes(picture)


def write_tables(chosen: Path, people: Path) -> None:
    """Write COVIDNet-CT's tables: patients with COVID-19 alone, and one whose slices are not there."""
    rows = [("Patient 1", "1:3", "COVID-19"), ("Patient 4", "0:1/2:3", "COVID-19"), ("Patient 1521", "5:9", "COVID-19")]
    write_table(
        chosen, ("pid", "slice indices", "finding", "view", "modality"), [(*row, "Axial", "CT") for row in rows]
    )
    header = (
        "patient id",
        "source",
        "country",
        "sex",
        "age",
        "finding",
        "verified finding",
        "slice selection",
        "view",
        "modality",
    )
    more = ("COVID-19", "Yes", "Automatic", "Axial", "CT")
    write_table(people, header, [
        ("HUST-Patient1", "iCTCF", "China", "M", "81", *more),
        ("HUST-Patient4", "iCTCF", "China", "F", "53", *more),
        ("HUST-Patient1521", "iCTCF", "China", "F", "40", *more),
        ("CP_0", "CNCB", "China", "", "", "Pneumonia", "Yes", "Expert", "Axial", "CT"),
    ])  # fmt: skip


def write_unpacked(folder: Path) -> None:
    """Write all patients into one folder, and the tables beside."""
    for number in COUNTS:
        write_patient(folder, number)
    write_tables(folder / "ictcf_metadata.csv", folder / "metadata.csv")


def write_archives(folder: Path) -> None:
    """Write what the hosts serve: nothing for a number that has no CT."""
    for number in COUNTS:
        with tempfile.TemporaryDirectory() as name:
            write_patient(Path(name), number)
            pack(Path(name), folder / HOST / f"Patient%20{number}.zip", "")
    write_tables(
        folder / COVIDNET / "dataset_construction/metadata/ictcf_metadata.csv", folder / COVIDNET / "metadata.csv"
    )


EXPECTED = {
    "Patient 1/CT/IMG-0001-00002.jpg": Expected("Patient 1/CT/IMG-0001-00002.jpg", "Patient 1", "covid19", "test"),
    "Patient 2/CT/IMG-0001-00001.jpg": Expected("Patient 2/CT/IMG-0001-00001.jpg", "Patient 2", None, "train"),
}
write = write_unpacked
