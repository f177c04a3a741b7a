"""COVID-19 Image Data Collection (ieee8023/covid-chestxray-dataset): films and slices from articles and case sites."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeVar

from covid_datasets.catalog.taxonomy import UnknownFindingError, classify
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Modality, Notice, RawFiles, Record, Sex, View

T = TypeVar("T")

_RENAMED = {
    "Patientid": "patientid",
    "year": "date",
    "country": "location",
    "notes": "clinical_notes",
    "clinical notes": "clinical_notes",
    "other notes": "other_notes",
    "wbc count": "leukocyte_count",
    "leukocyte count": "leukocyte_count",
    "neutrophil count": "neutrophil_count",
    "lymphocyte count": "lymphocyte_count",
    "pO2 saturation": "pO2_saturation",
    "needed_supplemental_o2": "needed_supplemental_O2",
}
"""Older headers of metadata.csv, back to the first one of 2020-03-02."""

_UNKNOWN = {"", "?", "Not visible", "Would have been stated", "Unclear"}
_YES_NO = {"Y": True, "N": False}
_SEX: Mapping[str, Sex] = {"F": "F", "M": "M"}
_MODALITIES: Mapping[str, Modality] = {"X-ray": "CXR", "Radiograph": "CXR", "CT": "CT"}
_VIEWS: Mapping[str, View] = {
    "PA": "PA",
    "AP": "AP",
    "AP Supine": "AP supine",
    "AP Erect": "AP erect",
    "AP erect": "AP erect",
    "AP semi erect": "AP",
    "L": "lateral",
    "Axial": "axial",
    "Coronal": "coronal",
    "Coronal CT": "coronal",
}
_MODALITY_OF_VIEW: Mapping[View | None, Modality] = {
    "PA": "CXR",
    "AP": "CXR",
    "lateral": "CXR",
    "axial": "CT",
    "coronal": "CT",
}
"""For states of the source before 2020-03-17, which have no column modality."""

_ANSWERS = {
    "RT_PCR_positive": "rt_pcr_positive",
    "intubated": "intubated",
    "intubation_present": "intubation_present",
    "in_icu": "in_icu",
    "went_icu": "went_icu",
    "needed_supplemental_O2": "needed_supplemental_o2",
    "extubated": "extubated",
}
# Column, harmonised name, and the range in which a value can be what its column says.
_NUMBERS = (
    ("temperature", "temperature_c", 30, 45),
    ("pO2_saturation", "po2_saturation_percent", 0, 100),
    ("leukocyte_count", "leukocytes_per_nl", 0, 500),
    ("neutrophil_count", "neutrophils_per_nl", 0, 100),
    ("lymphocyte_count", "lymphocytes_per_nl", 0, 100),
)
_HANNOVER = "github.com/ml-workgroup/covid-19-image-repository"

Row = dict[str, str]


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each image that the metadata lists, sorted by file name."""
    if not raw.has("metadata.csv"):
        yield from _without_metadata(raw)
        return
    table = read_csv(raw, "metadata.csv", required=("patientid", "finding", "filename"), rename=_RENAMED)
    yield from table.notices
    images: dict[str, list[Row]] = {}
    for row in table.rows:
        folder, name = row.get("folder", "").strip() or "images", row["filename"].strip()
        if not name:
            what = f"patient {row['patientid']!r}, finding {row['finding']!r}: no file name"
            yield Notice("broken row", "metadata.csv", what, dropped=True)
        elif folder == "volumes" or name.endswith((".nii", ".nii.gz")):
            what = f"patient {row['patientid']!r}: a CT volume, published as a torrent only"
            yield Notice("image not in the repository", f"{folder}/{name}", what, dropped=True)
        else:
            images.setdefault(f"{folder}/{name}", []).append(row)
    files = set(raw.paths("images/*")) | set(raw.paths("annotations/*"))
    scores: dict[str, Mapping[str, float]] = {}
    yield from _severity(raw, scores, images)
    yield from _strays(files, images)
    merged = _merged_patients(images.values())
    for path in sorted(images, key=lambda path: PurePosixPath(path).name):
        rows = images[path]
        for other in rows[1:]:
            differs = [key for key in rows[0] if rows[0][key] != other.get(key)]
            yield Notice(
                "row listed twice",
                path,
                f"one record for all its rows; they differ in {', '.join(differs) or 'nothing'}",
            )
        yield from _record(path, rows[0], merged, files, scores)


def _record(
    path: str, row: Row, merged: Mapping[str, Sequence[str]], files: set[str], scores: Mapping[str, Mapping[str, float]]
) -> Iterator[Record | Notice]:
    name = PurePosixPath(path).name
    value = _Values(row, path)
    patient, doi, url = value.text("patientid"), value.text("doi"), value.text("url")
    hannover = _HANNOVER in (url or "")
    flags = ["hannover_copy"] if hannover else []
    if hannover and "RT_PCR_positive" not in row:  # the column came with the corrected labels' generation
        flags.append("hannover_v1_label")
    label = None
    try:
        label = classify(row["finding"])
    except UnknownFindingError as error:
        flags.append("unknown_finding")
        yield Notice("unknown finding", path, str(error))
    view = value.one_of("view", _VIEWS)
    modality = value.one_of("modality", _MODALITIES) if value.text("modality") else _MODALITY_OF_VIEW.get(view)
    if modality is None:
        yield Notice("modality not stated", path, "neither modality nor view says what it is; it is null")
    mask = f"annotations/lungVAE-masks/{PurePosixPath(name).stem}_mask.png"
    ties = tuple(f"patient:{one}" for one in merged.get(patient or "", ()))
    ties = ties if patient else (f"article:{doi or url or 'unknown'}",)
    location = value.text("location")
    record = Record(
        sample_id=name,
        image=File(path),
        modality=modality,
        patient=patient,
        ties=ties,
        view=view,
        label=label,
        label_raw=row["finding"] or None,
        severity_scores=scores.get(name, {}),
        masks={"lung": File(mask)} if mask in files else {},
        sex=value.one_of("sex", _SEX),
        age=value.number("age", 0, 120),
        offset_days=value.days("offset"),
        survival=value.one_of("survival", _YES_NO),
        clinical=value.clinical(hannover),
        location=location,
        country=location.rsplit(",", 1)[-1].strip() or None if location else None,
        date=value.text("date"),
        license=value.text("license"),
        source_url=url,
        doi=doi,
        value_range="8-bit, windowed before publication",
        flags=tuple(flags),
        source_row=row,
    )
    yield from value.notices
    yield record


