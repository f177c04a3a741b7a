"""A small COVID-19-AR: real names of some of its series, phantoms as their files, a workbook whose header is in row 2.

What the workbook says of people and studies is invented; its sheets, columns and spellings are real.
"""

from pathlib import Path

from covid_datasets.builders.covid19_ar import _LISTING, _WORKBOOK

from covid_datasets.catalog.listing import read_listing
from tests.buckets import Collection, Tree, films, slices
from tests.sources import Expected, workbook

ROOT = "https://idc-open-data.s3.amazonaws.com/"
COPY = "https://raw.githubusercontent.com/DIDSR/bias.myti.report/b33e0efa6df6c0324dc1f5cfceb1f3397f149088/data/"
INVERTED, LATERAL, LATER, TWIN, OTHER_TWIN, EARLIER, ABDOMEN, OF_THAT, BESIDE_CT = (
    "888015e1-221a-47c7-9101-fdfe62c6b314",
    "907777f3-dd01-43f6-b010-2b39e788ad5f",
    "185e912c-5a0a-42c8-870c-9473445b170b",
    "6200497d-fdcc-44b9-9841-f3b6748b901c",
    "d4ee680c-74ea-48fa-a43f-46930e67d767",
    "026f2c9d-281c-46e5-b3fa-57026e18d423",
    "a4aa750b-a195-496d-9b51-66551c685b48",
    "7858877f-1524-4ed2-b7a3-69b96bd0cfe1",
    "3b4f0d26-c66f-46f2-b562-b7e9da780e49",
)
AXIAL, CORONAL, SCOUT, PROJECTION = (
    "15dc465f-4960-4b3a-afb7-e1ce51e5be28",
    "e603625d-aa41-40ca-a0ae-9ecfcca81e49",
    "a85cb04f-079d-4552-bdf2-850df572301c",
    "ceeb38fe-23d5-4a52-9d3a-1826f168484a",
)
PEOPLE_HEADER = (
    "PATIENT_ID", "AGE", "SEX", "RACE", "ZIP", "LATEST_BMI", "LATEST WEIGHT", "LATEST HEIGHT", "TUBERCULOSIS",
    "SYSTEMIC LUPUS ERYTHMATOSUS", "RHEUMATOID ARTHRITIS", "EXTENSIVE BURNS", "ASPLENIA", "HYPOSPLENIA", "MEASLES",
    "CYTOMEGALOVIRUS", "CHICKEN POX", "HERPES ZOSTER", "MALNUTRITION", "CURRENT PREGNANT", "CHRONIC KIDNEY DISEASE",
    "DIABETES TYPE I", "DIABETES TYPE II", "TRANSPLANT", "HEMODIALYSIS Pre Diagnosis", "HEMODIALYSIS Post diagnosis",
    "CANCER", "COVID TEST POSITIVE", "TEST NAME", "ICU Admit", "# ICU admits", "MORTALITY",
)  # fmt: skip
YES_OR_NO = PEOPLE_HEADER[8:27]
PEOPLE: dict[str, dict[str, object]] = {
    "COVID-19-AR-16406513": {"AGE": 44, "SEX": "M", "RACE": "BLACK OR AFRICAN AMERICAN", "ZIP": 722,
                             "LATEST_BMI": 33.3, "LATEST WEIGHT": 190, "LATEST HEIGHT": "5' 5\"", "CANCER": "Y",
                             "DIABETES TYPE II": "Y", "ICU Admit": "Y", "# ICU admits": 1, "MORTALITY": "Y"},
    "COVID-19-AR-16406508": {"AGE": 65, "SEX": "F", "RACE": "NATIVE HAWAIIAN OR OTHER PACIFIC ISLANDER", "ZIP": 720,
                             "LATEST_BMI": "NULL", "LATEST WEIGHT": "NULL", "LATEST HEIGHT": "NULL",
                             "TEST NAME": "NULL"},
    "COVID-19-AR-16424111": {"AGE": 64, "SEX": "M", "RACE": "WHITE", "ZIP": 716, "LATEST_BMI": 21.11,
                             "LATEST WEIGHT": 155, "LATEST HEIGHT": "6' 0\"", "HEMODIALYSIS Post diagnosis": "Y",
                             "CHRONIC KIDNEY DISEASE": "Y", "MALNUTRITION": "Y"},
    "COVID-19-AR-16424071": {"AGE": 91, "SEX": "M", "RACE": "OTHER", "ZIP": 721, "LATEST_BMI": 30,
                             "LATEST WEIGHT": 228, "LATEST HEIGHT": "5' 11\""},
}  # fmt: skip
STUDIES_HEADER = (
    "patient_id", "Diag to img study (days)", "Diagnosis to Imaging time (hrs)", "Image Study Description",
    "study modality", "FIO2 @ time of img study", "Radiologist KEY FINDINGS",
)  # fmt: skip
STUDIES: tuple[tuple[object, ...], ...] = (
    ("COVID-19-AR-16406513", -1, -20, "XR CHEST PA AND LATERAL", "CR,DX", "NULL", " patchy  opacities  "),
    ("COVID-19-AR-16406513", 0, 3, "CT PE CHEST", "CT", "NULL", "Ground glass"),
    ("COVID-19-AR-16406513", 1, 27, "XR CHEST AP PORTABLE", "DX", 40, "Worse"),
    ("COVID-19-AR-16406508", 3, 71, "XR CHEST AP PORTABLE", "DX", "NULL", "The lungs are clear"),
    ("COVID-19-AR-16406508", 20, 470, "XR CHEST AP PORTABLE", "DX", "NULL", "A tube was placed"),
    ("COVID-19-AR-16406508", 20, 482, "XR CHEST AP PORTABLE", "DX", 80, "Unchanged"),
    ("COVID-19-AR-16424111", 0, 15, "XR ACUTE ABDOMINAL SERIES W PA CHEST PORTABLE", "DX", "NULL", "No free air"),
    ("COVID-19-AR-16424071", 5, 120, "XR CHEST AP PORTABLE", "CR,", "NULL", "Low volumes"),
    ("COVID-19-AR-16424071", 5, 122, "CT PE CHEST", "CT", "NULL", "No embolus"),
)


