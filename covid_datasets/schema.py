"""The harmonised sample: what a builder yields (`Record`) and what a build stores (`COLUMNS`).

A source without images is a table: its card declares the columns, and its records hold `Rows`.

Unknown is ``None``, never a made-up value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, NoReturn, Protocol

from covid_datasets.columns import COLUMNS as COLUMNS
from covid_datasets.columns import CONTENT as CONTENT
from covid_datasets.vocabulary import (
    BloodType,
    Comorbidity,
    Ethnicity,
    Modality,
    Outcome,
    Race,
    Sex,
    Smoking,
    Symptom,
    Treatment,
    View,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class _Nothing(dict[str, Any]):
    """The empty mapping of all records that say nothing: with five of their own, half a million took 160 MB more."""

    def __hash__(self) -> int:  # type: ignore[override]
        """Let it be the default of a field."""
        return 0

    def __reduce__(self) -> str:
        """Stay the same one in every process."""
        return "NOTHING"

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("expected a mapping of its own, found the empty one that all records share")

    __setitem__ = setdefault = update = __ior__ = _refuse


NOTHING: Mapping[str, Any] = _Nothing()


class RawReader(Protocol):
    """What a reference needs to find its bytes."""

    def has(self, path: str) -> bool:
        """Tell whether a raw file is there."""
        ...

    def read(self, path: str) -> bytes:
        """Return the bytes of a raw file."""
        ...

    def open(self, path: str) -> IO[bytes]:
        """Open a raw file to read it piece by piece, for files of any size."""
        ...


class RawFiles(RawReader, Protocol):
    """The tree of a source as its publisher lays it out, wherever the bytes are: what a builder is given.

    ``version``, ``config`` and ``options`` are those that were asked for.
    """

    @property
    def version(self) -> str:
        """Which state of the source this is."""
        ...

    @property
    def config(self) -> str:
        """Which of its configs is built."""
        ...

    @property
    def options(self) -> Mapping[str, int | float | str | bool]:
        """The options of the config, from the card."""
        ...

    def sizes(self) -> Mapping[str, int]:
        """List every file that is here, with its size."""
        ...

    def paths(self, pattern: str = "*") -> list[str]:
        """List the files whose path matches, sorted; ``*`` crosses folders."""
        ...

    def expected(self, pattern: str = "*") -> list[str]:
        """List the files that a whole copy has and whose path matches, also those that this copy lacks."""
        ...

    def size(self, path: str) -> int:
        """Return the size of a file in bytes."""
        ...

    def text(self, path: str) -> str:
        """Decode a text file."""
        ...

    def below(self, folder: str) -> RawFiles:
        """Return one part ("cohen/") of a source that is composed of others, as that other source's own tree."""
        ...


@dataclass(frozen=True, slots=True)
class File:
    """Reference to the bytes of one raw file, by its path in the source's tree."""

    path: str

    def read(self, raw: RawReader) -> bytes:
        """Return the untouched bytes."""
        return raw.read(self.path)


@dataclass(frozen=True, slots=True)
class Made:
    """Reference to bytes that a function makes: synthetic data, or a part of a larger file.

    Attributes:
        path: What they are called.
        function: Gets the raw files and ``arguments``, and makes the bytes.
        arguments: See ``function``.
        files: The raw files that it cannot do without; the sample is missing where one is.
        expansion: About how many times larger what is made is than these files.
    """

    path: str
    function: Callable[..., bytes]
    arguments: tuple[Any, ...] = ()
    files: tuple[str, ...] = ()
    expansion: float = 1.0

    def read(self, raw: RawReader) -> bytes:
        """Make the bytes; the function gets the raw files first."""
        return self.function(raw, *self.arguments)


Reference = File | Made


@dataclass(frozen=True, slots=True)
class Part:
    """One sample out of many that the same raw files hold: a slice of a volume, a frame of a video.

    Attributes:
        id: Unique within the record, and sorted as the parts are: ``"012"``; the sample is ``<record>/<id>``. Empty
            where a record has this one part, such as a film out of a DICOM file: the sample is the record.
        path: What the image is called: ``"studies/CT-1/study_0255.nii.gz/012"``.
        pixels: Rows by columns. Signed 16-bit values are Hounsfield units, those without a sign are what a detector
            counted; 8-bit ones are grey, or colour with a third axis.
        masks: By the names of `MASKS`: 8-bit arrays of the same height and width.
        fields: Fields of the record that are this part's own, such as ``position``.
        typical: Whether it stands for the record in the search for near-duplicates. Neighbouring slices look alike,
            also those of two people, so of a volume only the middle one does.
    """

    id: str
    path: str
    pixels: np.ndarray
    masks: Mapping[str, np.ndarray] = NOTHING
    fields: Mapping[str, Any] = NOTHING
    typical: bool = True


@dataclass(frozen=True, slots=True)
class Parts:
    """Reference to raw files that are opened once, in a worker, and give many samples.

    ``function`` gets the raw files and ``arguments`` and yields each part as soon as it has it, so that one volume is
    in memory and never two. What is wrong with one part it says with a notice; what is wrong with all with a
    `DamagedFileError`, before the first part.

    Attributes:
        path: What the record is called in reports: a file, or the folder of a series.
        files: The raw files that it reads.
        expansion: About how many times larger the parts are than the files.
    """

    path: str
    function: Callable[..., Iterator[Part | Notice]]
    arguments: tuple[Any, ...] = ()
    files: tuple[str, ...] = ()
    expansion: float = 1.0


