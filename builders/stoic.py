"""STOIC2021: chest CT volumes (MetaImage) of people who were tested for COVID-19 in France, and how it went on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from covid_datasets.errors import DamagedFileError
from covid_datasets.read import metaimage
from covid_datasets.read.cells import Cells
from covid_datasets.read.made import volume_as_nifti
from covid_datasets.read.rows import not_in, rows_by
from covid_datasets.read.slices import axial_slices
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import Notice, Parts, RawFiles, Record
from covid_datasets.vocabulary import Sex

_REFERENCE = "metadata/reference.csv"
_COLUMNS = ("PatientID", "probCOVID", "probSevere")
_LABELS = {"1": "covid19", "0": "not_covid19"}
_SEVERITY = {"1": "severe", "0": "not severe"}
_SEX: Mapping[str, Sex] = {"F": "F", "M": "M"}
_EXPANSION = {True: 2.2, False: 1.0}
"""How much larger voxels of a chest CT are than what zlib makes of them at its quickest level."""


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each volume that the table lists, sorted by its number."""
    table = read_csv(raw, _REFERENCE, required=_COLUMNS)
    rows, notices = rows_by(table.rows, lambda row: row["PatientID"].strip(), _REFERENCE)
    yield from (*table.notices, *notices)
    paths = {f"data/mha/{patient}.mha": patient for patient in rows}
    present = raw.sizes()
    yield from not_in(_REFERENCE, (path for path in sorted(present) if path.endswith(".mha")), paths)
    for path in sorted(paths):
        said: Mapping[str, str] = {}
        if path in present:
            try:
                said = metaimage.said(raw, path)
            except DamagedFileError as error:
                yield Notice("header not readable", path, f"age and sex are not known: {error}")
        row = {name: rows[paths[path]][0][name] for name in _COLUMNS}
        row |= {name: said[name] for name in ("PatientAge", "PatientSex") if name in said}
        cells = Cells(row, path)
        record = _record(path, cells, said.get("CompressedData", "")[:1] in "Tt1", bool(raw.options["slices"]))
        yield from cells.notices
        yield record


def _record(path: str, cells: Cells, packed: bool, slices: bool) -> Record:
    label, severity = cells.one_of("probCOVID", _LABELS), cells.one_of("probSevere", _SEVERITY)
    if label != "covid19" and severity == "severe":
        cells.doubt("severe without a positive test", "probSevere is 1 and probCOVID is not; the severity is null")
        cells.flags.append("severe_without_positive_test")
    sex = cells.one_of("PatientSex", _SEX) if "PatientSex" in cells.row else None
    age = cells.value("PatientAge", _years) if "PatientAge" in cells.row else None
    patient, larger = path.rpartition("/")[2].removesuffix(".mha"), _EXPANSION[packed]
    return Record(
        sample_id=patient,
        image=Parts(path, axial_slices, (path,), (path,), larger) if slices else None,
        volume=None if slices else volume_as_nifti(path, expansion=larger),
        modality="CT",
        patient=patient,
        study=patient,
        series=patient,
        view="axial" if slices else None,
        label=label,
        label_raw=cells.text("probCOVID"),
        severity=severity if label == "covid19" else None,
        sex=sex,
        age=age,
        clinical={"rt_pcr_positive": None if label is None else label == "covid19"},
        country="France",
        license="CC BY-NC 4.0",
        doi="10.1148/radiol.2021210384",
        value_range="signed 16-bit, as stored; readers take them as Hounsfield units" if slices else None,
        flags=tuple(cells.flags),
        source_row=cells.row,
    )


def _years(text: str) -> float:
    """Read an age as DICOM writes it, ``065Y``, or without its unit."""
    if not (match := re.fullmatch(r"([0-9]{1,3})Y?", text.strip())) or int(match[1]) > 120:
        raise ValueError("expected an age such as 065Y")
    return float(match[1])
