"""What was done to each file, without a value that says whose it is; and, in the secret folder, what was left out."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from covid_datasets.disk import make_folder, refused, whole, write_json
from covid_datasets.harmless import csv_cell
from covid_datasets.own.deidentify.profile import profile
from covid_datasets.own.deidentify.secret import write_private

Changes = tuple[tuple[str, str], ...]
"""Where, and what was done."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a file: its new name, or why it was left out.

    Attributes:
        path: Where the file is: secret.
        known: By what it is known again, as long as it has not changed.
        file: Its new name below OUT; empty where it was left out.
        patient: Who the patient is: secret.
        kind: Digest of the changes that were made; most files of a series have the same.
    """

    path: str
    known: str
    file: str = ""
    patient: str = ""
    pseudonym: str = ""
    left_out: str = ""
    kind: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that was not copied: its name in the folder, which may say whose it is, and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Deidentified:
    """What `deidentify` did.

    Attributes:
        out: The folder of images; ``report`` in it says what was done, and nothing of whom.
        secret: The folder that must not leave the house.
        files: How many images were written.
        patients: Of how many patients.
        changes: What was done: attribute and action, and to how many files.
        warnings: What a person should look at, and in which files.
        left_out: Files that were not copied.
    """

    out: Path
    secret: Path
    files: int
    patients: int
    changes: Mapping[tuple[str, str], int]
    warnings: Mapping[str, tuple[str, ...]]
    left_out: tuple[LeftOut, ...]

    def to_json(self) -> dict[str, Any]:
        """Say it for machines; names of files that were left out are among it."""
        return {
            "out": str(self.out),
            "secret": str(self.secret),
            "files": self.files,
            "patients": self.patients,
            "changes": sum(self.changes.values()),
            "warnings": {what: len(files) for what, files in self.warnings.items()},
            "left_out": [{"path": each.path, "why": each.why} for each in self.left_out],
        }

    def _repr_html_(self) -> str:
        """Show it in a notebook, which may be passed on: no name of a file that was left out, and no reason."""
        from covid_datasets.markup import MOST, named, shown, table

        what = {
            "Folder of images": str(self.out),
            "Images": self.files,
            "Patients": self.patients,
            "Left out": len(self.left_out),
        }
        changes = sorted(((where, did, count) for (where, did), count in self.changes.items()), key=lambda row: -row[2])
        warnings = [(told, len(files)) for told, files in self.warnings.items()]
        return shown(
            "De-identified copies",
            named(what, "What was written"),
            table("What a person should look at", ("warning", "files"), warnings) if warnings else (),
            table("What was done", ("attribute", "what", "files"), changes[:MOST], count=len(changes)),
        )


def kind_of(changes: Changes) -> str:
    """Name a list of changes by its digest."""
    return hashlib.sha256(repr(changes).encode()).hexdigest()[:8]


def write_report(
    out: Path, kept: Path, results: Sequence[Done], kinds: Mapping[str, Changes], people: Iterable[tuple[str, str, int]]
) -> Deidentified:
    """Write the report into OUT, what identifies into the secret folder, and return both as one value.

    Most files of a series change alike, so the report names each kind of file once: ``changes.csv`` says what was done
    to a kind, ``files.csv`` which file is of which.
    """
    written = sorted((done for done in results if done.file), key=lambda done: done.file)
    left = tuple(LeftOut(done.path, done.left_out) for done in results if not done.file)
    used = Counter(done.kind for done in written)
    counts: Counter[tuple[str, str]] = Counter()
    for kind, count in used.items():
        counts.update(dict.fromkeys(kinds[kind], count))
    warned = {what: tuple(done.file for done in written if what in done.warnings) for what in _warnings(written)}
    found = Deidentified(out, kept, len(written), len({done.pseudonym for done in written}), counts, warned, left)
    report = out / "report"
    make_folder(report)
    rows = [(kind, where, what) for kind in sorted(used) for where, what in kinds[kind]]
    _write_csv(report / "changes.csv", ("kind", "attribute", "what"), rows)
    files = [(done.file, done.kind, "; ".join(done.warnings)) for done in written]
    _write_csv(report / "files.csv", ("file", "kind", "warnings"), files)
    write_json(report / "summary.json", _summary(found), durable=False)
    write_private(kept / "left_out.csv", _csv_text(("path", "why"), [(each.path, each.why) for each in left]))
    if rows_of_people := sorted(people):
        write_private(kept / "people.csv", _csv_text(("patient", "pseudonym", "minutes"), rows_of_people))
    return found


def _warnings(written: Sequence[Done]) -> list[str]:
    return sorted({what for done in written for what in done.warnings})


def _summary(found: Deidentified) -> dict[str, Any]:
    """Say in numbers what was done; of what was left out no name and no reason, for both may quote a file."""
    done = [
        {"attribute": where, "what": what, "files": count} for (where, what), count in sorted(found.changes.items())
    ]
    return {
        "method": list(profile().method),
        "files": found.files,
        "patients": found.patients,
        "left_out": len(found.left_out),
        "warnings": {what: len(files) for what, files in found.warnings.items()},
        "changes": done,
    }


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    try:
        with whole(path, durable=False) as private:
            private.write_text(_csv_text(columns, rows), encoding="utf-8", newline="\n")
    except OSError as error:
        raise refused(path, error) from error


def _csv_text(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([csv_cell(cell) for cell in row] for row in rows)
    return out.getvalue()
