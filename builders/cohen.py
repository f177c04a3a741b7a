"""COVID-19 Image Data Collection (ieee8023/covid-chestxray-dataset): films and slices from articles and case sites."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from covid_datasets.catalog.cards import load_card
from covid_datasets.read.cells import Cells
from covid_datasets.read.rows import Row, ids_of_one, not_in, rows_by
from covid_datasets.read.scores import Scores, read_scores
from covid_datasets.read.tables import read_csv
from covid_datasets.schema import File, Notice, RawFiles, Record
from covid_datasets.vocabulary import Modality, Sex, View

_SCORES = "annotations/covid-severity-scores.csv"
_RATED = {"geographic_extent": ("geographic_mean", 8.0), "opacity": ("opacity_mean", 6.0)}
_UNKNOWN = ("?", "Not visible", "Would have been stated", "Unclear")
_YES_NO = {"Y": True, "N": False}
_SEX: Mapping[str, Sex] = {"F": "F", "M": "M"}
_MODALITIES: Mapping[str, Modality] = {"X-ray": "CXR", "Radiograph": "CXR", "CT": "CT"}
_VIEWS: Mapping[str, View] = {
    "PA": "PA", "AP": "AP", "AP semi erect": "AP", "AP Supine": "AP supine", "AP Erect": "AP erect",
    "AP erect": "AP erect", "L": "lateral", "Axial": "axial", "Coronal": "coronal", "Coronal CT": "coronal",
}  # fmt: skip
_MODALITY_OF_VIEW: Mapping[View | None, Modality] = {
    **dict.fromkeys(("PA", "AP", "lateral"), "CXR"),
    **dict.fromkeys(("axial", "coronal"), "CT"),
}
"""For states of the source before 2020-03-17, which have no column modality."""

_HANNOVER = "github.com/ml-workgroup/covid-19-image-repository"

_WANTED = (
    *("offset", "sex", "age", "survival", "intubated", "went_icu", "needed_supplemental_O2", "temperature"),
    *("pO2_saturation", "view", "date", "location", "doi", "url", "license"),
)


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each image that the metadata lists, sorted by file name; or for each volume of the torrent."""
    torrent = bool(raw.options.get("volumes"))
    if not raw.has("metadata.csv") and not torrent:
        yield from _without_metadata(raw)
        return
    renamed = load_card("cohen").facts["renamed"]
    needed = ("patientid", "finding", "filename")
    table = read_csv(raw, "metadata.csv", required=needed, wanted=_WANTED, rename=renamed)
    images, notices = rows_by(table.rows, _path, "metadata.csv")
    far = [path for path in images if path.startswith("volumes/") or path.endswith((".nii", ".nii.gz"))]
    volumes = {path: images.pop(path) for path in far}
    yield from (*table.notices, *notices)
    files = {*raw.paths("images/*"), *raw.paths("annotations/*")}
    if torrent:
        images, files = {path.rpartition("/")[2]: volumes[path] for path in far}, {*raw.paths("*.nii*")}
    for path, rows in () if torrent else volumes.items():
        what = f"patient {rows[0]['patientid']!r}: a CT volume, published as a torrent only"
        yield Notice("image not in the repository", path, what, dropped=True)
    yield from not_in("metadata.csv", (path for path in files if torrent or path.startswith("images/")), images)
    stems = {PurePosixPath(path).stem for path in images}
    for path in sorted(path for path in files if path.endswith("_mask.png")):
        if PurePosixPath(path).stem.removesuffix("_mask") not in stems:
            yield Notice("mask without an image", path, "no listed image has this name", dropped=True)
    scores, notices = ({}, []) if torrent else _severity(raw, images)
    yield from notices
    named = ({row["patientid"].strip() for row in rows} for rows in images.values())
    merged = ids_of_one(ids - {"", *_UNKNOWN} for ids in named)
    version = load_card("cohen").versions.get(raw.version)
    latest = version.date if version else ""
    for path in sorted(images, key=lambda path: PurePosixPath(path).name):
        cells = Cells(images[path][0], path, _UNKNOWN)
        shown = {"volume": File(path)} if torrent else {"image": File(path), **_annotated(path, files, scores)}
        record = _record(path, cells, merged, latest, shown)
        yield from cells.notices
        yield record


