"""COVID-19 Image Repository (Hannover Medical School): chest films of cases, with stays and labs as days from the film.

Longer than most builders because each cell of a stay or a lab is checked, and what it cannot be is said.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Notice, RawFiles, Record, Sex, View

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
_LONGEST_STAY = 3650
_WRONG_DATES = "2020-05-12"

Row = Mapping[str, str]


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each film that the table lists, sorted by its id."""
    columns = ("patient_id", "image_id", "sex", "modality", "projection", *_OFFSETS, *_LABS)
    table = read_csv(raw, "data.csv", required=columns)
    yield from table.notices
    rows: dict[str, Row] = {}
    sexes: dict[str, set[str]] = defaultdict(set)
    for row in table.rows:
        path = f"png/{row['image_id']}.png"
        if not row["image_id"]:
            yield Notice("broken row", "data.csv", f"patient {row['patient_id']!r}: no image id", dropped=True)
        elif rows.setdefault(path, row) is not row:
            yield Notice("row listed twice", path, f"the first row is kept, this one is not: {row}", dropped=True)
        sexes[row["patient_id"]].add(row["sex"])
    for patient, found in sorted(sexes.items()):
        if patient and len(found) > 1:
            what = f"the rows of one id say {', '.join(map(repr, sorted(found)))}; each keeps what it says"
            yield Notice("patient with several sexes", patient, what)
    for path in raw.paths("png/*"):
        if path not in rows:
            yield Notice("file not in the table", path, "data.csv does not list it", dropped=True)
    for path in sorted(rows):
        yield from _record(path, rows[path], ["dates_before_erratum"] if raw.version == _WRONG_DATES else [])


def _record(path: str, row: Row, flags: list[str]) -> Iterator[Record | Notice]:
    wrong: list[str] = []
    admission, icu, release, death = (_days(row, column, wrong) for column in _OFFSETS)
    labs = {name: _lab(row, column, wrong, flags) for column, name in _LABS.items()}
    for column, known in (("sex", _SEX), ("projection", _VIEWS), ("modality", ("CR", "DX"))):
        if row[column] and row[column] not in known:
            wrong.append(f"{column} is {row[column]!r}, expected {' or '.join(known)}")
    if admission is not None and admission > 0:
        flags.append("pre_admission")
    if admission is not None and icu is not None and icu < admission:
        flags.append("icu_before_admission")
    # On the day of a transfer nobody knows which came first, the film or the bed.
    in_icu = icu < 0 < release if icu and release else None
    yield from (Notice("unknown value", path, f"{what}; left unknown") for what in wrong)
    yield Record(
        sample_id=PurePosixPath(path).name,
        image=File(path),
        modality="CXR",
        patient=row["patient_id"].strip() or None,
        ties=() if row["patient_id"].strip() else ("table:rows without a patient",),
        view=_VIEWS.get(row["projection"]),
        label="covid19",  # nobody else is in this repository
        sex=_SEX.get(row["sex"]),
        offset_days=None if admission is None else -admission,
        survival=None if death is None else False,
        clinical={**labs, "went_icu": None if icu is None else True, "in_icu": in_icu},
        location="Hannover Medical School, Hannover, Germany",
        country="Germany",
        license="CC BY 3.0",
        doi="10.6084/m9.figshare.12275009",
        value_range="8-bit, local contrast equalised before publication",
        flags=tuple(dict.fromkeys(flags)),
        source_row=row,
    )


def _days(row: Row, column: str, wrong: list[str]) -> int | None:
    number = _number(row[column])
    if number is not None and abs(number) <= _LONGEST_STAY and number.is_integer():
        return int(number)
    if row[column]:
        wrong.append(f"{column} is {row[column]!r}, expected whole days")
    return None


def _lab(row: Row, column: str, wrong: list[str], flags: list[str]) -> float | None:
    """Read a value; beyond the limits of detection there is no number, but a flag, and the side in source_row."""
    number = _number(row[column])
    if number is not None and math.isinf(number):
        flags.append("lab_above_detection" if number > 0 else "lab_below_detection")
    elif number is not None and number >= 0:
        return number
    elif row[column]:
        wrong.append(f"{column} is {row[column]!r}, expected a number from 0, inf or -inf")
    return None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number