@dataclass(frozen=True, slots=True)
class _Values:
    """The cells of one row, harmonised; what cannot be is unknown, and goes to ``notices``."""

    row: Row
    path: str
    notices: list[Notice] = field(default_factory=list)

    def text(self, column: str) -> str | None:
        found = self.row.get(column, "").strip()
        return found if found not in _UNKNOWN else None

    def one_of(self, column: str, choices: Mapping[str, T]) -> T | None:
        found = self.text(column)
        if found is not None and found not in choices:
            self.notices.append(Notice("unknown value", self.path, f"{column} is {found!r}; left unknown"))
        return choices.get(found) if found is not None else None

    def number(self, column: str, low: float, high: float) -> float | None:
        found = self.text(column)
        if found is None:
            return None
        try:
            number = float(found)
        except ValueError:
            number = float("nan")
        if low <= number <= high:
            return number
        what = f"{column} is {found!r}, expected {low} to {high}; left unknown"
        self.notices.append(Notice("impossible value", self.path, what))
        return None

    def days(self, column: str) -> int | None:
        number = self.number(column, -36_500, 36_500)
        return int(number) if number is not None and number.is_integer() else None

    def clinical(self, hannover: bool) -> dict[str, bool | float | None]:
        """Harmonise the clinical columns; Hannover's pO2 is a pressure in mmHg, everybody else's a saturation."""
        found: dict[str, bool | float | None] = {
            name: self.one_of(column, _YES_NO) for column, name in _ANSWERS.items() if self.text(column) is not None
        }
        for column, name, low, high in _NUMBERS:
            if hannover and column == "pO2_saturation":
                name, high = "po2_mmhg", 800
            if (number := self.number(column, low, high)) is not None:
                found[name] = number
        return found


def _without_metadata(raw: RawFiles) -> Iterator[Record | Notice]:
    """Give what is left of an incomplete copy, all as one group; only a mask or a score shows that it is a film.

    That is far below the source's tolerance, so nobody gets it without having asked for an incomplete build.
    """
    yield Notice("table missing", "metadata.csv", "no labels, no patients: all images are one group")
    files = set(raw.paths("images/*")) | set(raw.paths("annotations/*"))
    scores: dict[str, Mapping[str, float]] = {}
    yield from _severity(raw, scores, {path: [] for path in files})
    for path in sorted(path for path in files if path.startswith("images/")):
        name = PurePosixPath(path).name
        mask = f"annotations/lungVAE-masks/{PurePosixPath(path).stem}_mask.png"
        film = mask in files or name in scores
        if not film:
            yield Notice("modality not stated", path, "no metadata, no mask and no score says what it is; it is null")
        yield Record(
            sample_id=name,
            image=File(path),
            modality="CXR" if film else None,
            ties=("folder:images",),
            severity_scores=scores.get(name, {}),
            masks={"lung": File(mask)} if mask in files else {},
        )


def _severity(
    raw: RawFiles, scores: dict[str, Mapping[str, float]], images: Mapping[str, list[Row]]
) -> Iterator[Notice]:
    """Read the mean scores of three raters; states of the source before June 2020 do not have them."""
    path = "annotations/covid-severity-scores.csv"
    if not raw.has(path):
        yield Notice("table missing", path, "no severity scores")
        return
    table = read_csv(raw, path, required=("filename", "geographic_mean", "opacity_mean"), comment="##")
    yield from table.notices
    for row in table.rows:
        name, value = row["filename"].strip(), _Values(row, path)
        found = {
            "geographic_extent": value.number("geographic_mean", 0, 8),
            "opacity": value.number("opacity_mean", 0, 6),
        }
        scores[name] = {score: number for score, number in found.items() if number is not None}
        yield from value.notices
        if f"images/{name}" not in images:
            yield Notice("score without an image", name, f"{path} scores an image that is not listed")


def _strays(files: set[str], images: Mapping[str, list[Row]]) -> Iterator[Notice]:
    """Tell which pictures and masks belong to no row."""
    stems = {PurePosixPath(path).stem for path in images}
    for path in sorted(files):
        if path.startswith("images/") and path not in images:
            yield Notice("file not in the table", path, "metadata.csv does not list it", dropped=True)
        if path.endswith("_mask.png") and PurePosixPath(path).stem.removesuffix("_mask") not in stems:
            yield Notice("mask without an image", path, "no listed image has this name", dropped=True)


def _merged_patients(images: Iterable[list[Row]]) -> dict[str, tuple[str, ...]]:
    """Find patient ids that share a file, so are one person: id -> every id of that person."""
    merged: dict[str, set[str]] = {}
    for rows in images:
        ids = {row["patientid"].strip() for row in rows} - _UNKNOWN
        if len(ids) > 1:
            whole = ids.union(*(merged.get(one, set()) for one in ids))
            merged |= dict.fromkeys(whole, whole)
    return {one: tuple(sorted(whole)) for one, whole in merged.items()}
