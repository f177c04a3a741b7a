"""MIDRC-RICORD-1C (RSNA): chest radiographs of people with COVID-19 in DICOM, and what readers said of each study."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from covid_datasets.catalog.listing import Series, read_listing
from covid_datasets.read.listed import listed_series, series_record
from covid_datasets.read.mdai import read_annotations
from covid_datasets.read.votes import vote
from covid_datasets.schema import Notice, RawFiles, Record

_LISTING = "midrc_ricord_1c.tsv"
_ANNOTATIONS = "1c_mdai_rsna_project_MwBeK3Nr_annotations_labelgroup_all_2021-01-08-164102.json"
_PREFIX = "MIDRC-RICORD-1C-"
_READERS, _ADJUDICATOR = ("Tiger", "Bear", "Dragon"), "Adjudication"
_NEGATIVE, _INVALID = "Negative for Pneumonia", "Invalid Study"
_CLASSES = ("Typical Appearance", "Indeterminate Appearance", "Atypical Appearance", _NEGATIVE, _INVALID)
_GRADES = (
    "Mild Opacities (1-2 lung zones)",
    "Moderate Opacities (3-4 lung zones)",
    "Severe Opacities (>4 lung zones)",
    _NEGATIVE,
    _INVALID,
)
Said = Mapping[str, Collection[str]]
"""Reader -> what the reader said of a study."""


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each series that is there, with the votes of its study."""
    studies: dict[str, Said] = {}
    if raw.has(_ANNOTATIONS):
        notes = read_annotations(raw.text(_ANNOTATIONS), _ANNOTATIONS, ())
        yield from notes.notices
        for study, readers in notes.studies.items():  # one of the labels is spelled with two blanks
            studies[study] = {
                reader: sorted({" ".join(label.split()) for label in labels}) for reader, labels in readers.items()
            }
    else:
        yield Notice("table missing", _ANNOTATIONS, "what readers said of the studies is not known")
    yield from _odd(studies)
    for item in listed_series(raw, "midrc_ricord_1c"):
        yield item if isinstance(item, Notice) else _record(*item, studies.get(item[0].study, {}))


def _odd(studies: Mapping[str, Said]) -> Iterator[Notice]:
    """Tell of studies without images and without votes, and of votes that decide nothing."""
    listed = {series.study for series in read_listing(_LISTING).values()}
    for study in sorted(studies.keys() - listed):
        yield Notice("annotations of an unknown study", _ANNOTATIONS, f"{study} has no images", dropped=True)
    for study in sorted(listed - studies.keys()) if studies else ():
        yield Notice("study without annotations", study, f"{_ANNOTATIONS} says nothing of it")
    for study, said in sorted(studies.items()):
        for what, answers in (("class", _CLASSES), ("grade", _GRADES)):
            found = vote(said, answers, _READERS, _ADJUDICATOR)
            if found.torn:
                told = f"{' and '.join(found.torn)} gave several answers, which count for none"
                yield Notice("reader with several answers", study, f"{what}: {told}")
            if found.answer is None:
                each = "; ".join(f"{reader}: {', '.join(labels)}" for reader, labels in said.items())
                yield Notice(f"{what} left open", study, f"no majority and no adjudication: {each}")


def _record(series: Series, files: tuple[str, ...], said: Said) -> Record:
    appearance, grade = (vote(said, answers, _READERS, _ADJUDICATOR) for answers in (_CLASSES, _GRADES))
    invalid = appearance.answer == _INVALID
    row = {"votes": said, "class_by": appearance.by, "grade_by": grade.by} if said else {}
    wrong = {
        "invalid_study": invalid,
        "readers_disagree": bool(said) and appearance.answer is None,
        "body_part_contradicts": series.row["BodyPartExamined"] != "CHEST",
    }
    return replace(
        series_record(series, files, series.patient.removeprefix(_PREFIX), row),
        label="covid19",
        label_raw=appearance.answer,
        severity=None if grade.answer == _INVALID else grade.answer,
        quality_reasons=("readers call the study invalid",) if invalid else (),
        flags=tuple(flag for flag, found in wrong.items() if found),
    )
