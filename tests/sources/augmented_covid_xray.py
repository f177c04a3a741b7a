"""A small augmented set: numbers that only an ending tells apart, grey squares; the pictures are phantoms, turned."""

import io
from pathlib import Path

from PIL import Image

from tests.sources import KINDS, Expected, chest, pack_tree

COMMIT = "30f81fcdff1910aff23be2028b284c5298da63ef"
PICTURES = (
    "COVID-19/COVID-19 (1).jpeg",  # three pictures of one number
    "COVID-19/COVID-19 (1).jpg",
    "COVID-19/COVID-19 (1).png",
    "COVID-19/COVID-19 (10).jpg",
    "Non-COVID-19/Non-COVID-19 (1).jpeg",
    "Non-COVID-19/Non-COVID-19 (2).jpg",
    "Non-COVID-19/Non-COVID-19 (3).jpg",
)


def write_unpacked(folder: Path) -> None:
    """Write the two folders; neighbours are one film, turned by some degrees."""
    for number, path in enumerate(PICTURES):
        film = Image.open(io.BytesIO(chest(9500 + number // 2, modality="CXR", size=(256, 256)))).convert("L")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        film.rotate(7 * (number % 2)).save(folder / path, KINDS[Path(path).suffix])


def write_archives(folder: Path) -> None:
    """Write what GitHub serves for the commit of a copy."""
    archive = folder / "github.com/pharoahe34/dectecting_covid_chestxray/archive" / f"{COMMIT}.zip"
    pack_tree(write_unpacked, archive, f"dectecting_covid_chestxray-{COMMIT}/data/Dataset All Augmented/")


EXPECTED = {
    PICTURES[0]: Expected(PICTURES[0], None, "covid19", "train"),
    PICTURES[2]: Expected(PICTURES[2], None, "covid19", "test"),
    PICTURES[5]: Expected(PICTURES[5], None, "not_covid19", "train"),
}
write = write_unpacked
