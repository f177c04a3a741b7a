"""A small MIDRC-RICORD-1C: real names of seven of its series, phantoms as their films, votes as MD.ai exports them.

The votes are invented; who votes, what the labels are called and how they are spelled is real.
"""

import json
from pathlib import Path

from covid_datasets.builders.midrc_ricord_1c import _ANNOTATIONS, _LISTING

from covid_datasets.catalog.listing import read_listing
from tests.buckets import Collection, Tree, file_name, film, films
from tests.sources import Expected

ROOT = "https://idc-open-data-cr.s3.amazonaws.com/"
WIKI = (
    "https://wiki.cancerimagingarchive.net/download/attachments/70230281/"
    "1c_mdai_rsna_project_MwBeK3Nr_annotations_labelgroup_all_2021-01-08-164102.json?api=v2"
)
AGREED, ADJUDICATED, BREAST, TWO_VIEWS, IN_1A, NO_AGE, INVALID = (
    "841e50fe-8693-45b1-b84e-0ea7ec4e7015",
    "de624d4b-7b34-4ab7-bda1-3964ae234d43",
    "4fe942f7-ec91-4b18-859f-c9c463006e8b",
    "139dad71-bffc-42e3-beea-ce07f2cf4934",
    "d4f7c45c-e32e-4e0f-b17d-1f16a6a76574",
    "0a3856ad-42a2-4121-a175-28e765ac2dcd",
    "1be3818b-50d4-49ed-a3de-78421ed6464d",
)
TYPICAL, INDETERMINATE, ATYPICAL, NEGATIVE = (
    "Typical Appearance",
    "Indeterminate Appearance",
    "Atypical Appearance",
    "Negative for Pneumonia",
)
MILD, MODERATE, SEVERE = (
    "Mild Opacities  (1-2 lung zones)",  # two blanks, as all groups have them
    "Moderate Opacities (3-4 lung zones)",
    "Severe Opacities (>4 lung zones)",
)
LABELS = (TYPICAL, INDETERMINATE, ATYPICAL, NEGATIVE, MILD, MODERATE, SEVERE, "Invalid Study")
READERS = ("Default group", "Tiger", "Lion", "Bear", "Dragon", "Adjudication")
VOTES: dict[str, dict[str, tuple[str, ...]]] = {
    AGREED: {"Tiger": (INDETERMINATE, MODERATE), "Bear": (INDETERMINATE, MODERATE), "Dragon": (TYPICAL, MILD)},
    ADJUDICATED: {
        "Tiger": (INDETERMINATE, MILD),
        "Bear": (TYPICAL, MILD),
        "Dragon": (ATYPICAL, SEVERE),
        "Adjudication": (TYPICAL,),
    },
    BREAST: {"Tiger": (TYPICAL, MODERATE), "Bear": (ATYPICAL, SEVERE), "Dragon": (NEGATIVE,), "Lion": (TYPICAL,)},
    TWO_VIEWS: {"Tiger": (NEGATIVE,), "Bear": (NEGATIVE,), "Dragon": (NEGATIVE, NEGATIVE)},
    IN_1A: {"Tiger": (ATYPICAL, INDETERMINATE, MILD), "Bear": (ATYPICAL, MILD), "Dragon": (ATYPICAL, SEVERE)},
    INVALID: {"Tiger": ("Invalid Study",), "Bear": ("Invalid Study",), "Dragon": (INDETERMINATE, SEVERE)},
}
WITHDRAWN = "1.2.826.0.1.3680043.10.474.2363841256363777216073347285112211043"
UNLISTED = "1.2.826.0.1.3680043.10.474.440808.368"


def tree() -> Tree:
    """Make the films of each series; one is inverted, and one series has a lateral view too."""
    found = {name: films(read_listing(_LISTING)[name]) for name in (AGREED, BREAST, IN_1A, NO_AGE, INVALID)}
    found[ADJUDICATED] = films(read_listing(_LISTING)[ADJUDICATED], PhotometricInterpretation="MONOCHROME1")
    two = read_listing(_LISTING)[TWO_VIEWS]
    lateral = film(two, 1, ViewPosition="LL")
    found[TWO_VIEWS] = {file_name(two, 0): film(two, 0, ViewPosition="PA"), file_name(two, 1): lateral}
    return {name: found[name] for name in read_listing(_LISTING) if name in found}


def annotations() -> str:
    """Write the export, with every key that a real annotation has and no other."""
    groups = [
        {
            "id": f"G_{number}",
            "name": reader,
            "labels": [
                {"id": f"L_{number}{place}", "name": label, "scope": "STUDY", "annotationMode": None}
                for place, label in enumerate(LABELS)
            ],
        }
        for number, reader in enumerate(READERS)
    ]
    ids = {(group["name"], label["name"]): label["id"] for group in groups for label in group["labels"]}  # type: ignore[index]
    studies = {read_listing(_LISTING)[name].study: votes for name, votes in VOTES.items()}
    agreed = {"Tiger": (NEGATIVE,), "Bear": (NEGATIVE,), "Dragon": (NEGATIVE,)}
    found = [
        {"id": f"A_{reader}{study[-5:]}{number}", "parentId": None, "isImported": False,
         "createdAt": "2020-08-15T18:28:49.247Z", "createdById": "U_WOJrYO", "updatedAt": "2020-08-15T18:28:49.256Z",
         "updatedById": "U_WOJrYO", "labelId": ids[reader, label], "annotationNumber": None, "height": None,
         "width": None, "data": None, "note": None, "radlexTagIds": [], "reviewsPositiveCount": 0,
         "reviewsNegativeCount": 0, "StudyInstanceUID": study}
        for study, votes in (studies | {WITHDRAWN: agreed, UNLISTED: agreed}).items()
        for reader, labels in votes.items()
        for number, label in enumerate(labels)
    ]  # fmt: skip
    numbered = [{"StudyInstanceUID": study, "number": number} for number, study in enumerate((*studies, WITHDRAWN), 1)]
    dataset = {"id": "D_Wzde82", "name": "Dataset", "studies": numbered, "annotations": found}
    return json.dumps({"labelGroups": groups, "datasets": [dataset]})


def write_annotations(path: Path) -> None:
    """Write the annotations as MD.ai exports them."""
    path.write_text(annotations(), encoding="utf-8")


_SMALL = Collection("midrc_ricord_1c", _LISTING, ROOT, tree, _ANNOTATIONS, write_annotations, WIKI)
write_unpacked, write_packed, write_archives = _SMALL.unpacked, _SMALL.packed, _SMALL.archives
_UID = "1.2.826.0.1.3680043.10.474."
EXPECTED = {
    f"{AGREED}.tiff": Expected(
        f"{_UID}419639.268029058780754319822209542539", "419639-000002", "covid19", "test"
    ),
    f"{NO_AGE}.tiff": Expected(f"{_UID}8178258364591695665903040141015256222", "SITE2-000001", "covid19", "train"),
    f"{TWO_VIEWS}/{_UID}419639.1677644487377291826077032650.tiff": Expected(
        f"{_UID}419639.167764448737729182607703265344/{_UID}419639.1677644487377291826077032650",
        "419639-000418", "covid19", "train",
    ),
}  # fmt: skip
write = write_unpacked
