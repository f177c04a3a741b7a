"""A small COVID-19 Image Repository: true columns, ids, offsets and dirt; the pictures are phantoms."""

import csv
import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.nifti import nifti
from tests.sources import Expected, chest, pack
from tests.sources.cohen import film as square_film

COMMIT = "ad7ab099b425f16e06bba22322336b7d6a732965"
LABS = ("crp", "d-dimer", "factor_xii", "ldh", "lymphocytes", "neutrophils", "pco2", "po2")
HEADER = [
    *("patient_id", "image_id", "sex", "age", "size", "weight", "admission_offset"),
    *("icu_admission_offset", "icu_release_offset", "death_offset", "modality", "projection"),
    *(f"{lab}_{what}" for lab in LABS for what in ("offset", "val")),
]
SHARED = "b343e657"
"""A film that the source cohen holds too, as a square crop."""

ROWS: list[dict[str, str]] = [
    {"patient_id": "024e7871", "image_id": "fff13f3a", "sex": "f", "projection": "pa",
     "crp_val": "3.0", "d-dimer_val": "0.3", "lymphocytes_val": "1.8", "neutrophils_val": "3.1", "pco2_val": "30.0",
     "po2_val": "30.0"},
    {"patient_id": "042f06a9", "image_id": SHARED, "sex": "m", "icu_admission_offset": "0.0",
     "icu_release_offset": "4.0", "crp_val": "5.0", "factor_xii_val": "145.0", "pco2_val": "45.0", "po2_val": "55.0"},
    {"patient_id": "042f06a9", "image_id": "c9280a30", "sex": "m", "admission_offset": "-2",
     "icu_admission_offset": "-2.0", "icu_release_offset": "2.0", "crp_val": "38.0", "po2_val": "80.0"},
    {"patient_id": "042f06a9", "image_id": "53c9be49", "sex": "m", "admission_offset": "-5",
     "icu_admission_offset": "-5.0", "icu_release_offset": "-1.0", "crp_val": "29.0", "po2_val": "105.0"},
    # Ids that a careless reader takes for numbers.
    {"patient_id": "23032572", "image_id": "09258248", "sex": "m", "admission_offset": "23", "modality": "DX",
     "icu_admission_offset": "40.0", "icu_release_offset": "56.0", "d-dimer_val": "inf"},
    {"patient_id": "4125e500", "image_id": "69651387", "sex": "f", "admission_offset": "-61", "death_offset": "13.0",
     "crp_val": "-inf", "d-dimer_val": "-inf", "po2_val": "-inf", "ldh_val": "245.0"},
]  # fmt: skip


def table(rows: list[dict[str, str]]) -> str:
    """Write rows as the publisher's table."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(HEADER)
    for row in rows:
        days = {name.replace("_val", "_offset"): "0.0" for name in row if name.endswith("_val")}
        usual = {"admission_offset": "0", "modality": "CR", "projection": "ap"} | days | row
        lines.writerow([usual.get(name, "") for name in HEADER])
    return out.getvalue()


def write_unpacked(folder: Path) -> None:
    """Write the tree of the commit, and the raw films of the other archive, which its user unpacks beside it."""
    write_commit(folder)
    for number, row in enumerate(ROWS):
        (folder / f"{row['image_id']}.nii.gz").write_bytes(nifti(raw_film(number)[None]))


def raw_film(number: int) -> np.ndarray:
    """Make the grey values of a film before its contrast was equalised: 12 bits, half as large as a real one's picture."""
    grey = np.asarray(Image.open(io.BytesIO(film(ROWS[number]["image_id"], 40 + number))).convert("L"), np.int16)
    return np.ascontiguousarray(grey[::2, ::2]) * np.int16(12) + np.int16(100)


def write_commit(folder: Path) -> None:
    """Write the tree of the commit, as far as a builder needs it: films of 640 pixels' width in 8-bit grey."""
    (folder / "png").mkdir(parents=True)
    for number, row in enumerate(ROWS):
        (folder / "png" / f"{row['image_id']}.png").write_bytes(film(row["image_id"], 40 + number))
    (folder / "data.csv").write_text(table(ROWS), encoding="utf-8", newline="")


def film(image: str, number: int) -> bytes:
    """Draw a film; the one that two sources share is the other source's square between two margins."""
    if image != SHARED:
        return chest(number, modality="CXR", size=(640, 519 + number))
    whole = Image.open(io.BytesIO(chest(number, modality="CXR", size=(640, 524))))
    whole.paste(Image.open(io.BytesIO(square_film(f"{image}.jpg"))).convert("L").resize((524, 524)), (58, 0))
    out = io.BytesIO()
    whole.save(out, "PNG")
    return out.getvalue()


def write_archives(folder: Path) -> None:
    """Write what GitHub serves for the commit."""
    archive = folder / "github.com/ml-workgroup/covid-19-image-repository/archive" / f"{COMMIT}.zip"
    with tempfile.TemporaryDirectory() as name:
        write_commit(Path(name) / "tree")
        pack(Path(name) / "tree", archive, f"covid-19-image-repository-{COMMIT}/")


EXPECTED = {
    "png/b343e657.png": Expected("b343e657.png", "042f06a9", "covid19", "train"),
    "png/53c9be49.png": Expected("53c9be49.png", "042f06a9", "covid19", "train"),
    "png/09258248.png": Expected("09258248.png", "23032572", "covid19", "train"),
}
write = write_unpacked
