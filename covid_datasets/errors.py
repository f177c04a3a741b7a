"""Every error this library raises on purpose: what happened, where, and what to do next.

One base class; one child per exit code of the command line; grandchildren by cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from covid_datasets.harmless import visible

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def without_addresses(text: str) -> str:
    """Leave out where in memory an object was, which differs from run to run and helps nobody.

    >>> without_addresses("cannot identify image file <_io.BytesIO object at 0x7f00>")
    'cannot identify image file <_io.BytesIO object>'
    """
    return _ADDRESS.sub("", text)


def words_of(error: BaseException) -> str:
    """Give the kind and the words of somebody else's error, on one line, cut short, without addresses of memory.

    >>> words_of(ValueError("cannot read <BytesIO object at 0x7f00>"))
    'ValueError: cannot read <BytesIO object>'
    """
    text = without_addresses(" ".join(str(error)[:1000].split()))[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class CovidDatasetsError(Exception):
    """Base of all errors of this library; ``exit_code`` is what the command line returns."""

    exit_code: ClassVar[int] = 6

    def __str__(self) -> str:
        """Give the message; what it quotes is made harmless, and the same every time."""
        return visible(without_addresses(super().__str__()))


class NotThereError(CovidDatasetsError):
    """Something that was asked for by name does not exist."""

    exit_code = 1


class UnknownDatasetError(NotThereError):
    """No catalog has this name."""


class UnknownVersionError(NotThereError):
    """The dataset has no such version, config or split scheme."""


class NotBuiltError(NotThereError):
    """The dataset has no finished build in this cache."""


class UsageError(CovidDatasetsError):
    """An argument has a value that cannot work."""

    exit_code = 2


class CatalogError(UsageError):
    """A catalog file has a missing, unknown or wrong field."""


class MissingExtraError(UsageError):
    """An optional dependency is needed; the message holds the line that installs it."""


class AccessRequired(CovidDatasetsError):
    """The source needs an account, a form or a visit by hand; the message lists the steps."""

    exit_code = 3


class DownloadError(CovidDatasetsError):
    """A file could not be downloaded."""

    exit_code = 4


class HostUnreachableError(DownloadError):
    """No connection, a time-out, or a connection that kept breaking; ``cause`` says which in a few words."""

    cause: str = ""


class MissingUpstreamError(DownloadError):
    """The host answers, but the file is gone (404, 410)."""


class RefusedError(DownloadError):
    """The host refuses these credentials, or asks for some (401, 403)."""


class NotTheFileError(DownloadError):
    """A login, quota or error page came instead of the file."""


class TruncatedError(DownloadError):
    """The transfer ended early, again and again."""


class OfflineError(DownloadError):
    """The file is not in the cache and ``COVID_DATASETS_OFFLINE`` forbids the network."""


class IntegrityError(CovidDatasetsError):
    """Content is not what it should be."""

    exit_code = 5


class ChangedUpstreamError(IntegrityError):
    """A file arrived whole, but its hash is not the expected one."""


class UnsafeArchiveError(IntegrityError):
    """An archive tries to leave its folder, holds links, or expands beyond all bounds."""


class DamagedFileError(IntegrityError):
    """A file is truncated, empty, or not in the format that its place demands."""


class ColumnMissingError(IntegrityError):
    """A table lacks a column that the builder needs; upstream may have renamed it."""


class IncompleteSourceError(IntegrityError):
    """More of a source is missing or damaged than its catalog tolerates."""


class PredictionsError(IntegrityError):
    """Predictions are damaged, or not of the rows that they are to be scored on."""


class LeakingSplitError(IntegrityError):
    """Rows that belong together are in several parts of a split that promises to keep them together."""


class BuildError(CovidDatasetsError):
    """A build cannot go on, for a reason that is not the raw data's."""

    exit_code = 6


class UnreadableError(BuildError):
    """A file or folder is there, and the system does not let it be read: permissions, or a disk that fails."""

    @classmethod
    def of(cls, place: object, error: OSError) -> UnreadableError:
        """Say which one it is, why, and what helps.

        >>> print(UnreadableError.of("/data/x", PermissionError(13, "Permission denied")))
        /data/x: cannot be read: Permission denied. Next: give yourself the right to read it (chmod -R u+rX)...
        """
        if isinstance(error, PermissionError):
            advice = "give yourself the right to read it (chmod -R u+rX), or take it out of the folder"
        else:
            advice = "try again; where it stays so, the disk or the connection to it fails: copy the files elsewhere"
        return cls(f"{place}: cannot be read: {error.strerror or error}. Next: {advice}")


class InvalidRecordError(BuildError):
    """A builder yielded a record that the harmonised schema does not allow."""


class FunctionError(BuildError):
    """A function that derives a dataset raised, or gave something that it may not give; the message names the row."""


class CacheError(BuildError):
    """The cache folder cannot be written, or somebody holds its lock for too long."""


class StoreError(BuildError):
    """An object store refuses, or cannot be reached."""


class TrainingError(CovidDatasetsError):
    """A model cannot be trained any further: its loss is no number."""


class NoSpaceError(CovidDatasetsError):
    """The disk has, or would have, no room."""

    exit_code = 7


def not_one_of(found: object, known: Iterable[str]) -> str:
    """Say what was expected and what was found instead, and name the nearest of what is known.

    >>> not_one_of("lable", ["image", "label"])
    "expected one of image, label, found 'lable'. Did you mean 'label'?"
    """
    names = list(known)
    return f"expected one of {', '.join(names)}, found {found!r}{did_you_mean(found, names)}"


def did_you_mean(found: object, known: Iterable[str]) -> str:
    """Name the nearest of what is known, as the end of a message; empty where nothing is near.

    >>> did_you_mean("Lable", ["image", "label"])
    ". Did you mean 'label'?"
    >>> did_you_mean("volume", ["image", "label"])
    ''
    """
    import difflib  # here, because most programs never misspell anything

    folded = {each.lower(): each for each in known}
    near = difflib.get_close_matches(str(found).lower(), list(folded), n=1)
    return f". Did you mean {folded[near[0]]!r}?" if near and folded[near[0]] != found else ""
