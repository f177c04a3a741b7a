"""A small Radiography Database: folders of classes, tables that write names otherwise, masks of another size; phantoms."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from tests.sources import Expected, chest, pack_tree, write_table

HEADER = ("FILE NAME", "FORMAT", "SIZE", "URL")
KERMANY = "https://www.kaggle.com/paultimothymooney/chest-xray-pneumonia"
RSNA = "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data"
CLASSES = {
    "COVID": (
        "COVID",
        ("https://sirm.org/category/senza-categoria/covid-19/", "https://bimcv.cipf.es/", "https://eurorad.org"),
    ),
    "Lung_Opacity": ("Lung_Opacity", (RSNA, RSNA)),
    "Normal": ("NORMAL", (RSNA, RSNA, KERMANY)),  # upper case in the table alone
    "Viral Pneumonia": ("Viral Pneumonia", (KERMANY, KERMANY)),
}


def mask(number: int) -> bytes:
    """Draw two lungs as the publisher might: in colour, and of another size than the film."""
    drawn = np.zeros((256, 256, 3), np.uint8)
    drawn[60:200, 40 + number : 110] = 255
    drawn[60:200, 146 : 216 - number] = 255
    out = io.BytesIO()
    Image.fromarray(drawn).save(out, "PNG")
    return out.getvalue()


def write_unpacked(folder: Path) -> None:
    """Write what is in COVID-19_Radiography_Dataset/."""
    for place, (name, (written, addresses)) in enumerate(CLASSES.items()):
        rows = [(f"{written}-{number}", "PNG", "256*256", url) for number, url in enumerate(addresses, start=1)]
        write_table(folder / f"{name}.metadata.xlsx", HEADER, rows)
        for kind in ("images", "masks"):
            (folder / name / kind).mkdir(parents=True)
        for number in range(1, len(addresses) + 1):
            film = chest(9000 + 10 * place + number, modality="CXR", size=(299, 299))
            (folder / name / "images" / f"{name}-{number}.png").write_bytes(film)
            (folder / name / "masks" / f"{name}-{number}.png").write_bytes(mask(number))
    (folder / "README.md.txt").write_text("*****COVID-19 CHEST X-RAY DATABASE\n", encoding="utf-8")


def write_archives(folder: Path) -> None:
    """Write what Kaggle serves to those with a key."""
    archive = folder / "kaggle.com/tawsifurrahman/covid19-radiography-database@5.zip"
    pack_tree(write_unpacked, archive, "COVID-19_Radiography_Dataset/")


EXPECTED = {
    "COVID/images/COVID-1.png": Expected("COVID-1.png", None, "covid19", "validation"),
    "Lung_Opacity/images/Lung_Opacity-2.png": Expected("Lung_Opacity-2.png", None, "lung_opacity", "train"),
    "Normal/images/Normal-3.png": Expected("Normal-3.png", None, "no_finding", "train"),
    "Viral Pneumonia/images/Viral Pneumonia-1.png": Expected("Viral Pneumonia-1.png", None, "viral_pneumonia", "train"),
}
write = write_unpacked
