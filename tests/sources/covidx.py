"""A small COVIDx: every list in its own format and dirt, and all eight parts; the pictures are phantoms."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.sources import Expected, actualmed, chest, cohen, figure1, pack_tree
from tests.sources.actualmed import CR, CR_NEGATIVE, DX

LISTS = "65999806546b55ab8adfc32b0cf8f70880c337dc"
VERSIONS = ("1", "2", "3", "4", "5", "6", "7A", "7B", "8A", "8B", "9A", "9B", "Sev")
FIRST = {"actmed": "3", "sirm": "3", "fig1": "2", "ricord": "8A", "stonybrook": "9A", "bimcv": "9A"}
"""The first version with rows of a part; cohen and rsna are in all."""
UIDS = (
    "003d8fa0-6bf1-40ed-b54c-ac657f8495c5",
    "009eb222-eabc-4150-8121-d5a6d06b8ebf",
    "0a3c5be1-0000-4bcd-9e9a-111111111111",
)
TYPO = "fe267737-99e1-42b0-ac7f-ffb6f235037a"
HELD_OUT = "47c78742-4998-4878-aec4-37b11b1354ac"
FLAT_PLATE = "A299123-01-03-1901-NA-FLAT_PLATE_OF_ABDOMEN_PORTABLE-60204-2.000000-AP-93499-1-1.jpg"
LATER = "later-than-june-2020.png"


class Listed(NamedTuple):
    """A row of a list: label in the lists A, label in the lists B (empty: not listed there)."""

    patient: str
    name: str
    a: str
    b: str
    part: str
    split: str = "train"


ROWS = (
    Listed("2", "auntminnie-a-2020_01_28_23_51_6665_2020_01_28_Vietnam_coronavirus.jpeg", "COVID-19", "positive", "cohen"),
    Listed("2", "auntminnie-b-2020_01_28_23_51_6665_2020_01_28_Vietnam_coronavirus.jpeg", "COVID-19", "positive", "cohen"),
    Listed("5", "ARDSSevere.png", "pneumonia", "negative", "cohen"),
    Listed("63", "kjr-21-e24-g001-l-a.jpg", "COVID-19", "positive", "cohen"),
    Listed("64", "kjr-21-e24-g002-l-a.jpg", "COVID-19", "positive", "cohen"),
    Listed("285", "000001-24.jpg", "pneumonia", "negative", "cohen"),
    Listed("311a", "000016.jpg", "pneumonia", "negative", "cohen"),
    Listed("219", "b343e657.jpg", "COVID-19", "negative", "cohen"),  # a film from Hannover that the lists B call negative
    Listed("378", "2b327d8b7523701d3bfc55f6eaccbf_jumbo.jpeg", "", "negative", "cohen"),  # todo
    Listed("400", LATER, "pneumonia", "negative", "cohen"),
    Listed("36", "7E335538-2F86-424E-A0AB-6397783A38D0.jpeg", "COVID-19", "positive", "cohen", "test"),
    *(Listed(uid, f"{uid}.png", label, "negative", "rsna") for uid, label in zip(UIDS, ("normal", "pneumonia", "normal"), strict=True)),
    Listed(TYPO, f"{TYPO}.png", "normal", "negative", "rnsa"),
    Listed(HELD_OUT, f"{HELD_OUT}.png", "normal", "negative", "rsna", "test"),
    Listed("COVID-00003a", "COVID-00003a.jpg", "COVID-19", "positive", "fig1"),
    Listed("COVID-00003b", "COVID-00003b.jpg", "COVID-19", "positive", "fig1"),
    Listed("COVID-00015a", "COVID-00015a.png", "COVID-19", "positive", "fig1", "test"),
    Listed("ANON56", CR, "", "negative", "actmed"),
    Listed("ANON191", CR_NEGATIVE, "", "negative", "actmed"),
    Listed("ANON191", DX, "COVID-19", "positive", "actmed", "test"),
    Listed("COVID_1", "COVID(1).png", "COVID-19", "positive", "sirm"),
    Listed("COVID_2", "COVID(2).png", "COVID-19", "positive", "sirm"),
    Listed("COVID_3", "COVID(3).png", "COVID-19", "positive", "sirm", "test"),
    Listed("419639-000238", "MIDRC-RICORD-1C-419639-000238-46556-1.png", "COVID-19", "positive", "ricord"),
    Listed("SITE2-000061", "MIDRC-RICORD-1C-SITE2-000061-06111-0.png", "COVID-19", "positive", "ricord", "test"),
    Listed("A223587", "A223587-12-31-1900-NA-CHEST_AP_VIEWONLY-26790-1.000000-AP-81991-1-1.jpg", "COVID-19", "positive", "stonybrook"),
    Listed("A299123", FLAT_PLATE, "COVID-19", "positive", "stonybrook"),
    Listed("S03044", "sub-S03044_ses-E06790_run-1_bp-chest_vp-pa_dx-corrected.png", "COVID-19", "positive", "bimcv"),
)  # fmt: skip
BY_HAND = {
    "sirm": ("COVID(1).png", "COVID (2).png", "COVID-3.png", "COVID(9).png"),
    "rsna": (*(f"{uid}.png" for uid in (*UIDS, TYPO, HELD_OUT)), "31a1c7e2-0000-4bcd-9e9a-111111111111.dcm"),
    "ricord": tuple(row.name for row in ROWS if row.part == "ricord"),
    "stonybrook": tuple(row.name for row in ROWS if row.part == "stonybrook"),
    "bimcv": tuple(row.name for row in ROWS if row.part == "bimcv"),
    "ready/train": (LATER, "not-listed.png"),
}


def lines(version: str, split: str) -> Iterator[str]:
    """Write a list as the version does: without sources at first, ids with a blank in 7 and 8, a typo in 9."""
    for row in ROWS:
        label = row.b if version in ("6", "7B", "8B", "9B") else row.a
        if version == "Sev":
            label = ("level1", "level2")[row.split == "train"] if row.part == "ricord" else ""
        if not label or row.split != split or version < FIRST.get(row.part, "1"):
            continue
        part = row.part if version[0] == "9" else row.part.replace("rnsa", "rsna")
        patient = row.patient.replace("_", " ") if version[0] in "78" else row.patient
        bare = version in "12" or (part == "rsna" and split == "test" and version in ("3", "4", "5", "7A"))
        text = f"{patient} {row.name} {label}" if bare else f"{patient} {row.name} {label} {part}"
        yield from [text] * (3 if version == "1" and row.part == "rsna" and label == "pneumonia" else 1)
    if version == "4" and split == "train":
        yield "339 000001-24.jpg pneumonia cohen"


def write_lists(folder: Path) -> None:
    """Write what COVID-Net's repository has of the lists."""
    (folder / "labels").mkdir(parents=True)
    (folder / "annotations").mkdir()
    for version in VERSIONS:
        for split in ("train", "test"):
            text = "".join(f"{line}\n" for line in lines(version, split))
            path = folder / "labels" / f"{split}_COVIDx{'' if version == '1' else version}.txt"
            path.write_text(text, encoding="utf-8", newline="")
    header = "filename,Geographic,Opacity,Sum,Product,patientid,dataset,age,sex,view,location,finding"
    first = (
        f'{ROWS[0].name},2.3333333333333335,1.3333333333333333,3.666,3.111,2,cohen,65.0,M,PA,"Hanoi, Vietnam",COVID-19'
    )
    blank = "b343e657.jpg,,,,,219,cohen,,M,AP Supine,Germany,COVID-19"
    film = f"{DX},4,8,12,32,ANON191,actmed,,,PA,,COVID-19"
    text = "\n".join([header, first, blank, film]) + "\n"
    (folder / "annotations/severity_annotations.csv").write_text(text, encoding="utf-8", newline="")


