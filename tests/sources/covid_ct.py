"""A small COVID-CT: the publisher's names, columns and dirt; the pictures are phantoms."""

import io
import tempfile
from pathlib import Path

from PIL import Image

from tests.sources import Expected, chest, pack, workbook

HEADER = (
    "File name", "Patient ID", "Age", "Gender", "Location", "Medical history", "Time", "Severity", "Other diseases",
    "DOI", "Captions",
)  # fmt: skip
FIGURE_1 = "['Figure 1. Chest radiographs of patient 1. a. b. c. d. Chest computed tomographic scans of Patient 1.']"
LONG = "2019-novel-Coronavirus-severe-adult-respiratory-dist_2020_International-Jour-p3-91"
TALAROMYCES = "Talaromyces-marneffei-infection-relapse-presenting-as-ost_2020_International-p1-12%1"
CASE_8 = "['Figure 4. The course of chest CT images of case 8.']"
HISTORY = "Feb. 10, next day after admission. Both lungs with GGO.\n37.4 °C (Feb. 10) Slight cough (Feb. 10)."
N = None

# Cells as the workbook types them: numbers, text with stray blanks, names without their ending.
POSITIVES: list[tuple[object, ...]] = [
    ("2020.01.24.919183-p27-132.png", "Patient 1", 41, "M", "Wuhan, China", N, "day 6 after the onset of illness",
     "Chest tightness", N, N, FIGURE_1),
    ("2020.01.24.919183-p27-133.png", "Patient 1", 41, "M", "Wuhan, China ", N, "day 6", "same as above", N, N,
     FIGURE_1),
    ("2020.02.10.20021584-p6-52%6.png", "Patient 2", 50, "M", "Beijing, China", "hypertension", N, "Consolidation stage", N,
     N, N),
    ("2020.02.10.20021584-p6-52%10.png", "Patient 2", "40+", "M ", "Beijing, China", HISTORY, 7, N, N, N, N),
    ("2020.02.25.20021568-p24-111%5.png", "Patient 51", N, N, "Wuhan, China", N, N, N, "ordinary bacterial pneumonia",
     "10.1101/2020.02.25.20021568", N),
    ("2020.03.12.20034686-p17-91-3.png", "Patient 124", "Young Child", N, "China", N, N, N, N,
     "10.1101/2020.03.12.20034686", "['Fig 2. Typical Features of CT Images of Paediatric Patient']"),
    ("2020.03.13.20035212-p23-152.png", "Patient 128", N, N, "China", N, "have fever and cough", N, N,
     "10.1101/2020.03.13.20035212", CASE_8),
    ("2020.03.13.20035212-p23-163.png", "Patient 139", N, N, "China", N, N, N, N,
     "10.1101/2020.03.13.20035212", CASE_8),
    (LONG, "Patient 180 ", 65, "F ", "Changsha, China.", "without any underling diseases ", 3, N, N, "10.1016/j.ijid.2020.02.043", "(a) Follow-up CT"),
    ("kjr-21-e24-p5-29", "Patient 195", N, N, N, N, N, N, N, "10.3348/kjr.2020.0132",
     "Representative CT images (A, B)"),
    ("kjr-21-e24-p5-31", "Patient 196", N, N, N, N, N, N, N, "10.3348/kjr.2020.0132",
     "Representative CT images (A, B)"),
    ("PIIS0140673620303603%4", "Patient 210", N, N, "a cruise ship “Diamond Princess” in Japan. ", N, N, N, N,
     "10.1016/ S0140-6736(20)30360-3", N),
    (TALAROMYCES, "Patient 216", N, N, N, N, N, N, N, "10.1016/j.ijid.2020.02.037", "January 2017"),
    (N, N, N, N, N, N, N, N, N, N, "NTM, nontuberculous mycobacterium. "),
]  # fmt: skip
NEGATIVES = {
    "0.jpg": "crawled_patient_0",
    "1%0.jpg": "crawled_patient_1",
    "1%1.jpg": "crawled_patient_1",
    "71%0.jpg": "crawled_patient_71",
    "71%1.jpg": "crawled_patient_71",
    "14.png": "medpix_patient_38",
}
SPLITS = {
    "train": (range(7), ("14.png", "71%0.jpg", "71%1.jpg")),
    "val": (range(7, 8), ("1%0.jpg", "1%1.jpg")),
    "test": (range(8, 13), ("0.jpg",)),
}
# The figure that is in both classes, encoded anew.
TWINS = {"71%0.jpg": 9, "71%1.jpg": 10}