def _path(row: Row) -> str:
    name = row["filename"].strip()
    return name and f"{row.get('folder', '').strip() or 'images'}/{name}"


def _record(
    path: str, cells: Cells, merged: Mapping[str, Sequence[str]], latest: str, shown: Mapping[str, Any]
) -> Record:
    patient, doi, url = cells.text("patientid"), cells.doi("doi"), cells.text("url")
    hannover = _HANNOVER in (url or "")
    # Hannover's pO2 is a pressure in mmHg, everybody else's a saturation.
    columns = {**load_card("cohen").facts["clinical"], **({"pO2_saturation": "po2_mmhg"} if hannover else {})}
    if hannover:
        cells.flags.append("hannover_copy")
        if "RT_PCR_positive" not in cells.row:  # the column came with the corrected labels' generation
            cells.flags.append("hannover_v1_label")
    view = cells.one_of("view", _VIEWS)
    modality = cells.one_of("modality", _MODALITIES) if cells.text("modality") else _MODALITY_OF_VIEW.get(view)
    if modality is None:
        cells.doubt("modality not stated", "neither modality nor view says what it is; it is null")
    ties = tuple(f"patient:{one}" for one in merged.get(patient or "", ()))
    return Record(
        sample_id=PurePosixPath(path).name,
        modality=modality,
        patient=patient,
        ties=ties if patient else (f"article:{doi or url or 'unknown'}",),
        view=view,
        label=cells.finding("finding"),
        label_raw=cells.row["finding"] or None,
        sex=cells.one_of("sex", _SEX),
        age=cells.age("age"),
        offset_days=cells.days("offset"),
        survival=cells.one_of("survival", _YES_NO),
        clinical=cells.clinical(columns, _YES_NO),
        location=cells.text("location"),
        country=cells.country("location"),
        # Every date with slashes is month first: read the other way round, each is impossible or later than its page.
        date=cells.date("date", month_first=True, latest=latest),
        license=cells.text("license"),
        source_url=url,
        doi=doi,
        value_range="8-bit, windowed before publication" if "image" in shown else None,
        flags=tuple(cells.flags),
        source_row=cells.row,
        **shown,
    )


def _annotated(path: str, files: Collection[str], scores: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Find the mask and the scores of an image."""
    mask = f"annotations/lungVAE-masks/{PurePosixPath(path).stem}_mask.png"
    masks = {"lung": File(mask)} if mask in files else {}
    return {"masks": masks, "severity_scores": scores.get(PurePosixPath(path).name, {})}


def _without_metadata(raw: RawFiles) -> Iterator[Record | Notice]:
    """Give what is left of an incomplete copy, all as one group; only a mask or a score shows that it is a film.

    That is far below the source's tolerance, so nobody gets it without having asked for an incomplete build.
    """
    yield Notice("table missing", "metadata.csv", "no labels, no patients: all images are one group")
    files = {*raw.paths("images/*"), *raw.paths("annotations/*")}
    scores, notices = _severity(raw, files)
    yield from notices
    for path in sorted(path for path in files if path.startswith("images/")):
        found = _annotated(path, files, scores)
        film = found["masks"] or PurePosixPath(path).name in scores
        if not film:
            yield Notice("modality not stated", path, "no metadata, no mask and no score says what it is; it is null")
        modality: Modality | None = "CXR" if film else None
        yield Record(
            sample_id=PurePosixPath(path).name, image=File(path), modality=modality, ties=("folder:images",), **found
        )


def _severity(raw: RawFiles, images: Collection[str]) -> tuple[Scores, list[Notice]]:
    """Read the mean scores of three raters; states of the source before June 2020 do not have them."""
    names = {PurePosixPath(path).name for path in images}
    return read_scores(raw, _SCORES, _RATED, ("filename",), known=names, unknown=_UNKNOWN, comment="##")
