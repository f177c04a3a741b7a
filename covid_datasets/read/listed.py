"""Series of a public bucket as records: what a listing says of each, and how its files become samples.

Builders of such collections yield these records with what else is known: labels, votes, rows of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.listing import Series, by_folder, chosen, difference
from covid_datasets.errors import DamagedFileError
from covid_datasets.read.bounds import border
from covid_datasets.read.dicom import WHOLE, read_elements, text
from covid_datasets.read.film import VIEWS, FilmForm, age_in_years, film
from covid_datasets.read.polygons import Polygon
from covid_datasets.read.series import Wanted, series_parts
from covid_datasets.schema import NOTHING, Notice, Part, Parts, RawFiles, RawReader, Record
from covid_datasets.vocabulary import Modality, Sex

MODALITIES: Mapping[str, Modality] = {"CT": "CT", "CR": "CXR", "DX": "CXR"}
SEXES: Mapping[str, Sex] = {"F": "F", "M": "M"}
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
_EXPANSION = 3.0
"""How much larger pixels are than as JPEG Lossless."""
_OF = {"PatientID": "another patient", "SeriesInstanceUID": "another series"}


def listed_series(
    raw: RawFiles, source: str, wanted: Callable[[Series], bool] = lambda series: True
) -> Iterator[tuple[Series, tuple[str, ...]] | Notice]:
    """Yield each series that the chosen version and config list, with those of its files that are there.

    The order is that of the listing: by patient, study and series. A series that lacks files is told, and its others
    are given all the same; what is not ``wanted`` is passed over.
    """
    present = raw.sizes()
    folders = by_folder(present)
    for resource in load_card(source).choice(raw.version or None, raw.config or None).resources:
        if not resource.listing:
            continue
        for folder, series in chosen(resource.listing, resource.only).items():
            if not wanted(series):
                continue
            files = tuple(f"{folder}/{name}" for name in folders.get(f"{folder}/", ()))
            if what := difference(series, {path: present[path] for path in files}):
                yield Notice("missing file", folder, f"series {series.series}: {what}", dropped=True, lost=True)
            if files:
                yield series, files


def series_record(
    series: Series,
    files: tuple[str, ...],
    patient: str,
    row: Mapping[str, Any] = NOTHING,
    *,
    form: FilmForm | None = None,
    outlines: Mapping[str, tuple[Polygon, ...]] = NOTHING,
) -> Record:
    """Describe a series as a record: of CT its slices are the samples, of radiographs its files.

    Sex, age, equipment and, of films, the view are those of the listing, unless the header of a file says otherwise.

    Args:
        series: What the listing says.
        files: Those of its files that are there.
        patient: Whose it is, as the source calls people.
        row: What else is known: it comes to the row of the listing, which is the `source_row`.
        form: What is to become of radiographs; ``row`` is added here.
        outlines: SOPInstanceUID -> outlines of infection in that slice.
    """
    said = {**series.row, **row}
    wanted = Wanted(series.folder, series.series, series.patient, said)
    expansion = _EXPANSION if series.row["TransferSyntaxUID"] == JPEG_LOSSLESS else 1.0
    modality = MODALITIES.get(series.row["Modality"])
    if modality == "CXR":
        alone = series.files == len(files) == 1
        image = Parts(series.folder, series_films, (files, wanted, form or FilmForm(), alone), files, expansion)
    else:
        image = Parts(series.folder, series_parts, (files, wanted, outlines), files, expansion)
    return Record(
        sample_id=series.series,
        image=image,
        modality=modality,
        patient=patient,
        study=series.study,
        series=series.series,
        view=VIEWS.get(series.row["SeriesDescription"].upper()) if modality == "CXR" else None,
        sex=SEXES.get(series.row["PatientSex"]),
        age=age_in_years(series.row["PatientAge"]),
        manufacturer=series.row["Manufacturer"] or None,
        scanner_model=series.row["ManufacturerModelName"] or None,
        source_row=said,
    )


def is_projection(series: Series) -> bool:
    """Tell by its description whether a series holds maximum intensity projections, which are no slices."""
    return "MIP" in series.row["SeriesDescription"].upper()


def series_films(
    raw: RawReader, files: tuple[str, ...], wanted: Wanted, form: FilmForm, alone: bool
) -> Iterator[Part | Notice]:
    """Yield the radiographs of a series, whatever their files are called.

    The one film of a series is the sample of its record, as is said by ``alone``; of several each adds its
    SOPInstanceUID to the name, so that one that is missing or damaged changes no other.
    """
    form = replace(form, row=wanted.row or {})
    ordered = files
    if len(files) > 1:
        instances: list[tuple[str, str]] = []
        for path in files:
            try:
                instances.append((_instance(raw.read(path), path), path))
            except DamagedFileError as error:
                yield _damaged(path, error)
        ordered = tuple(path for _, path in sorted(instances))
    seen: dict[str, str] = {}
    for path in ordered:
        try:
            found = list(film(raw, path, form))
        except DamagedFileError as error:
            yield _damaged(path, error)
            continue
        for item in found:
            yield _placed(item, path, wanted, seen, alone) if isinstance(item, Part) else item


def _placed(part: Part, path: str, wanted: Wanted, seen: dict[str, str], alone: bool) -> Part | Notice:
    """Name a film by its series, or say why it is none of it."""
    said = part.fields["source_row"]
    for element, expected in (("PatientID", wanted.patient), ("SeriesInstanceUID", wanted.series)):
        if said.get(element) != expected:
            what = f"expected {element} {expected}, found {said.get(element) or 'none'} in its header"
            return Notice(_OF[element], path, what, dropped=True, lost=True)
    instance = said.get("SOPInstanceUID", "")
    if (first := seen.setdefault(instance, path)) != path:
        return Notice("duplicate film", path, f"{first} has the same SOPInstanceUID {instance}", dropped=True)
    if alone:
        return replace(part, path=wanted.name)
    return replace(part, id=instance, path=f"{wanted.name}/{instance}")


def _instance(data: bytes, path: str) -> str:
    found = read_elements(data, path, ["SOPInstanceUID"], stop_before_pixels=True)
    with border(path, WHOLE, data):
        return text(found, "SOPInstanceUID")


def _damaged(path: str, error: DamagedFileError) -> Notice:
    return Notice("damaged file", path, str(error), dropped=True, lost=True)
