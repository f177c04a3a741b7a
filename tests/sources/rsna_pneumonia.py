"""A small Pneumonia Detection Challenge: a row for each box, ids of films that are called patients; phantoms as DICOM."""

import io
import json
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from tests.sources import Expected, chest, pack_tree, write_table

NORMAL, OTHER, TWO_BOXES, ONE_BOX, AGED, TEST, UNNAMED = (
    "0004cfab-14fd-4e49-80ba-63a80b6bddd6",
    "00313ee0-9eaa-42f4-b0ab-c148ed3241cd",
    "00436515-870c-4b36-a041-de91049b9ab4",
    "00704310-78a8-4b38-8475-49f4573b2dbb",
    "003d8fa0-6bf1-40ed-b54c-ac657f8495c5",
    "fff0b503-72a5-446a-843d-f3d152e39053",
    "008c19e8-a820-403a-930a-bc74a4053664",
)
CLASSES = {
    NORMAL: "Normal",
    OTHER: "No Lung Opacity / Not Normal",
    TWO_BOXES: "Lung Opacity",
    ONE_BOX: "Lung Opacity",
    AGED: "Normal",
    UNNAMED: "Normal",
}
BOXES = {
    TWO_BOXES: (("264.0", "152.0", "213.0", "379.0"), ("562.0", "152.0", "256.0", "453.0")),
    ONE_BOX: (("323.0", "577.0", "160.0", "104.0"),),
}
PEOPLE = {
    NORMAL: "00000061_012.png",
    OTHER: "00000062_000.png",
    TWO_BOXES: "00000061_004.png",  # one patient of the NIH, two ids here; AGED and UNNAMED are not in the mapping
    ONE_BOX: "00000099_001.png",
    TEST: "00000101_000.png",
}
HEADERS = {NORMAL: ("M", "51", "PA"), TWO_BOXES: ("F", "48", "AP"), AGED: ("M", "155", "AP")}
MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"


def write_competition(folder: Path) -> None:
    """Write what Kaggle serves: films, and two tables that repeat a film for each of its boxes."""
    labels, classes = [], []
    for name, kind in CLASSES.items():
        for box in BOXES.get(name, (("", "", "", ""),)):
            labels.append((name, *box, str(int(name in BOXES))))
            classes.append((name, kind))
    write_table(folder / "stage_2_train_labels.csv", ("patientId", "x", "y", "width", "height", "Target"), labels)
    write_table(folder / "stage_2_detailed_class_info.csv", ("patientId", "class"), classes)
    for number, name in enumerate((*CLASSES, TEST)):
        path = folder / f"stage_2_{'test' if name == TEST else 'train'}_images" / f"{name}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dicom(number, *HEADERS.get(name, ("F", "30", "PA"))))


def dicom(number: int, sex: str, age: str, view: str) -> bytes:
    """Encode a phantom as the challenge does: a secondary capture that calls itself CR, most of them as JPEG."""
    from pydicom.uid import JPEGBaseline8Bit, SecondaryCaptureImageStorage

    from tests.dicom import compressed, radiograph

    image = Image.open(io.BytesIO(chest(8000 + number, modality="CXR", size=(128, 128)))).convert("L")
    tags = {"PatientSex": sex, "PatientAge": age, "ViewPosition": view, "Modality": "CR", "ConversionType": "WSD"}
    said = {"PixelSpacing": [0.143, 0.143], "ImagerPixelSpacing": None, "Manufacturer": None, "KVP": None}
    with warnings.catch_warnings(action="ignore"):  # an age is written as 051Y, says pydicom; not there
        data = radiograph(
            np.asarray(image), SOPClassUID=SecondaryCaptureImageStorage, ManufacturerModelName=None, **tags, **said
        )
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95)
    return compressed(data, JPEGBaseline8Bit, out.getvalue()) if number % 2 else data


def write_mapping(folder: Path) -> None:
    """Write whose film each is, as RSNA publishes it."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"subset_img_id": name, "img_id": image, "SOPInstanceUID": f"1.2.276.{number}", "orig_labels": ["No Finding"]}
        for number, (name, image) in enumerate(PEOPLE.items())
    ]
    (folder / MAPPING).write_text(json.dumps(rows), encoding="utf-8")


def write_unpacked(folder: Path) -> None:
    """Write the competition's files, and the mapping beside them."""
    write_competition(folder)
    write_mapping(folder)


def write_packed(folder: Path) -> None:
    """Write the untouched downloads."""
    pack_tree(write_competition, folder / "rsna-pneumonia-detection-challenge.zip")
    write_mapping(folder)


def write_archives(folder: Path) -> None:
    """Write what Kaggle serves to those with a key, and RSNA to everybody."""
    pack_tree(write_competition, folder / "kaggle.com/competitions/rsna-pneumonia-detection-challenge.zip")
    write_mapping(folder / "s3.amazonaws.com/east1.public.rsna.org/AI/2018")


EXPECTED = {
    f"stage_2_train_images/{NORMAL}.dcm.png": Expected(NORMAL, "00000061", "no_finding", "validation", "train"),
    f"stage_2_train_images/{TWO_BOXES}.dcm.png": Expected(TWO_BOXES, "00000061", "lung_opacity", "validation", "train"),
    f"stage_2_train_images/{OTHER}.dcm.png": Expected(OTHER, "00000062", "other_abnormality", "train", "train"),
    f"stage_2_train_images/{AGED}.dcm.png": Expected(AGED, None, "no_finding", "train", "train"),
    f"stage_2_test_images/{TEST}.dcm.png": Expected(TEST, "00000101", None, "train", "test"),
}
write = write_unpacked
