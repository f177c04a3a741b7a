"""A small COVID-CT-MD: folders as published, names out of order, headers with and without what identifies, true arrays.

People of the whole that are here: two with COVID-19, one with pneumonia, one with normal lungs, three slices each. The
arrays have all 79 rows.
"""

import csv
from pathlib import Path

import numpy as np

from tests.dicom import ct, jpeg_lossless
from tests.sources import Expected

SIDE, COUNT = 64, 4
RAW = "github.com/ShahinSHH/COVID-CT-MD/raw/52699790020e0d5410c3158fe588e38505769349"
PEOPLE = {
    "P001": "COVID-19 subjects",
    "P044": "COVID-19 subjects",
    "cap001": "CAP subjects",
    "normal001": "Normal subjects",
}
SMALL = {
    'P = "169"': 'P = "1"',
    'cap = "60"': 'cap = "1"',
    'normal = "76"': 'normal = "1"',
    "patients = 305": "patients = 4",
}
ROWS = {"P001": 0, "P044": 43, "cap001": 54}
"""Row of the arrays, which lack index 43."""
SEEN = {("P001", 0): "LUL RUL", ("P001", 1): "LUL", ("P044", 2): "RLL", ("cap001", 3): "LLL RLL"}
"""Person, and number of a slice from the head down -> lobes with infection."""
LOBES = ("LLL", "LUL", "RLL", "RML", "RUL")


def slices(person: str) -> dict[str, bytes]:
    """Make the files of a person, the first one at the head; of some, headers and names are not clean."""
    files, at = {}, sorted(PEOPLE).index(person)
    unclean = person in ("P001", "normal001")
    for number in range(COUNT):
        pixels = np.random.default_rng(10 * at + number).integers(-1000, 400, (SIDE, SIDE)).astype(np.int16)
        yy, xx = np.mgrid[:SIDE, :SIDE]
        pixels[np.hypot(yy - 30, xx - 32) > 20 + number + at] //= 8
        data = ct(
            pixels,
            (-20.0, -20.0, -50.0 - 2.0 * number),
            SOPInstanceUID=f"1.2.3.4.5.{number}" if unclean else "1.2",
            SeriesInstanceUID=f"1.2.3.{at}" if unclean else f"09bc8aea-ff9c-4106-8514-294cbcf9a08{at}",
            PatientID="98C14734-ASSH" if unclean else person,
            PatientSex="M" if at % 2 else "F",
            PatientAge=f"0{39 + at}Y",
            StudyDate="20200305" if unclean else "",
            Manufacturer="SIEMENS",
            ManufacturerModelName="SOMATOM Scope",
            ConvolutionKernel="D40s",
            KVP=110,
            SliceThickness=2,
            SliceLocation=-50.0 - 2.0 * number,
            InstanceNumber=number + 1,
            PixelRepresentation=0,
        )
        name = f"98C14734-ASSH_{(1, 61, 2, 13)[number]}.dcm" if unclean else f"IM{number + 1:04}.dcm"
        files[name] = data if number else jpeg_lossless(data)
    return files


def write_scans(folder: Path) -> None:
    """Write a folder for each person."""
    for person, where in PEOPLE.items():
        (folder / where / person).mkdir(parents=True)
        for name, data in slices(person).items():
            (folder / where / person / name).write_bytes(data)


def write_labels(folder: Path) -> None:
    """Write index and arrays, the first ones and the corrected ones: of P001 the first differ."""
    people = [f"P{at:03}" for at in range(1, 55)] + [f"cap{at:03}" for at in range(1, 26)]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "Index.csv").open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(("Label Index", "Diagnosis", "Relative Path", "Folder/ID"))
        for row, person in enumerate(people):
            kind = "CAP" if person.startswith("cap") else "COVID-19"
            table.writerow((row + (row > 42), kind, f"./{kind}/", person))
    lobes = np.zeros((79, 200, 5))
    for (person, number), names in SEEN.items():
        lobes[ROWS[person], number] = [name in names.split() for name in LOBES]
    for edition, numbers in (("-updated-1", np.int32), ("", np.int64)):
        if not edition:
            lobes[0, 1] = 0
        np.save(folder / f"Lobe-level-labels{edition}.npy", lobes)
        np.save(folder / f"Slice-level-labels{edition}.npy", lobes.any(axis=2).astype(numbers))


def write_unpacked(folder: Path) -> None:
    """Write the folders of all classes, with index and arrays beside."""
    write_scans(folder)
    write_labels(folder)


def write_archives(folder: Path) -> None:
    """Write what the repository serves; the scans are got by hand."""
    write_labels(folder / RAW)


UNTOLD = {
    "missing file": "nothing lists the slices; where a gap or the numbers show it, no slice of the person has a label"
}
EXPECTED = {
    "P001/0000.tiff": Expected("P001/0000", "P001", "covid19", "test"),
    "cap001/0003.tiff": Expected("cap001/0003", "cap001", "other_pneumonia", "train"),
    "normal001/0001.tiff": Expected("normal001/0001", "normal001", "no_finding", "train"),
}
write = write_unpacked
