"""A small COVID-CTset: 16-bit slices, whole series beside the chosen ones, true columns, lists of five folds."""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.sources import Expected, chest, pack_tree, write_table

CHOSEN = {
    "137covid_patient1_SR_2_IM00010.tif": ("covid", "train"),
    "137covid_patient1_SR_3_IM00010.tif": ("covid", "train"),
    "157covid_patient5_SR_4_IM00011.tif": ("covid", "validation"),
    "normal1_patient100_SR_2_IM00010.tif": ("normal", "train"),
    "normal4_patient100_SR_2_IM00010.tif": ("normal", "train"),
    "cdunnormal_patient101_SR_2_IM00012.tif": ("normal", "test"),
    "normalcd3_patient102_SR_2_IM00013.tif": ("normal", "validation"),
}
"""Name -> class, and the part of fold 1 that the slice is in; what is in validation is in the test list as well.

Two names differ in their first word alone, which the lists of folds lack."""
PEOPLE = (
    ("patient1", "F", "053Y", "20200407", "Positive", "4", "6", "1.5"),
    ("patient5", "M", "035Y", "20200328", "Positive", "6", "5", "5"),
    ("patient100", "F", "040Y", "20200325", "Negative", "6", "5", ""),
    ("patient101", "M", "031Y", "20200329", "Negative", "6", "5", "1.5"),
    ("patient102", "F", "036Y", "20200326", "Negative", "5", "5", "1.5"),
)
FOLDERS = {
    "patient1": "covid1",
    "patient5": "covid2",
    "patient100": "normal1",
    "patient101": "normal7",
    "patient102": "normal10",
}
TAGS = (
    "ConvolutionKernel",
    "KVP",
    "Manufacturer",
    "ManufacturerModelName",
    "PatientBirthDate",
    "PixelSpacing",
    "SliceThickness",
)
URL = "github.com/mr7495/COVID-CTset/raw/e13fde02cc3a8970683ee16e225fc47cbed0757b"
FOLDS = "github.com/wang-shihao/HKBU_HPML_COVID-19/raw/8f871cb2722a67da4cc7e1911843f33a8e0cc7cc/covid19_pipeline/data/covid_ctset"


def slice_of(number: int) -> bytes:
    """Encode a slice as it is stored: Hounsfield units and 1,024, unsigned, 16 bits, in a TIFF."""
    grey = np.asarray(Image.open(io.BytesIO(chest(number, size=(96, 96)))), np.uint16)
    out = io.BytesIO()
    Image.fromarray(grey * 6).save(out, "TIFF")
    return out.getvalue()


def write_subset(folder: Path) -> None:
    """Write the chosen slices."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(CHOSEN):
        (folder / name).write_bytes(slice_of(4000 + number))


def write_whole(folder: Path) -> None:
    """Write whole series: the chosen slices and some more, below folders that have other names than the first words."""
    for number, name in enumerate(CHOSEN):
        first, patient, _, series, image = name.split("_")
        if first == "normal4":  # in the whole set it could be anywhere
            continue
        place = folder / FOLDERS[patient] / patient / f"SR_{series}"
        place.mkdir(parents=True)
        (place / image).write_bytes(slice_of(4000 + number))
        (place / "IM00001.tif").write_bytes(slice_of(4100 + number))
        (place / "IM00014.tif").write_bytes(slice_of(4200 + number))


def write_tables(folder: Path) -> None:
    """Write the tables of the repository."""
    write_table(folder / "all.csv", ("filename", "class"), [(name, label) for name, (label, _) in CHOSEN.items()])
    header = (
        "Patient ID",
        "SEX",
        "AGE",
        "Date",
        "COVID-19 Infection",
        *(f"SR_{n} Folder thickness(mm)" for n in (2, 3, 4)),
    )
    write_table(folder / "Patient_details.csv", header, PEOPLE)
    rows = []
    for patient, _, _, _, infected, *thickness in PEOPLE:
        cells = [patient]
        for millimetres in thickness:
            kernel = "B30s" if infected == "Negative" else "B70s"
            tags = (kernel, "110", "SIEMENS", "SOMATOM Scope", "19670407", "[0.62890625, 0.625]", millimetres)
            cells += tags if millimetres else ("N/A",) * len(TAGS)
        rows.append(cells)
    write_table(
        folder / "Patients_metadata.csv", ("Patient ID", *(f"SR_{n} {tag}" for n in (2, 3, 4) for tag in TAGS)), rows
    )


def write_folds(folder: Path) -> None:
    """Write the lists: the first fold as `CHOSEN` says, the others with everybody to train on but one patient."""
    folder.mkdir(parents=True, exist_ok=True)
    for fold in range(1, 6):
        for part in ("train", "test", "validation"):
            table: dict[str, dict[str, dict[str, list[str]]]] = {}
            for name, (label, split) in CHOSEN.items():
                _, patient, _, series, image = name.split("_")
                where = split if fold == 1 else "test" if patient == "patient101" else "train"
                if part == where or (part == "test" and where == "validation"):
                    table.setdefault(label, {}).setdefault(patient, {}).setdefault(f"SR_{series}", []).append(image)
            (folder / f"{part}{fold}.json").write_text(json.dumps(table, indent=4), encoding="utf-8")


def write_unpacked(folder: Path) -> None:
    """Write everything into one folder."""
    write_subset(folder)
    write_whole(folder)
    write_tables(folder)
    write_folds(folder / "folds")


def write_archives(folder: Path) -> None:
    """Write what Kaggle and GitHub serve; the whole set is served as parts that only a user can fetch."""
    archive = folder / "kaggle.com/mohammadrahimzadeh/covidctset-a-large-covid19-ct-scans-dataset.zip"
    pack_tree(write_subset, archive, "Train&Validation/")
    write_tables(folder / URL)
    write_folds(folder / FOLDS)


UNTOLD = {"missing file": "nobody lists the slices of the whole set: only the count of the card tells that some lack"}
EXPECTED = {
    "covid1/patient1/SR_2/IM00001.tif": Expected(
        "covid1/patient1/SR_2/IM00001.tif", "patient1", "covid19", "validation"
    ),
    "covid2/patient5/SR_4/IM00011.tif": Expected(
        "covid2/patient5/SR_4/IM00011.tif", "patient5", "covid19", "validation", "validation"
    ),
    "normal7/patient101/SR_2/IM00012.tif": Expected(
        "normal7/patient101/SR_2/IM00012.tif", "patient101", "no_finding", "train", "test"
    ),
}
write = write_unpacked
