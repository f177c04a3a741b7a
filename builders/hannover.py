"""COVID-19 Image Repository (Hannover Medical School): chest films of cases, labs, and stays in days.

The films are PNG with equalised contrast or, in another config, the raw ones out of NIfTI files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from covid_datasets.read.cells import Cells
from covid_datasets.read.only_picture import only_picture
from covid_datasets.read.rows import contradictions, not_in, rows_by
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Notice, Parts, RawFiles, Record
from covid_datasets.vocabulary import Sex, View

_SEX: Mapping[str, Sex] = {"f": "F", "m": "M"}
_VIEWS: Mapping[str, View] = {"ap": "AP", "pa": "PA"}
_OFFSETS = ("admission_offset", "icu_admission_offset", "icu_release_offset", "death_offset")
_LABS = {
    "crp_val": "crp_mg_per_l",
    "d-dimer_val": "d_dimer_mg_per_l",
    "ldh_val": "ldh_u_per_l",
    "lymphocytes_val": "lymphocytes_per_nl",
    "neutrophils_val": "neutrophils_per_nl",
    "pco2_val": "pco2_mmhg",
    "po2_val": "po2_mmhg",
}
"""Column -> harmonised name. ``factor_xii_val`` stays in source_row: the readme says that it is another factor."""
_BEYOND = {"inf": "lab_above_detection", "-inf": "lab_below_detection"}
"""Beyond the limits of detection there is no number, but a flag, and the side in source_row."""
_LONGEST_STAY = 3650
_WRONG_DATES = "2020-05-12"


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each film that the table lists, sorted by its id."""
    columns = ("patient_id", "image_id", "sex", "modality", "projection", *_OFFSETS, *_LABS)
    table = read_csv(raw, "data.csv", required=columns)
    yield from table.notices
    rows, notices = rows_by(table.rows, lambda row: row["image_id"] and f"png/{row['image_id']}.png", "data.csv")
    yield from notices
    yield from contradictions(table.rows, "patient_id", "sex", "patient with several sexes")
    nifti = bool(raw.options.get("nifti"))
    files = raw.paths("*.nii*" if nifti else "png/*")
    if nifti and (pictures := raw.paths("png/*")):
        yield Notice("left to another config", "png/", "films with equalised contrast", count=len(pictures))
    shown = {_film(path): path for path in files}
    yield from not_in("data.csv", files, {shown[film] for film in rows if film in shown})
    for path in sorted(rows):
        cells, labs = Cells(rows[path][0], path), Cells(rows[path][0], path, unknown=_BEYOND)
        if raw.version == _WRONG_DATES:
            cells.flags.append("dates_before_erratum")
        record = _record(path, cells, labs)
        yield from (*cells.notices, *labs.notices)
        yield _with_raw_film(record, shown.get(path)) if nifti else record


def _film(path: str) -> str:
    """Name the film of a file: what is proven of a film, such as that ``cohen`` has it too, holds in every config."""
    return f"png/{PurePosixPath(path).name.split('.')[0]}.png"


def _with_raw_film(record: Record, path: str | None) -> Record:
    path = path or f"{record.sample_id.removesuffix('.png')}.nii.gz"
    return replace(record, image=Parts(path, only_picture, (path,), (path,), 2.0), value_range=None)


def _record(path: str, cells: Cells, labs: Cells) -> Record:
    admission, icu, release, death = (cells.days(column, _LONGEST_STAY) for column in _OFFSETS)
    cells.flags += [_BEYOND[found] for column in _LABS if (found := cells.row[column].strip()) in _BEYOND]
    cells.one_of("modality", {"CR": "CXR", "DX": "CXR"})
    if admission is not None and admission > 0:
        cells.flags.append("pre_admission")
    if admission is not None and icu is not None and icu < admission:
        cells.flags.append("icu_before_admission")
    # On the day of a transfer nobody knows which came first, the film or the bed.
    in_icu = icu < 0 < release if icu and release else None
    patient = cells.text("patient_id")
    return Record(
        sample_id=PurePosixPath(path).name,
        image=File(path),
        modality="CXR",
        patient=patient,
        ties=() if patient else ("table:rows without a patient",),
        view=cells.one_of("projection", _VIEWS),
        label="covid19",  # nobody else is in this repository
        sex=cells.one_of("sex", _SEX),
        offset_days=None if admission is None else -admission,
        survival=None if death is None else False,
        clinical={
            **dict.fromkeys(_LABS.values()),
            **labs.clinical(_LABS),
            "went_icu": None if icu is None else True,
            "in_icu": in_icu,
        },
        location="Hannover Medical School, Hannover, Germany",
        country="Germany",
        license="CC BY 3.0",
        doi="10.6084/m9.figshare.12275009",
        value_range="8-bit, local contrast equalised before publication",
        flags=tuple(dict.fromkeys(cells.flags)),
        source_row=cells.row,
    )
