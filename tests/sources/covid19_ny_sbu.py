"""A small COVID-19-NY-SBU: real names of some of its series, phantoms as their files, and the table with all its columns.

What the table says of people is invented; its columns, words and doubled column are real.
"""

from pathlib import Path

from covid_datasets.builders.covid19_ny_sbu import _SODIUM, _TABLE
from pydicom.dataset import Dataset

from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.listing import read_listing
from tests.buckets import Collection, Tree, file_name, film, films, of_series, slices
from tests.sources import Expected, write_table

LISTING = "covid19_ny_sbu.tsv.gz"
ROOT = "https://idc-open-data.s3.amazonaws.com/"
COPY = "https://raw.githubusercontent.com/DIDSR/bias.myti.report/b33e0efa6df6c0324dc1f5cfceb1f3397f149088/data/"
FIRST, PROCESSED, SAMPLED, ITS_COPY, THIRD, DOUBTED, KIDNEY = (
    "78cea39b-3e78-4d19-ad48-d7e2438be67c",
    "da84b6f1-9f89-4a0b-807a-cc0cd03153f8",
    "9a974088-0217-4585-ac6a-9cf3e237c542",
    "5e071552-771f-4535-b4c4-76654c182819",
    "04e0fb25-5fa2-4680-a886-8d06403950b2",
    "45bcf36f-7ef3-4dc4-aea5-3bf5b3218349",
    "6187a06c-548a-4fdf-a8d4-d67b500f93b3",
)
AXIAL, CORONAL, PROJECTION, PELVIS = (
    "00525a22-58ac-483e-8ffe-8db9169864ed",
    "fa7bc19c-888d-4a19-8726-a20e44324a23",
    "43e84426-9fcd-4268-b236-8b06410d8013",
    "8ab109f1-bfaf-41b6-8d84-f0d200053426",
)
MADE_OF = {PROCESSED: FIRST, ITS_COPY: SAMPLED}
PEOPLE: dict[str, dict[str, str]] = {
    "A000801": {"gender_concept_name": "MALE", "last.status": "deceased", "is_icu": "TRUE", "was_ventilated": "Yes",
                "invasive_vent_days": "12", "kidney_replacement_therapy": "Yes", "htn_v": "Yes", "hf_ef_v": "HFpEF",
                "smoking_status_v": "Former", "therapeutic.heparin.Boolean": "TRUE",
                "76282-3_Heart rate.beat-to-beat by EKG": "6", "BMI.over30": "TRUE"},
    "A000936": {"gender_concept_name": "NA", "cough_v": "NA", "dyspnea_admission_v": "NA", "nausea_v": "NA",
                "vomiting_v": "NA", "diarrhea_v": "NA", "abdominal_pain_v": "NA", "fever_v": "NA"},
    "A001375": {"gender_concept_name": "FEMALE", "cough_v": "Yes", "fever_v": "Yes", "smoking_status_v": "Never"},
    "A206095": {"gender_concept_name": "FEMALE", "visit_start_datetime": "12/28/1900"},
    "A096081": {"gender_concept_name": "MALE"},
    "A002279": {"gender_concept_name": "MALE", "age.splits": "(59,74]"},
    "A002304": {"gender_concept_name": "MALE", "Other.anticoagulation.therapy": "apixaban"},
}  # fmt: skip


def tree() -> Tree:
    """Make films, some of which were made of another one, and CT in two planes."""
    listing = read_listing(LISTING)
    found = {name: films(listing[name]) for name in (FIRST, SAMPLED, THIRD, DOUBTED, KIDNEY)}
    for name, first in MADE_OF.items():
        other = Dataset()
        other.ReferencedSOPClassUID = listing[first].row["SOPClassUID"]
        other.ReferencedSOPInstanceUID = of_series(listing[first], 0)["SOPInstanceUID"]
        found[name] = {file_name(listing[name], 0): film(listing[name], ReferencedImageSequence=[other])}
    found[AXIAL] = slices(listing[AXIAL], 5)
    found |= {name: slices(listing[name], 4, coronal=True) for name in (CORONAL, PROJECTION)}
    found[PELVIS] = slices(listing[PELVIS], 5)
    return {name: found[name] for name in listing if name in found}


def plain(name: str, kind: str) -> str:
    """Say what a column holds of somebody of whom nothing special is told."""
    special = {"covid19_statuses": "positive", "last.status": "discharged", "age.splits": "[18,59]",
               "visit_start_datetime": "1/1/1901", "visit_concept_name": "Inpatient Visit", "Urine.protein": "NA",
               "smoking_status_v": "NA", "hf_ef_v": "No", "Other.anticoagulation.therapy": "not documented",
               "invasive_vent_days": "NA", "kidney_replacement_therapy": "NA", "kidney_transplant": "NA",
               "8331-1_Oral temperature": "36.8", "9279-1_Respiratory rate": "18", _SODIUM: "138",
               "76282-3_Heart rate.beat-to-beat by EKG": "98", "8480-6_Systolic blood pressure": "127",
               "59408-5_Oxygen saturation in Arterial blood by Pulse oximetry": "96"}  # fmt: skip
    if name in special:
        return special[name]
    words = ("FALSE", "No") if kind == "bool" else ("NA", "NA")
    return words[name.endswith(("_v", "hospitalization.")) or name == "was_ventilated"]


def write_people(path: Path) -> None:
    """Write the table; the second column of sodium is where it is in the real one."""
    columns = load_card("covid19_ny_sbu").choice(config="patients").columns
    rows = [
        {name: plain(name, kind) for name, kind in columns.items()} | {"to_patient_id": patient} | said
        for patient, said in PEOPLE.items()
    ]
    header = [*columns]
    header.insert(114, f"{_SODIUM}.1")
    body = [[row[name.removesuffix(".1") if name not in columns else name] for name in header] for row in rows]
    write_table(path, header, body)


_SMALL = Collection("covid_19_ny_sbu", LISTING, ROOT, tree, _TABLE, write_people, f"{COPY}{_TABLE}")
write_unpacked, write_packed, write_archives = _SMALL.unpacked, _SMALL.packed, _SMALL.archives
_UID = "1.3.6.1.4.1.14519.5.2.1.99.1071."
EXPECTED = {
    f"{FIRST}.tiff": Expected(f"{_UID}11932427966520600842104275399857", "A000801", "covid19", "train"),
    f"{SAMPLED}.tiff": Expected(f"{_UID}23753763427751592049731220986776", "A000936", "covid19", "train"),
    f"{DOUBTED}.tiff": Expected(f"{_UID}75066565037357355501993828199066", "A206095", "covid19", "train"),
}
write = write_unpacked
