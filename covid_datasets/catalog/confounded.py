"""How far the label of a source is told without a pixel: ``catalogs/confounding/<id>.toml``, measured and published.

`covid-datasets confounding ID --publish DIR` writes such a file, and nobody edits one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.errors import CatalogError

LIMIT = 0.7
"""An AUC without a pixel from which on users are warned, where guessing (0.5) is outside of its interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How well one trait, or several together, predict the label; ``scheme`` says how rows were divided.

    ``low`` and ``high`` are the ends of the 95 % interval of the ``auc``.
    """

    trait: str
    scheme: str
    auc: float
    low: float
    high: float

    @property
    def is_much(self) -> bool:
        """Tell whether it is so much that users should know."""
        return self.auc >= LIMIT and self.low > 0.5

    def __str__(self) -> str:
        """Say it in numbers."""
        return f"{self.auc:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confounded:
    """What was measured of one version of a source.

    Attributes:
        version: The version, and its config.
        config: See ``version``.
        fingerprint: The fingerprint of the build.
        command: What makes it again.
        label: The column that was predicted.
        rows: Rows with a label.
        groups: What no split tears apart, among these.
        lacking: Samples of the source that the build lacks.
        pixels: In which form the pixels were looked at last, in words.
        together: All that is told without a pixel, in each way of dividing the rows.
        remaining: What is left in the pixels of that form: brightness, contrast, border and sharpness.
        alone: Each trait of these alone.
        person: Age and sex alone, which are not among these: people of other classes are other people.
    """

    version: str
    config: str
    fingerprint: str
    command: str
    label: str
    rows: int
    groups: int
    lacking: int
    pixels: str
    together: tuple[Measured, ...]
    remaining: tuple[Measured, ...]
    alone: tuple[Measured, ...]
    person: tuple[Measured, ...]

    @property
    def worst(self) -> Measured:
        """The way of dividing the rows in which most is told without a pixel."""
        return max(self.together, key=lambda each: (each.auc, each.scheme))

    @property
    def warning(self) -> str:
        """Warn of a label that follows where a picture is from; empty where it does not."""
        worst = self.worst
        if not worst.is_much:
            return ""
        strongest = sorted((each for each in self.alone if each.scheme == worst.scheme), key=lambda each: -each.auc)
        names = ", ".join(each.trait for each in strongest[:3])
        return (
            f"the label follows where a picture is from. Without a pixel it is told with AUC {worst}, {worst.scheme}, "
            f"most of all by {names}; a model may have learned that and nothing else. `{self.command}` shows how."
        )


def confounding_warning(dataset: str, version: str, config: str) -> str:
    """Warn of what was measured of this version in this config; empty where nothing was, or nothing is wrong.

    >>> confounding_warning("phantom", "1", "default")
    ''
    """
    found = confounded(dataset)
    return found.warning if found and (found.version, found.config) == (version, config) else ""


def confounded(dataset: str) -> Confounded | None:
    """Read what was measured of a source; ``None`` where nothing was.

    >>> confounded("phantom") is None
    True
    """
    path = catalog_folder() / "confounding" / f"{dataset}.toml"
    if not re.fullmatch(r"[a-z0-9_]+", dataset) or not path.is_file():
        return None
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read(path: Path, _mtime: int) -> Confounded:
    import tomllib  # here, so that a dataset of which nothing was measured loads without them

    from covid_datasets.catalog.typed import read_typed

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{path}: not a TOML file: {error}") from error
    found = read_typed(Confounded, table, path)
    if not found.together:
        raise CatalogError(f"{path}: key 'together': expected at least one, found none")
    for each in (*found.together, *found.remaining, *found.alone, *found.person):
        if not (0 <= each.low <= each.high <= 1 and 0 <= each.auc <= 1):
            raise CatalogError(f"{path}: {each.trait}, {each.scheme}: expected numbers from 0 to 1, found {each}")
    return found
