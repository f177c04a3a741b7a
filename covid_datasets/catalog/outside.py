"""Sources that live outside of this package: those of installed packages, and builders that the environment names.

A package announces its sources under the entry point group ``covid_datasets.sources``: the name is the id, the value a
module, and the card lies beside that module as ``<id>.toml``. ``COVID_DATASETS_BUILDERS`` names Python files, each with
its card beside it. Nothing is run, or looked for, because it lies in a folder of data.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from covid_datasets.errors import CatalogError, NotThereError

GROUP = "covid_datasets.sources"
VARIABLE = "COVID_DATASETS_BUILDERS"


@dataclass(frozen=True, slots=True)
class Outside:
    """A source from outside: its id, and its builder, a module or the absolute path of a file."""

    id: str
    builder: str

    @property
    def card_file(self) -> Path:
        """Where its card lies: beside the builder, without importing that."""
        if self.builder.endswith(".py"):
            return Path(self.builder).with_suffix(".toml")
        try:
            spec = util.find_spec(self.builder)
        except Exception as error:  # whatever the package around it raises
            raise CatalogError(
                f"source {self.id!r}: expected the installed module {self.builder}, found: {error}"
            ) from error
        if spec is None or spec.origin is None:
            raise CatalogError(f"source {self.id!r}: expected the installed module {self.builder}, found nothing")
        return Path(spec.origin).with_name(f"{self.id}.toml")


def of_file(path: str | os.PathLike[str]) -> Outside:
    """Take a builder by its path; its card is the TOML file of the same name beside it.

    >>> of_file("/home/me/my_ward.py").id
    'my_ward'
    """
    return Outside(Path(path).stem, os.path.abspath(Path(path).expanduser()))


def outside_sources(inside: frozenset[str]) -> dict[str, Outside]:
    """List the sources from outside by id; one whose id is that of a source ``inside`` is left out with a warning."""
    found: dict[str, Outside] = {}
    for source in (*_named(), *_installed()):
        if source.id in inside:
            warnings.warn(
                f"{source.builder}: left out, because {source.id!r} is the id of another source", stacklevel=2
            )
        elif not re.fullmatch(r"[a-z][a-z0-9_]*", source.id):
            what = "expected an id of lower-case letters, digits and _"
            warnings.warn(f"{source.builder}: left out: {what}, found {source.id!r}", stacklevel=2)
        else:
            found.setdefault(source.id, source)
    return found


def _named() -> Iterator[Outside]:
    for path in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        if not path.endswith(".py") or not Path(path).expanduser().is_file():
            raise NotThereError(f"{VARIABLE}: expected Python files, separated by {os.pathsep!r}, found {path!r}")
        yield of_file(path)


def _installed() -> Iterator[Outside]:
    for point in sorted(metadata.entry_points(group=GROUP)):
        yield Outside(point.name, point.value)
