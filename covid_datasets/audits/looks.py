"""Look at every picture once, in all cores: its hashes, and what a DICOM header says of whom it shows."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from covid_datasets.audits.sample import Form, Sample
from covid_datasets.audits.shown import SLICES, slices_of
from covid_datasets.errors import BuildError, CovidDatasetsError
from covid_datasets.measure.image import Measured, UndecodableError, decode, measure, measure_pixels, to_grey
from covid_datasets.prepare.workers import worker_pool
from covid_datasets.progress import progress
from covid_datasets.read.dicom import read_header, read_hounsfield
from covid_datasets.read.film import FilmForm, read_film
from covid_datasets.settings import usable_cores

NO_PICTURE = "near-constant"
"""The reason against an image that shows nothing."""
_AHEAD = 3
"""Pictures a worker that wait to be looked at; their bytes are in memory."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture shows.

    Attributes:
        measured: Its hashes; of what cannot be decoded, that of its bytes alone.
        git_sha1: The hash that git gives its bytes; empty where the bytes were not looked at.
        patient: PatientID of a DICOM header; empty where there is none.
        series: SeriesInstanceUID of a DICOM header.
        problem: Why it cannot be decoded; empty where it can.
        blank: Whether it shows nothing, so that it proves nothing by being the same as another.
    """

    measured: Measured
    git_sha1: str = ""
    patient: str = ""
    series: str = ""
    problem: str = ""
    blank: bool = False


def look_at(data: bytes, name: str, form: Form) -> Look:
    """Look at the bytes of one sample; nothing in them can do more than make it undecodable."""
    sha256 = hashlib.sha256(data).hexdigest()
    git = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    git.update(data)
    patient = series = ""
    try:
        if form == "dicom":
            header = read_header(data, name)
            patient, series = header.patient.strip(), header.series
            measured = measure_pixels(_dicom_pixels(data, name), sha256, name)
        elif form == "volume":
            from covid_datasets.measure.volume import measure_volume

            measured = measure_volume(data, sha256, name)
        else:
            measured = measure(data, sha256, name)
    except (UndecodableError, CovidDatasetsError) as error:
        return Look(Measured(sha256), git.hexdigest(), patient, series, str(error))
    return Look(measured, git.hexdigest(), patient, series, blank=NO_PICTURE in (measured.quality_reasons or ()))


def _dicom_pixels(data: bytes, name: str) -> np.ndarray:
    """Read slices of CT in Hounsfield units, everything else as a film."""
    try:
        return read_hounsfield(data, name)
    except CovidDatasetsError:
        return read_film(data, name, FilmForm(secondary=True)).pixels


def shown(data: bytes, name: str, form: Form) -> Image.Image | None:
    """Decode the bytes of a sample as a picture in 8-bit grey, of a volume a slice; nothing where that cannot be."""
    try:
        if form == "volume":
            return slices_of(data, name)[len(SLICES) // 2]
        return to_grey(Image.fromarray(_dicom_pixels(data, name)) if form == "dicom" else decode(data))
    except (UndecodableError, CovidDatasetsError):
        return None


def look_at_all(samples: Sequence[Sample]) -> list[Look | None]:
    """Look at all samples that have a picture, side by side; few of them are in memory at a time."""
    looks: list[Look | None] = [None] * len(samples)
    numbers = [number for number, sample in enumerate(samples) if sample.read is not None]
    if not numbers:
        return looks
    with worker_pool(None, None) as pool, progress("Looking", unit="pictures") as display:
        display.add("pictures", len(numbers))
        try:
            for number, look in _in_turn(pool, samples, numbers):
                looks[number] = look
                display.advance("pictures")
        except BrokenExecutor as error:
            raise BuildError("a worker process died, most likely for lack of memory: close something else") from error
    return looks


def _in_turn(pool: Executor | None, samples: Sequence[Sample], numbers: Sequence[int]) -> Iterator[tuple[int, Look]]:
    waiting: deque[tuple[int, Callable[[], Look]]] = deque()
    for number in numbers:
        waiting.append((number, _begun(pool, samples[number])))
        if len(waiting) > _AHEAD * usable_cores():
            first, answer = waiting.popleft()
            yield first, answer()
    for number, answer in waiting:
        yield number, answer()


def _begun(pool: Executor | None, sample: Sample) -> Callable[[], Look]:
    """Read a sample here, and have it looked at by a worker; one that cannot be read is one that cannot be decoded."""
    assert sample.read is not None
    try:
        data = sample.read()
    except (CovidDatasetsError, OSError) as error:
        return partial(Look, Measured(sample.sha256), problem=str(error))
    if pool is None:
        return partial(look_at, data, sample.name, sample.form)
    return pool.submit(look_at, data, sample.name, sample.form).result
