"""COVID-19-CT-Seg (Ma Jun et al.): 20 CT volumes of 18 people, with maps of the lungs and of infection."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from covid_datasets.catalog.cards import load_card
from covid_datasets.read.cells import Cells
from covid_datasets.read.levels import Grey
from covid_datasets.read.made import volume_mask
from covid_datasets.read.rows import count_by_folder
from covid_datasets.read.slices import axial_slices
from covid_datasets.schema import File, Notice, Parts, RawFiles, Record
from covid_datasets.vocabulary import Sex

Labels = Mapping[str, tuple[int, ...]]
Drawn = tuple[str, str, tuple[int, ...], tuple[int, ...]]
_PATH = re.compile(r"(images|lung|infection|lung_and_infection)/(.{1,99})\.nii(?:\.gz)?")
_CORONACASES = re.compile(r"(?:coronacases_)?(?:org_)?(?:case)?([0-9]{3})")
_RADIOPAEDIA = re.compile(r"radiopaedia_(?:org_covid-19-pneumonia-)?([0-9]{1,9})_([0-9]{1,9})_([0-9]{1,9})(?:-dcm)?")
"""Names in Zenodo's archives, and those that copies at Kaggle gave the volumes, but not their masks."""
_MAPS: Mapping[str, Labels] = {
    "lung": {"lung": (1, 2), "left_lung": (1,), "right_lung": (2,)},
    "infection": {"infection": (1,)},
}
_OF_ALL, _LABELS_OF_ALL = "lung_and_infection", (1, 2, 3)
_INSTEAD: Mapping[str, Labels] = {"lung": {"lung": (1, 2, 3)}, "infection": {"infection": (3,)}}
"""Of the map of everything, where another is missing; there, infection hides which lung it is in."""
_SEX: Mapping[str, Sex] = {"F": "F", "M": "M"}
_README = "images/ReadMe.txt"
_FOLDS = 5
_RESCALED = "0 to 255: cut to -1250 to 250 and rescaled before publication; no Hounsfield units"
_EXPANSION = 4.0


class Case(NamedTuple):
    """What the name of a file says: how Zenodo calls it, and whose it is."""

    name: str
    patient: str
    study: str
    page: str | None


def records(raw: RawFiles) -> Iterator[Record | Notice]:
    """Yield a record for each volume, by its name."""
    found: dict[str, dict[Case, str]] = {folder: {} for folder in ("images", *_MAPS, _OF_ALL)}
    for path in sorted(raw.sizes().keys() - {_README}, reverse=True):  # .nii.gz, the publisher's, before .nii
        match = _PATH.fullmatch(path)
        case = match and case_of(match[2])
        if not (match and case):
            yield Notice("extra file", path, "neither a volume nor a mask of one", dropped=True)
        elif (first := found[match[1]].setdefault(case, path)) != path:
            yield Notice("file twice", path, f"{first} is of the same case and is used", dropped=True)
    volumes = found.pop("images")
    needed: set[str] = set()
    for case, path in sorted(volumes.items()):
        drawn: list[Drawn] = []
        for folder, names in _MAPS.items():
            if at := found[folder].get(case):
                known = tuple(sorted({label for labels in names.values() for label in labels}))
                drawn += [(name, at, labels, known) for name, labels in names.items()]
                continue
            instead = found[_OF_ALL].get(case)
            yield Notice("mask missing", path, f"none in {folder}/; {instead or 'nothing'} is used in its place")
            if instead:
                drawn += [(name, instead, labels, _LABELS_OF_ALL) for name, labels in _INSTEAD[folder].items()]
        needed |= {at for _, at, *_ in drawn}
        yield from _volume(raw, case, path, drawn)
    for case, path in (each for files in found.values() for each in files.items()):
        if case not in volumes:
            yield Notice("mask without a volume", path, f"no volume is called {case.name}", dropped=True)
    unneeded = [path for case, path in found[_OF_ALL].items() if case in volumes and path not in needed]
    yield from count_by_folder("not needed", unneeded, "say what the maps of lungs and of infection say as well")


def case_of(name: str) -> Case | None:
    """Read the name of a file without its ending, as it is at Zenodo or at Kaggle.

    >>> case_of("radiopaedia_org_covid-19-pneumonia-10_85902_3-dcm").name, case_of("coronacases_org_case007").patient
    ('radiopaedia_10_85902_3', 'coronacases_007')
    """
    if match := _CORONACASES.fullmatch(name):
        number = f"coronacases_{match[1]}"
        return Case(number, number, number, None)
    if match := _RADIOPAEDIA.fullmatch(name):
        case, study, stack = match.groups()
        page = f"https://radiopaedia.org/cases/covid-19-pneumonia-{case}"
        return Case(f"radiopaedia_{case}_{study}_{stack}", f"radiopaedia_{case}", f"radiopaedia_{case}_{study}", page)
    return None


def _volume(raw: RawFiles, case: Case, path: str, drawn: list[Drawn]) -> Iterator[Record | Notice]:
    facts = load_card("covid19_ct_seg").facts
    sex, age, place = (*facts["people"].get(case.patient, "").split("; "), "", "")[:3]
    cells = Cells({"sex": sex, "age": age, "place": place}, path)
    trained_in = facts["trained_in"].get(case.name)
    folds = {f"fold_{fold}": "train" if trained_in == str(fold) else "test" for fold in range(_FOLDS)}
    if trained_in is None:
        cells.doubt("volume in no fold", "none of the published folds names it")
    slices, grey = bool(raw.options["slices"]), None if case.page is None else Grey(0, 255)
    files = (path, *dict.fromkeys(at for _, at, *_ in drawn))
    yield Record(
        sample_id=case.name,
        image=Parts(path, axial_slices, (path, tuple(drawn), grey), files, _EXPANSION) if slices else None,
        volume=None if slices else File(path),
        volume_masks={} if slices else {name: volume_mask(at, labels, known) for name, at, labels, known in drawn},
        modality="CT",
        patient=case.patient,
        study=case.study,
        series=case.name,
        view="axial" if slices else None,
        label="covid19",
        sex=cells.one_of("sex", _SEX),
        age=cells.age("age"),
        location=cells.text("place"),
        country=cells.country("place"),
        source_url=case.page,
        value_range=None if slices or grey is None else _RESCALED,
        official_split=folds["fold_0"] if trained_in else None,
        source_row={"file": path, **(folds if trained_in else {})},
    )
    yield from cells.notices