def write_unpacked(folder: Path) -> None:
    """Write the tree as upstream lays it out."""
    names = [f"{str(row[0]).removesuffix('.png')}.png" for row in POSITIVES if row[0]]
    _pictures(folder, names)
    (folder / "COVID-CT-MetaInfo.xlsx").write_bytes(workbook({"positive_captions": [HEADER, *POSITIVES]}))
    lines = [",image name,patient id", *(f"{n},{name},{who}" for n, (name, who) in enumerate(NEGATIVES.items()))]
    (folder / "NonCOVID-CT-MetaInfo.csv").write_text("\r\n".join(lines) + "\r\n", encoding="utf-8", newline="")
    for part, (positive, negative) in SPLITS.items():
        for kind, listed in (("COVID", [names[at] for at in positive]), ("NonCOVID", negative)):
            path = folder / "Data-split" / kind / f"{part}CT_{kind}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{name}\n" for name in listed), encoding="ascii", newline="")


def _pictures(folder: Path, names: list[str]) -> None:
    for label in ("CT_COVID", "CT_NonCOVID"):
        (folder / label).mkdir(parents=True)
    for number, name in enumerate(names):
        # Some .png are JPEG (all of 2020.03.12 to 2020.03.22), the others come in three modes.
        kind, mode = ("JPEG", "RGB") if name.startswith("2020.03.12") else ("PNG", ("RGBA", "RGB", "L")[number % 3])
        (folder / "CT_COVID" / name).write_bytes(chest(number, mode=mode, kind=kind))
    for number, name in enumerate(NEGATIVES, start=20):
        if name in TWINS:
            twin = Image.open(folder / "CT_COVID" / names[TWINS[name]]).convert("RGB")
            out = io.BytesIO()
            twin.save(out, "JPEG", quality=92)
            (folder / "CT_NonCOVID" / name).write_bytes(out.getvalue())
        else:
            kind = "PNG" if name.endswith(".png") else "JPEG"
            (folder / "CT_NonCOVID" / name).write_bytes(chest(number, mode="RGB", kind=kind))


def write_archives(folder: Path) -> None:
    """Write what upstream serves: two zips, and the tables and lists as plain files."""
    base = folder / "github.com/UCSD-AI4H/COVID-CT/raw/master"
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "tree"
        write_unpacked(tree)
        for label in ("CT_COVID", "CT_NonCOVID"):
            pack(tree, base / "Images-processed" / f"{label}.zip", "", f"{label}/*")
        for path in [*tree.glob("*.*"), *tree.glob("Data-split/*/*.txt")]:
            served = base / path.relative_to(tree)
            served.parent.mkdir(parents=True, exist_ok=True)
            served.write_bytes(path.read_bytes())


EXPECTED = {
    "CT_COVID/2020.01.24.919183-p27-132.png": Expected(
        "2020.01.24.919183-p27-132.png", "Patient 1", "covid19", "train", "train"
    ),
    f"CT_COVID/{LONG}.png": Expected(f"{LONG}.png", "Patient 180", "covid19", "train", "test"),
    "CT_NonCOVID/14.png": Expected("14.png", "medpix_patient_38", "not_covid19", "train", "train"),
    # A figure that is in both classes: each keeps the label of its folder.
    "CT_NonCOVID/71%0.jpg": Expected("71%0.jpg", "crawled_patient_71", "not_covid19", "train", "train"),
    "CT_COVID/kjr-21-e24-p5-29.png": Expected("kjr-21-e24-p5-29.png", "Patient 195", "covid19", "train", "test"),
}
write = write_unpacked