@dataclass(frozen=True, slots=True)
class Beside:
    """Reference to raw files beside a sample that say more about it, read in a worker together with the sample.

    ``function`` gets the raw files and ``arguments`` and yields fields of the record by their names, and a notice for
    everything odd; what it yields later counts, and its flags come to those of the record. So a source may have a small
    file for each of a million samples, and nobody reads them one by one before the first worker begins. What decides
    about splits (patient, study, ties, label, official split) the builder says itself.
    """

    path: str
    function: Callable[..., Iterator[Mapping[str, Any] | Notice]]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """Reference to raw files that hold rows of a table, read in a worker: all of one place, or of one day.

    ``function`` gets the raw files and ``arguments`` and yields rows as a mapping from the columns of the card to
    their values, or as an Arrow table of these columns, and a notice for everything odd. A column that is no list has
    its one value in every row; one that is not given is null. A `DamagedFileError` drops the whole record.

    Attributes:
        path: What the record is called in reports: a file, or a place.
        files: The raw files that it reads.
        bytes: About how many bytes the rows take when stored; so many as the files have, where it is not given.
    """

    path: str
    function: Callable[..., Iterator[Mapping[str, Any] | pa.Table | Notice]]
    arguments: tuple[Any, ...] = ()
    files: tuple[str, ...] = ()
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle around something, in pixels of the stored image; ``x`` and ``y`` are its left upper corner.

    ``score`` is how sure the source is, from 0 to 1.
    """

    name: str
    x: float
    y: float
    width: float
    height: float
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One sample as its builder describes it: harmonised fields and references to bytes, no pixels.

    A sample is an ``image``, a ``volume`` (NIfTI) or a ``video``; where ``image`` is `Parts`, the record describes all
    samples that come of it. A record of a table has nothing but its id and ``rows``.

    ``patient`` is the source's own id for the person, ``None`` where it does not say. ``ties`` are further
    keys ("article:10.1148/x", "figure:...") that two rows share when they may show one person; rows that
    share the patient, the study or a tie never end up in different splits. A tie ``person:<ids>/<patient>`` holds
    across sources: it names a person of another source whose card says these ``ids``.

    Of ``symptoms``, ``comorbidities``, ``treatments`` and ``boxes``, ``None`` says that nobody told, and ``()`` that
    there are none. `VOCABULARIES` has the words; "other" stands for those it lacks. ``outcome`` is the last state that
    the source tells, ``survival`` what it says about death.

    A slice that is a file is an ``image`` as well, and its bytes are kept: ``series`` says which it belongs to,
    ``part_index`` its place from the feet up (or as the source orders it), and ``typical`` is true of one slice of a
    series, that stands for it in the search for near-duplicates. Where the source says how its stored values become
    Hounsfield units, these are ``value * hu_slope + hu_intercept``.

    ``quality_reasons`` is what the source, or a list of it, says against a picture: they join those that are measured.
    ``beside`` are files that say more of the sample, and fill other fields when a worker reads it; where ``image`` is
    `Parts`, its function reads them itself.
    """

    sample_id: str
    image: Reference | Parts | None = None
    volume: Reference | None = None
    video: Reference | None = None
    rows: Rows | None = None
    modality: Modality | None = None
    patient: str | None = None
    study: str | None = None
    ties: tuple[str, ...] = ()
    view: View | None = None
    label: str | None = None
    label_raw: str | None = None
    severity: str | None = None
    severity_scores: Mapping[str, float] = NOTHING
    masks: Mapping[str, Reference] = NOTHING
    volume_masks: Mapping[str, Reference] = NOTHING
    boxes: tuple[Box, ...] | None = None
    sex: Sex | None = None
    age: float | None = None
    offset_days: int | None = None
    survival: bool | None = None
    outcome: Outcome | None = None
    symptoms: tuple[Symptom, ...] | None = None
    symptoms_raw: str | None = None
    comorbidities: tuple[Comorbidity, ...] | None = None
    treatments: tuple[Treatment, ...] | None = None
    smoking: Smoking | None = None
    blood_type: BloodType | None = None
    race: Race | None = None
    ethnicity: Ethnicity | None = None
    clinical: Mapping[str, bool | float | None] = NOTHING
    location: str | None = None
    country: str | None = None
    date: str | None = None
    license: str | None = None
    source_url: str | None = None
    doi: str | None = None
    series: str | None = None
    part_index: int | None = None
    seconds: float | None = None
    position: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    spacing: tuple[float, ...] | None = None
    value_range: str | None = None
    hu_slope: float | None = None
    hu_intercept: float | None = None
    typical: bool = True
    manufacturer: str | None = None
    scanner_model: str | None = None
    kernel: str | None = None
    kvp: float | None = None
    slice_thickness_mm: float | None = None
    caption: str | None = None
    quality_reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    official_split: str | None = None
    source_row: Mapping[str, Any] = NOTHING
    beside: Beside | None = None

    @property
    def hounsfield(self) -> tuple[float, float] | None:
        """Slope and intercept from stored values to Hounsfield units, where the source says them."""
        return None if self.hu_slope is None or self.hu_intercept is None else (self.hu_slope, self.hu_intercept)

    @property
    def content(self) -> Reference | Parts | Rows | None:
        """The reference to what the sample shows or holds, whichever kind it is."""
        return self.image or self.volume or self.video or self.rows


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a builder met that the report must tell: where, what, and what was done about it.

    ``kind`` groups notices of one sort; ``dropped`` says that a row or file of the source is not in the dataset, and
    ``count`` how many of them this one tells of. ``lost`` says that a sample, or rows of a table, should be there and
    are not: that is held against the tolerance of the catalog. What is left out on purpose is dropped, and not lost.
    """

    kind: str
    where: str
    what: str
    dropped: bool = False
    count: int = 1
    lost: bool = False
