"""A synthetic chest cohort, made on the spot: CT slices and X-rays with exact masks, and planted duplicates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from covid_datasets.phantoms.chest import draw, faint_picture, picture, series_picture
from covid_datasets.schema import Made, Notice, RawFiles, Record
from covid_datasets.vocabulary import Modality, Smoking, Symptom

_LABELS = (("covid19", "COVID-19"), ("no_finding", "No Finding"), ("bacterial_pneumonia", "Bacterial pneumonia"))
# One patient: the study, what it shows, and how many pictures. The second study is some days later.
_STUDIES: tuple[tuple[int, Modality, int], ...] = ((1, "CT", 4), (1, "CXR", 1), (2, "CT", 1), (2, "CXR", 1))
_SEVERITIES = ("mild", "moderate", "severe")
_SYMPTOMS: tuple[Symptom, ...] = ("fever", "cough", "dyspnea", "fatigue", "anosmia")
_SMOKING: tuple[Smoking, ...] = ("never", "former", "current")


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield the pictures of ``options["patients"]`` patients, by id: seven each, four faint ones, or a series."""
    patients, seed = int(raw.options.get("patients", 24)), int(raw.options.get("seed", 0))
    for patient in range(patients):
        if raw.options.get("faint"):
            yield from (_faint(seed, patient, index) for index in range(4))
            continue
        if slices := int(raw.options.get("slices", 0)):
            yield from (_of_series(seed, patient, index, slices) for index in range(slices))
            continue
        for study, modality, count in _STUDIES:
            for index in range(count):
                yield _record(seed, patient, patients, study, modality, index)


def _record(seed: int, patient: int, patients: int, study: int, modality: Modality, index: int) -> Record:
    label, label_raw = _LABELS[patient % 3]
    name = f"P{patient:05d}-S{study}-{modality}-{index}"
    planted, shown = "", patient
    if patients >= 6 and patient >= patients - 2 and (study, modality, index) == (1, "CT", 0):
        # The first three patients lend their picture to the last two, whose label is the same.
        planted, shown = ("exact" if patient == patients - 1 else "near"), patient % 3
    recipe = (seed, shown, study, modality, index, planted == "near")
    row: Mapping[str, Any] = {
        "patient": patient,
        "study": study,
        "slice": index,
        "planted": f"{planted} duplicate of P{shown:05d}-S{study}-{modality}-{index}" if planted else "",
    }
    return Record(
        sample_id=name,
        image=Made(f"{name}.png", picture, (*recipe, "image")),
        modality=modality,
        patient=f"P{patient:05d}",
        study=f"P{patient:05d}-S{study}",
        view="axial" if modality == "CT" else "PA",
        label=label,
        label_raw=label_raw,
        severity=None if label == "no_finding" else _SEVERITIES[draw(seed, patient, "severity", 0, 2)],
        masks={layer: Made(f"{name}_{layer}.png", picture, (*recipe, layer)) for layer in ("lung", "infection")},
        sex="F" if draw(seed, patient, "sex", 0, 1) else "M",
        age=float(draw(seed, patient, "age", 18, 92)),
        offset_days=draw(seed, patient, "offset", 0, 6) + (study - 1) * draw(seed, patient, "interval", 3, 14),
        symptoms=() if label == "no_finding" else _SYMPTOMS[: draw(seed, patient, "symptoms", 1, len(_SYMPTOMS))],
        smoking=_SMOKING[draw(seed, patient, "smoking", 0, 2)],
        clinical={"temperature_c": draw(seed, patient, "temperature", 362, 392) / 10},
        kvp=120.0 if modality == "CT" else None,
        slice_thickness_mm=float(draw(seed, patient, "thickness", 1, 5)) if modality == "CT" else None,
        value_range="8-bit, synthetic",
        license="CC0-1.0",
        source_row=row,
    )


def _faint(seed: int, patient: int, index: int) -> Record:
    """Describe a CT slice of a patient of whom nothing is known but the disease."""
    label, label_raw = _LABELS[patient % 3]
    name = f"F{patient:05d}-{index}"
    recipe = (seed, patient, index)
    return Record(
        sample_id=name,
        image=Made(f"{name}.png", faint_picture, (*recipe, "image")),
        modality="CT",
        patient=f"F{patient:05d}",
        study=f"F{patient:05d}-S1",
        view="axial",
        label=label,
        label_raw=label_raw,
        masks={layer: Made(f"{name}_{layer}.png", faint_picture, (*recipe, layer)) for layer in ("lung", "infection")},
        value_range="8-bit, synthetic",
        license="CC0-1.0",
        source_row={"patient": patient, "study": 1, "slice": index, "planted": ""},
    )


def _of_series(seed: int, patient: int, index: int, slices: int) -> Record:
    """Describe a slice of a series of a patient, of which two slices side by side show what there is of disease."""
    label, label_raw = _LABELS[patient % 3]
    name = f"V{patient:05d}-{index:02d}"
    ill = index - draw(seed, patient, "ill", 0, slices - 2) in (0, 1) and label != "no_finding"
    recipe = (seed, patient, index, index * 4 // slices, ill)
    return Record(
        sample_id=name,
        image=Made(f"{name}.png", series_picture, (*recipe, "image")),
        modality="CT",
        patient=f"V{patient:05d}",
        study=f"V{patient:05d}-S1",
        series=f"V{patient:05d}-S1",
        part_index=index,
        view="axial",
        label=label,
        label_raw=label_raw,
        masks={layer: Made(f"{name}_{layer}.png", series_picture, (*recipe, layer)) for layer in ("lung", "infection")},
        value_range="8-bit, synthetic",
        license="CC0-1.0",
        source_row={"patient": patient, "study": 1, "slice": index, "planted": "", "ill": ill},
    )
