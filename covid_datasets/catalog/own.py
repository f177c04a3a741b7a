"""Data of one's own: a folder, an archive or a table of paths, as a source like every other (`OwnData`)."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from covid_datasets.catalog.card import Access, Card, Config, Licence, Patients, Version
from covid_datasets.catalog.resource import Resource
from covid_datasets.errors import NotThereError, UsageError, not_one_of
from covid_datasets.settings import given_path
from covid_datasets.vocabulary import Modality

PREFIX = "own."
"""What ids of own data begin with; no id of a public source has a dot."""
VERSION = "own"
BUILDER = "covid_datasets.own"
TABLES = (".csv", ".tsv", ".xlsx")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

_WITHOUT = (
    "Where nobody knows the patients a class folder stays whole, so nothing can be split. Say who they are: "
    "OwnData(folder, patient='COLUMN') where a table has a column of them, or OwnData(folder, patient_level=1) where "
    "the folder that holds the files is one patient's (--patient COLUMN, --patient-level 1). "
    "OwnData(folder, group='near-duplicates') splits by looks alone."
)


@dataclass(frozen=True, slots=True)
class OwnData:
    """Data of one's own, wherever the name of a dataset is asked for; a path alone is ``OwnData(path)``.

    Attributes:
        folder: A folder, an untouched archive of one, or a table (CSV, TSV, Excel) of paths and columns.
        name: What it is called: its id is ``own.<name>``. The name of the folder, where nothing is given.
        table: The table inside of the folder that lists the files. Without it, the one at the top that has a column of
            paths, if there is one; ``""`` takes none.
        patient: The column of the table that tells the patient; ``patient`` or ``patient_id`` without it.
        patient_level: How many folders above a file is the one named after the patient: 1 is the folder that it is in.
        findings: What folders and cells say -> the class of the taxonomy that they mean: ``{"pos": "covid19"}``.
        modality: Of all files for which nothing else says it.
        group: What stays together where nobody knows the patient: all of one folder, or pictures that look alike.
        builder: A Python file with ``records(raw)`` that reads this folder. It is run because it is named here.

    >>> OwnData("/data/Ward 7", patient_level=1).id
    'own.ward_7'
    """

    folder: str | os.PathLike[str]
    name: str = ""
    table: str | None = None
    patient: str = ""
    patient_level: int | None = None
    findings: Mapping[str, str] = field(default_factory=dict)
    modality: Modality | None = None
    group: Literal["folder", "near-duplicates"] = "folder"
    builder: str | os.PathLike[str] = ""

    def __fspath__(self) -> str:
        """Return the path."""
        return os.fspath(self.folder)

    def __str__(self) -> str:
        """Name it as one types it."""
        return os.fspath(self.folder)

    @property
    def id(self) -> str:
        """The id, which depends on no place: a folder that is moved keeps its fingerprint."""
        name = self.name or self.place.name
        for suffix in sorted((*TABLES, *ARCHIVES), key=len, reverse=True):
            name = name.removesuffix(suffix)
        slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        return PREFIX + (slug or hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:12])

    @property
    def place(self) -> Path:
        """The absolute path."""
        return Path(os.path.abspath(given_path(self.folder, "name")))

    def card(self) -> Card:
        """Make the card of this data, once everything that can be seen from here is found right."""
        self._check()
        path, is_table = self.place, self.place.is_file() and self.place.suffix.lower() in TABLES
        table = path.name if is_table else self.table
        options: dict[str, int | float | str | bool] = {
            "patient": self.patient,
            "patient_level": self.patient_level or 0,
            "modality": self.modality or "",
            "findings": json.dumps(dict(sorted(self.findings.items()))),
            "untied": self.group == "near-duplicates",
            **({} if table is None else {"table": table}),
        }
        slices = "Axial slices of volumes, in the values of the header's scale; everything else as in default."
        return Card(
            id=self.id,
            title=f"Own data: {path.name}",
            summary=f"Data of one's own, in {path}.",
            seed_names=(),
            modalities=(self.modality,) if self.modality else (),
            task="whatever its owner wants",
            homepage="",
            citations=(),
            licence=Licence(spdx="", terms="Its owner knows.", redistribution="unknown", commercial="unknown"),
            access=Access(kind="open"),
            patients=Patients(
                known="some",
                how="A column of its table or a level of its folders; DICOM headers where neither is named.",
                warning=_WITHOUT,
                group=self.group,
            ),
            default_version=VERSION,
            versions={VERSION: Version(resources=("files",))},
            resources=(Resource(name="files", kind="tree", steps=("It is where you say.",)),),
            configs={
                "default": Config(summary="Every file as it is.", options=options),
                "slices": Config(summary=slices, options={**options, "slices": True}),
            },
            builder=os.path.abspath(self.builder) if self.builder else BUILDER,
            own_copy=str(path.parent if is_table else path),
        )

    def _check(self) -> None:
        from covid_datasets.catalog.taxonomy import label_names  # which reads the catalog with `catalog.cards`

        path = self.place
        name = path.name.lower()
        if path.is_file() and not name.endswith((*TABLES, *ARCHIVES)):
            raise UsageError(
                f"own data {self}: expected a folder, an archive ({', '.join(ARCHIVES)}) or a table "
                f"({', '.join(TABLES)}), found a file"
            )
        if self.builder and not Path(self.builder).is_file():
            raise NotThereError(f"builder {os.fspath(self.builder)}: expected a Python file, found nothing")
        if self.patient_level is not None and self.patient_level < 1:
            raise UsageError(
                f"patient_level: expected 1 (the folder that a file is in) or more, found {self.patient_level}"
            )
        if self.patient and self.patient_level is not None:
            raise UsageError("patient, patient_level: expected one of them, found both")
        if self.group not in ("folder", "near-duplicates"):
            raise UsageError(f"group: expected folder or near-duplicates, found {self.group!r}")
        if self.modality is not None and self.modality not in get_args(Modality):
            raise UsageError(f"modality: {not_one_of(self.modality, get_args(Modality))}")
        for said, label in self.findings.items():
            if label not in label_names():
                near = difflib.get_close_matches(label, label_names(), n=1)
                hint = f"; the nearest is {near[0]!r}" if near else f": {', '.join(label_names())}"
                raise UsageError(f"findings[{said!r}]: expected a class of the taxonomy, found {label!r}{hint}")


def is_path(name: object) -> bool:
    """Tell whether a name is a place and no source: a path object, or a text with a slash, a leading dot or tilde.

    >>> is_path("cohen@2020-06-22"), is_path("./cohen"), is_path(Path("cohen"))
    (False, True, True)
    """
    if isinstance(name, os.PathLike):
        return True
    text = str(name)
    return "/" in text or os.sep in text or text.startswith(("~", ".")) or bool(os.path.splitdrive(text)[0])
