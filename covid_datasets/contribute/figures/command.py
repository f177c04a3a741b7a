"""`figures`: the pictures of a PDF in a new folder, whole or not there, within a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from covid_datasets.contribute.figures.found import Figures
from covid_datasets.disk import make_folder, private_name, publish_folder, read_json, remove_folder
from covid_datasets.errors import DamagedFileError, UnreadableError, UsageError
from covid_datasets.extras import need

SECONDS = 600.0
"""That a PDF may take; an article takes a few."""
MOST_SECONDS = 86_400.0


def figures(pdf: str | os.PathLike[str], out: str | os.PathLike[str], *, seconds: float = SECONDS) -> Figures:
    """Write the pictures of a PDF, and ``figures.json`` and ``figures.csv`` about them, into a new folder.

    A picture that has a format of its own (JPEG, JPEG 2000) keeps its bytes; others become PNG without loss. The file
    is read in a process of its own, which ends after ``seconds``.

    Raises:
        UsageError: The folder is there already, the PDF is not, or ``seconds`` are no time.
        DamagedFileError: The file is no PDF that can be read, or takes too long.
    """
    need("pypdf")
    if not 0 < seconds <= MOST_SECONDS:
        raise UsageError(f"seconds: expected more than 0 and at most {MOST_SECONDS:,.0f}, found {seconds}")
    source, final = Path(pdf), Path(out)
    if final.exists():
        raise UsageError(f"{final}: expected a folder that is not there yet, so that nothing in it is mixed up")
    if not source.is_file():
        raise UsageError(f"{source}: expected a PDF, found {'a folder' if source.is_dir() else 'nothing'}")
    private = private_name(final)
    make_folder(private)
    try:
        _run(source, private, seconds)
        found = Figures.from_json(read_json(private / "figures.json"))
        if not publish_folder(private, final):
            raise UsageError(f"{final}: somebody else made this folder in the meantime; choose another one")
    finally:
        remove_folder(private)
    return found


def _run(source: Path, folder: Path, seconds: float) -> None:
    command = [sys.executable, "-m", "covid_datasets.contribute.figures.extract", str(source), str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise DamagedFileError(f"{source}: expected a PDF that is read within {seconds:g} seconds, gave up") from error
    if done.returncode == 0:
        return
    told = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    try:
        said = json.loads(told)
        kind, message = said["kind"], said["message"]
    except (ValueError, KeyError, TypeError):
        kind, message = "", f"{source}: the process that reads it ended with {done.returncode}: {told[:300]}"
    raise (UnreadableError if kind == "UnreadableError" else DamagedFileError)(message)