def tree() -> Tree:
    """Make films of each kind, and CT in three planes with a scout."""
    listing = read_listing(_LISTING)
    found = {name: films(listing[name], ViewPosition=None) for name in (LATERAL, OF_THAT)}
    found[INVERTED] = films(listing[INVERTED], PhotometricInterpretation="MONOCHROME1", ViewPosition="PA")
    found |= {name: films(listing[name]) for name in (LATER, TWIN, OTHER_TWIN, EARLIER, ABDOMEN, BESIDE_CT)}
    found[AXIAL] = slices(listing[AXIAL], 5, PixelRepresentation=0)
    found[CORONAL] = slices(listing[CORONAL], 5, coronal=True, ImageType=["DERIVED", "SECONDARY", "REFORMATTED"])
    found[SCOUT] = slices(listing[SCOUT], 2, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    found[PROJECTION] = slices(listing[PROJECTION], 5, coronal=True)
    return {name: found[name] for name in listing if name in found}


def write_workbook(path: Path) -> None:
    """Write both sheets: above the names of columns is a row with the one word over a part of them, or none."""
    plain: dict[str, object] = dict.fromkeys(YES_OR_NO, "N") | {
        "COVID TEST POSITIVE": "Y", "TEST NAME": "SARS-CoV-2 (COVID-19)", "ICU Admit": "N", "# ICU admits": 0,
        "MORTALITY": "N",
    }  # fmt: skip
    said_of = [plain | {"PATIENT_ID": patient} | said for patient, said in PEOPLE.items()]
    people = [[of[name] for name in PEOPLE_HEADER] for of in said_of]
    above = [None] * 11 + ["COMORBIDITIES"] + [None] * 20
    path.parent.mkdir(parents=True, exist_ok=True)
    sheets = {"Patient Data": [above, PEOPLE_HEADER, *people], "Imaging Studies": [[], STUDIES_HEADER, *STUDIES]}
    path.write_bytes(workbook(sheets))


_SMALL = Collection("covid_19_ar", _LISTING, ROOT, tree, _WORKBOOK, write_workbook, f"{COPY}{_WORKBOOK}")
write_unpacked, write_packed, write_archives = _SMALL.unpacked, _SMALL.packed, _SMALL.archives
_UID = "1.3.6.1.4.1.14519.5.2.1.9999.103."
EXPECTED = {
    f"{LATER}.tiff": Expected(f"{_UID}1905140888179710937926432803522", "COVID-19-AR-16406513", "covid19", "train"),
    f"{TWIN}.tiff": Expected(f"{_UID}8410024380799536861169439627079", "COVID-19-AR-16406508", "covid19", "test"),
    f"{ABDOMEN}.tiff": Expected(f"{_UID}1534165806190198369962576451363", "COVID-19-AR-16424111", "covid19", "train"),
}
write = write_unpacked