def write_unpacked(folder: Path) -> None:
    """Write lists and parts as a user lays them out for ``data_dir``."""
    write_lists(folder)
    cohen.write_commit(folder / "cohen")
    figure1.write_unpacked(folder / "fig1")
    actualmed.write_unpacked(folder / "actmed")
    for number, (part, names) in enumerate(BY_HAND.items()):
        (folder / part).mkdir(parents=True)
        for film, name in enumerate(names):
            kind = "JPEG" if name.endswith(".jpg") else "PNG"
            (folder / part / name).write_bytes(chest(1000 + 50 * number + film, modality="CXR", kind=kind))


def write_archives(folder: Path) -> None:
    """Write what GitHub serves for the commits; the other parts nobody serves."""
    host = folder / "github.com"
    pack_tree(write_lists, host / "lindawangg/COVID-Net/archive" / f"{LISTS}.zip", f"COVID-Net-{LISTS}/")
    for part in (cohen, figure1, actualmed):
        part.write_archives(folder)


EXPECTED = {
    "cohen/images/000016.jpg": Expected("cohen/000016.jpg", "cohen-311a", "pneumonia", "train", "train"),
    "fig1/images/COVID-00003a.jpg": Expected("fig1/COVID-00003a.jpg", "fig1-COVID-00003", "covid19", "train", "train"),
    "fig1/images/COVID-00003b.jpg": Expected("fig1/COVID-00003b.jpg", "fig1-COVID-00003", "covid19", "train", "train"),
    f"actmed/images/{DX}": Expected(f"actmed/{DX}", "actmed-ANON191", "covid19", "train", "test"),
    f"rsna/{HELD_OUT}.png": Expected(f"rsna/{HELD_OUT}.png", None, "no_finding", "train", "test"),
    "sirm/COVID (2).png": Expected("sirm/COVID(2).png", None, "covid19", "train", "train"),
    f"ready/train/{LATER}": Expected(f"cohen/{LATER}", "cohen-400", "pneumonia", "test", "train"),
}
UNTOLD = {
    **{
        f"{table}: cut table": "the builder hands on no notice of the tables of its parts, and no list names this row"
        for table in (
            "cohen/metadata.csv",
            "cohen/annotations/covid-severity-scores.csv",
            "fig1/metadata.csv",
            "actmed/metadata.csv",
        )
    },
    "cohen/annotations/covid-severity-scores.csv: header alone": "no notice of the tables of its parts is handed on",
    "actmed/metadata.csv: duplicate row": "the rows of one film say the same",
    "annotations/severity_annotations.csv: duplicate row": "the rows of one film say the same",
}
write = write_unpacked
