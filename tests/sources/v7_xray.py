"""A small V7 set: exports with tags and outlines, masks, a small cohen, and films as Kermany's are called.

Names are the sources'; pictures, outlines and the key in the addresses are made up.
"""

import io
import json
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw

from tests.sources import Expected, chest, pack
from tests.sources import cohen as cohen_source

COMMIT = "51fca0d0d089b2fa7b0b95f0aed32ebaebd561f2"
MASKS = "annotations/all-images-semantic-masks"
LUNGS = ((40, 50, 100, 190), (140, 50, 200, 190))
KEY = "a-key-that-nobody-may-keep"
COVID = ("X-ray", "COVID-19", "Viral Pneumonia")
IMAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "1676192": ("auntminnie-a-2020_01_28_23_51_6665_2020_01_28_Vietnam_coronavirus.jpeg", (*COVID, "PatientID:2", "View/PA")),
    "1676193": ("auntminnie-b-2020_01_28_23_51_6665_2020_01_28_Vietnam_coronavirus.jpeg",
                (*COVID, "PatientID:2", "View/Lateral", "ARDS", "19")),
    "1676200": ("kjr-21-e24-g001-l-a.jpg", (*COVID, "PatientID:63", "View/PA", "location:Montr\ufffdal")),
    "1676201": ("kjr-21-e24-g002-l-a.jpg", (*COVID, "PatientID:64", "View/AP")),
    "1676300": ("b343e657.jpg", (*COVID, "PatientID:219", "View/AP_Supine", "Age:")),
}  # fmt: skip
OTHERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "1680001": ("person1_virus_6.jpeg", ("Viral Pneumonia",)),
    "1680002": ("person1_bacteria_1.jpeg", ("Bacterial Pneumonia",)),
    "1680003": ("IM-0115-0001.jpeg", ("No Pneumonia (healthy)",)),
    "1680004": ("IM-0115-0002.jpeg", ("No Pneumonia (healthy)",)),
    "1680005": ("ARDSSevere.png", ("X-ray", "PatientID:5", "View/PA", "ARDS")),
}
BARE = ("1676193",)
"""Not outlined: a lateral film, with a mask that is all zero."""
IGNORED = ("1676201", "1680003")


def write_unpacked(folder: Path, export: str = "covid-only") -> None:
    """Write outlines, masks and pictures as a user keeps them; an export lists some, and masks there are of all."""
    (folder / MASKS).mkdir(parents=True)
    (folder / MASKS / "class_mapping.csv").write_text(
        "class_idx,class_name\n0,__background__\n127,Ignore\n255,Lung\n", encoding="utf-8", newline=""
    )
    cohen_source.write_commit(folder / "cohen")
    (folder / export).mkdir()
    for number, (name, tags) in (IMAGES | OTHERS).items():
        known = folder / "cohen/images" / name
        picture = known.read_bytes() if known.exists() else chest(int(number) % 1000 + 300, modality="CXR", kind="JPEG")
        size = Image.open(io.BytesIO(picture)).size
        (folder / MASKS / f"{number}.png").write_bytes(mask(number, size))
        if number in OTHERS and export == "covid-only":
            continue
        text = json.dumps(_said(number, name, tags, size))
        (folder / export / f"{number}.json").write_text(text, encoding="utf-8")
        if not known.exists():
            path = folder / "kermany/train" / ("NORMAL" if name.startswith("IM-") else "PNEUMONIA") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture)


def _said(number: str, name: str, tags: tuple[str, ...], size: tuple[int, int]) -> dict[str, object]:
    width, height = size
    address = f"https://darwin.v7labs.com/api/images/{number}/original?token={KEY}"
    image = {"seq": 1, "width": width, "height": height, "filename": "00006434.jpg", "original_filename": name}
    drawn: list[dict[str, object]] = [{"name": tag, "tag": {}} for tag in tags]
    if number not in BARE:
        for left, top, right, bottom in LUNGS:
            corners = ((left, top), (right, top), (right, bottom), (left, bottom))
            drawn.append({"name": "Lung", "polygon": {"path": [{"x": x, "y": y} for x, y in corners]}})
    if number in IGNORED:
        ring = [{"x": 60, "y": 60}, {"x": 80, "y": 60}, {"x": 80, "y": 80}]
        drawn.append({"name": "Ignore", "complex_polygon": {"path": [ring, ring[::-1]]}})
    urls = {"url": address, "thumbnail_url": address, "workview_url": address}
    return {"image": image | urls, "dataset": "COVID-19 Chest X-Ray Dataset", "annotated": True, "annotations": drawn}


def mask(number: str, size: tuple[int, int]) -> bytes:
    """Draw what the publisher renders: 255 is lung, 127 to be ignored, and nothing where nobody outlined."""
    image = Image.new("L", size)
    if number not in BARE:
        for box in LUNGS:
            ImageDraw.Draw(image).rectangle(box, fill=255)
    if number in IGNORED:
        ImageDraw.Draw(image).rectangle((60, 60, 80, 80), fill=127)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def write_archives(folder: Path) -> None:
    """Write what GitHub serves: two repositories, and an export as a file of one of them."""
    name = "v7labs/covid-19-xray-dataset"
    with tempfile.TemporaryDirectory() as place:
        tree = Path(place) / "tree"
        write_unpacked(tree)
        root = f"covid-19-xray-dataset-{COMMIT}/"
        pack(tree, folder / f"github.com/{name}/archive/{COMMIT}.zip", root, "annotations/**/*")
        raw = folder / f"raw.githubusercontent.com/{name}/{COMMIT}/annotations"
        pack(tree / "covid-only", raw / "covid-only.zip", "")
    cohen_source.write_archives(folder)


FIRST = "auntminnie-a-2020_01_28_23_51_6665_2020_01_28_Vietnam_coronavirus.jpeg"
EXPECTED = {
    f"cohen/images/{FIRST}": Expected(f"cohen/{FIRST}", "cohen-2", "covid19", "train"),
    "cohen/images/kjr-21-e24-g001-l-a.jpg": Expected("cohen/kjr-21-e24-g001-l-a.jpg", None, "covid19", "train"),
}
_ELSEWHERE = "its rows that are damaged are of pictures that the export does not list"
UNTOLD = {
    "cohen/metadata.csv: cut table": _ELSEWHERE,
    "cohen/annotations/covid-severity-scores.csv: cut table": _ELSEWHERE,
    "cohen/annotations/covid-severity-scores.csv: duplicate row": _ELSEWHERE,
}
write = write_unpacked
