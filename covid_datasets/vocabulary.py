"""The words and measures that harmonised samples are told in: what a builder may say, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Modality = Literal["CT", "CXR", "US", "MR", "EEG", "PET"]
View = Literal["PA", "AP", "AP supine", "AP erect", "lateral", "axial", "coronal", "sagittal"]
Sex = Literal["F", "M"]
Smoking = Literal["never", "former", "current"]
BloodType = Literal["A", "B", "AB", "O", "A+", "A-", "B+", "B-", "AB+", "AB-", "O+", "O-"]
Race = Literal[
    "white",
    "black",
    "asian",
    "american_indian_or_alaska_native",
    "native_hawaiian_or_pacific_islander",
    "multiple",
    "other",
]
Ethnicity = Literal["hispanic_or_latino", "not_hispanic_or_latino"]
Outcome = Literal["recovered", "discharged", "hospitalised", "transferred", "isolated", "died"]
Symptom = Literal[
    "fever",
    "chills",
    "cough",
    "sputum",
    "hemoptysis",
    "dyspnea",
    "chest_pain",
    "sore_throat",
    "rhinorrhea",
    "anosmia",
    "ageusia",
    "headache",
    "confusion",
    "fatigue",
    "myalgia",
    "nausea",
    "vomiting",
    "diarrhea",
    "abdominal_pain",
    "other",
]
Comorbidity = Literal[
    "hypertension",
    "coronary_artery_disease",
    "heart_failure",
    "other_heart_disease",
    "stroke",
    "diabetes",
    "obesity",
    "dyslipidemia",
    "copd",
    "asthma",
    "other_lung_disease",
    "chronic_kidney_disease",
    "liver_disease",
    "cancer",
    "transplant",
    "immunosuppression",
    "hiv",
    "dementia",
    "other",
]
Treatment = Literal[
    "antibiotic",
    "antiviral",
    "interferon",
    "hydroxychloroquine",
    "corticosteroid",
    "tocilizumab",
    "immunoglobulin",
    "convalescent_plasma",
    "anticoagulant",
    "oxygen",
    "non_invasive_ventilation",
    "mechanical_ventilation",
    "ecmo",
    "dialysis",
    "other",
]
VOCABULARIES: Mapping[str, tuple[str, ...]] = {
    "modality": get_args(Modality),
    "view": get_args(View),
    "sex": get_args(Sex),
    "smoking": get_args(Smoking),
    "blood_type": get_args(BloodType),
    "race": get_args(Race),
    "ethnicity": get_args(Ethnicity),
    "outcome": get_args(Outcome),
    "symptoms": get_args(Symptom),
    "comorbidities": get_args(Comorbidity),
    "treatments": get_args(Treatment),
}
"""Columns that hold words of a list, and these words; new words go to the end of a list, and none ever leaves it."""

MASKS = (
    "lung",
    "infection",
    "left_lung",
    "right_lung",
    "ground_glass",
    "consolidation",
    "effusion",
    "heart",
)
"""What a mask may show; new names go to the end."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A clinical value: its type, and the range in which a number can be what its name says.

    A range is what a living person may have, not what is healthy: it tells slips of units and columns apart.
    """

    type: Literal["bool", "float64"] = "bool"
    low: float = 0
    high: float = 1

    def fits(self, value: object) -> bool:
        """Tell whether a value has the type and lies in the range.

        >>> CLINICAL["temperature_c"].fits(38.5), CLINICAL["temperature_c"].fits(101.3), CLINICAL["in_icu"].fits(1)
        (True, False, False)
        """
        if self.type == "bool" or isinstance(value, bool):
            return self.type == "bool" and isinstance(value, bool)
        return isinstance(value, int | float) and self.low <= value <= self.high

    def __str__(self) -> str:
        """Say what is expected."""
        return "true, false or None" if self.type == "bool" else f"a number from {self.low} to {self.high} or None"


CLINICAL = {
    "rt_pcr_positive": Measure(),
    "intubated": Measure(),
    "intubation_present": Measure(),
    "in_icu": Measure(),
    "went_icu": Measure(),
    "needed_supplemental_o2": Measure(),
    "extubated": Measure(),
    "temperature_c": Measure("float64", 30, 45),
    "po2_saturation_percent": Measure("float64", 0, 100),
    "po2_mmhg": Measure("float64", 0, 800),
    "leukocytes_per_nl": Measure("float64", 0, 500),
    "neutrophils_per_nl": Measure("float64", 0, 100),
    "lymphocytes_per_nl": Measure("float64", 0, 100),
    "crp_mg_per_l": Measure("float64", 0, 1_000),
    "d_dimer_mg_per_l": Measure("float64", 0, 1_000),
    "ldh_u_per_l": Measure("float64", 0, 50_000),
    "pco2_mmhg": Measure("float64", 0, 300),
    "heart_rate_per_min": Measure("float64", 10, 300),
    "respiratory_rate_per_min": Measure("float64", 3, 100),
    "systolic_mmhg": Measure("float64", 30, 300),
    "diastolic_mmhg": Measure("float64", 10, 200),
    "height_cm": Measure("float64", 30, 250),
    "weight_kg": Measure("float64", 1, 400),
    "bmi_kg_per_m2": Measure("float64", 5, 150),
}
"""Clinical values by name, with type and plausible range; the unit is in the name."""
