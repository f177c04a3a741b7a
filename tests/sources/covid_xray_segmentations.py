"""A small set of outlined films: true columns, crops as the publisher cuts them, and a copy of cohen's table.

Names are cohen's; films and outlines are made up.
"""

import csv
import io
from pathlib import Path

from PIL import Image, ImageDraw

from tests.sources import Expected, chest, pack_tree
from tests.sources.cohen import HEADER as METADATA
from tests.sources.cohen import KJR, NEJM

COMMIT = "377a49490e910a66a7f7aee1b92cdc3d5ac4bddf"
HEADER = (
    *("#", "Taxonomy", "Class", "Template Name", "File Folder", "Filename", "Image", "Tag", "Mask", "Resolution"),
    *("Top", "Left", "Width", "Height", "Points", "Text Annotation"),
    *("Minimal Top", "Minimal Left", "Minimal Width", "Minimal Height", "Attributes"),
)
SIRM = {"url": "https://www.sirm.org/2020/03/10/covid-19-caso-24/", "location": "Italy"}
TWICE = "auntminnie-d-2020_01_28_23_51_6665_2020_01_28_Vietnam_coronavirus.jpeg"
FILMS: dict[str, dict[str, str]] = {
    "85E52EB3-56E9-4D67-82DA-DEA247C82886.jpeg": {"patientid": "44", "sex": "F", "age": "78", **SIRM},
    TWICE: {"patientid": "2", "view": "AP", **NEJM},
    "covid-19-pneumonia-12.jpg": {"patientid": "78", "license": "CC BY-NC-SA"},
    "kjr-21-e24-g001-l-a.jpg": {"patientid": "63", **KJR},
    "kjr-21-e24-g002-l-a.jpg": {"patientid": "64", "view": "AP", **KJR},
    "SARS-10.1148rg.242035193-g04mr34g0-Fig8a-day0.jpeg": {"patientid": "32", "finding": "SARS", "date": "2004"},
    "SARS-10.1148rg.242035193-g04mr34g0-Fig8b-day5.jpeg": {"patientid": "32", "finding": "SARS", "offset": "5"},
    "ARDSSevere.png": {"patientid": "5", "finding": "ARDS"},
}
ELSEWHERE = (
    {"patientid": "219", "filename": "b343e657.jpg", "age": "a row of a picture that only cohen has"},
    {"patientid": "22", "folder": "volumes", "filename": "coronacases_org_001.nii.gz", "modality": "CT"},
)
LUNGS = (("Right Lung", (30, 40, 90, 150)), ("Left Lung", (130, 42, 85, 148)))
CHEST = (*LUNGS, ("Cardiomediastinum", (95, 30, 70, 170)), ("Airways", (100, 0, 40, 80)))
OUTLINES: dict[str, tuple[tuple[str, tuple[int, int, int, int]], ...]] = {
    **dict.fromkeys(FILMS, CHEST),
    TWICE: (*CHEST, ("Right Lung", (40, 190, 30, 20)), ("Ground Glass Opacities", (50, 60, 40, 50))),
    "covid-19-pneumonia-12.jpg": (LUNGS[0], ("Consolidation", (40, 60, 30, 30)), ("Pleural Effusion", (30, 160, 60, 30))),
    "ARDSSevere.png": (*CHEST, ("Endotracheal Tube", (118, 0, 6, 60)), ("Nosogastric Tube", (121, 0, 5, 200))),
}  # fmt: skip
PROBES = ("ARDSSevere.png", "covid-19-pneumonia-12.jpg")
"""Films with probes that are points, which are not given: no mask, and the whole film for a box."""
COLOURS = {"Left Lung": (255, 0, 0), "Right Lung": (187, 73, 73), "Cardiomediastinum": (255, 134, 134)}
SIDE = 240


def write_unpacked(folder: Path) -> None:
    """Write the tree of the commit, as far as a builder needs it."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(METADATA)
        first, *others = ({"filename": name} | row for name, row in FILMS.items())
        for row in (first, *ELSEWHERE, *others):
            usual = {"finding": "COVID-19", "view": "PA", "modality": "X-ray", "folder": "images"} | row
            table.writerow([usual.get(name, "") for name in METADATA])
    with (folder / "structure.csv").open("w", encoding="utf-8", newline="") as lines:
        outlines = csv.DictWriter(lines, HEADER, restval="", lineterminator="\n")
        outlines.writeheader()
        for number, name in enumerate(FILMS):
            kind = "PNG" if name.endswith(".png") else "JPEG"
            picture = chest(40 + number, modality="CXR", mode="RGB", kind=kind, size=(SIDE + number, SIDE))
            (folder / "images" / name).write_bytes(picture)
            for row in _rows(folder, number, name):
                outlines.writerow(row)


def _rows(folder: Path, number: int, name: str) -> list[dict[str, str]]:
    film, rows = f"{number:040x}", []
    for place, (called, (left, top, width, height)) in enumerate(OUTLINES[name]):
        mask = f"masks/{film}_{place:017}.png"
        (folder / mask).write_bytes(crop(called, width, height))
        rows.append(
            {
                "Taxonomy": "Class:Left Lung" if called == "Left Lung" else "",
                "Class": f"COVID-19 {called}",
                "Mask": mask,
            }
            | dict(zip(("Left", "Top", "Width", "Height"), map(str, (left, top, width, height)), strict=True))
        )
    if name in PROBES:
        whole = {"Left": "0", "Top": "0", "Width": str(SIDE + number), "Height": str(SIDE)}
        rows.append({"Class": "COVID-19 Monitoring Probes", **whole})
    said = {"Filename": name, "Image": f"images/{film}.jpg", "Resolution": f"{SIDE + number}x{SIDE}"}
    return [{"#": str(place), "Text Annotation": "undefined", **said, **row} for place, row in enumerate(rows, start=1)]


def crop(called: str, width: int, height: int) -> bytes:
    """Draw an outline that is cut to its box: black and one colour, and opaque everywhere."""
    image = Image.new("RGBA", (width, height), (0, 0, 0, 255))
    ImageDraw.Draw(image).ellipse((0, 0, width - 1, height - 1), fill=(*COLOURS.get(called, (255, 248, 11)), 255))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def write_archives(folder: Path) -> None:
    """Write what GitHub serves for the commit."""
    name = "covid-19-chest-xray-segmentations-dataset"
    archive = folder / "github.com/GeneralBlockchain" / name / "archive" / f"{COMMIT}.zip"
    pack_tree(write_unpacked, archive, f"{name}-{COMMIT}/")


EXPECTED = {
    f"images/{TWICE}": Expected(TWICE, "2", "covid19", "train"),
    "images/ARDSSevere.png": Expected("ARDSSevere.png", "5", "ards", "train"),
    "images/kjr-21-e24-g001-l-a.jpg": Expected("kjr-21-e24-g001-l-a.jpg", None, "covid19", "train"),
}
write = write_unpacked
