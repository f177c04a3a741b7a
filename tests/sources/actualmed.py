"""A small Actualmed collection: true columns, CRLF, names with many dots; the pictures are phantoms."""

import csv
from pathlib import Path

from tests.sources import Expected, chest, pack_tree

COMMIT = "27240dd8dec9454bc97f9f3c0c432ef434de2517"
HEADER = (
    *("patientid", "offset", "sex", "age", "finding", "survival", "temperature", "pO2 saturation", "view", "modality"),
    *("imagename", "artifacts/distortion", "notes"),
)
DX = "DX.1.2.840.113564.1722810162.20200413162149534230.1203801020003.png"
CR = "CR.1.2.840.113564.1722810170.20200317090830828260.1003000225002.png"
CR_NEGATIVE = "CR.1.2.840.113564.1722810170.20200320170359875720.1003000225002.png"
CR_LATER = "CR.1.2.840.113564.1722810170.20200413162149534230.1203801020003.png"
NEGATIVE = "Negative (covid-19 viral infection is excluded)"
ROWS = (
    ("ANON56", "No finding", "PA", CR, f"{NEGATIVE}, date taken (YYYYMMDD): 20200317"),
    ("ANON191", "No finding", "PA", CR_NEGATIVE, f"{NEGATIVE}, date taken (YYYYMMDD): 20200320"),
    ("ANON191", "COVID-19", "AP", DX, ", date taken (YYYYMMDD): 20200413"),
    ("ANON200", "", "PA", CR_LATER, "Inconclusive, date taken (YYYYMMDD): 20200413"),
)


def write_unpacked(folder: Path) -> None:
    """Write the tree of the commit: grey films as RGB."""
    (folder / "images").mkdir(parents=True)
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as text:
        table = csv.DictWriter(text, HEADER, restval="", lineterminator="\r\n")
        table.writeheader()
        for number, (patient, finding, view, name, notes) in enumerate(ROWS):
            row = {"patientid": patient, "finding": finding, "view": view, "modality": "X-ray", "imagename": name}
            table.writerow(row | {"notes": notes})
            (folder / "images" / name).write_bytes(chest(200 + number, modality="CXR", mode="RGB"))


def write_archives(folder: Path) -> None:
    """Write what GitHub serves for the commit."""
    archive = folder / "github.com/agchung/Actualmed-COVID-chestxray-dataset/archive" / f"{COMMIT}.zip"
    pack_tree(write_unpacked, archive, f"Actualmed-COVID-chestxray-dataset-{COMMIT}/")


EXPECTED = {
    f"images/{DX}": Expected(DX, "ANON191", "covid19", "train"),
    f"images/{CR_NEGATIVE}": Expected(CR_NEGATIVE, "ANON191", "not_covid19", "train"),
    f"images/{CR}": Expected(CR, "ANON56", "not_covid19", "test"),
    f"images/{CR_LATER}": Expected(CR_LATER, "ANON200", None, "train"),
}
write = write_unpacked
