"""Where raw files came from, and how sure it is that they are the right ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from covid_datasets.catalog.resource import Resource
from covid_datasets.errors import CovidDatasetsError
from covid_datasets.raw.mounts import Mount


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a resource came from and how sure it is; goes into the manifest of a build."""

    resource: str
    place: str
    sha256: str
    verified: str


Brought = tuple[Mount, Origin]
Lost = Callable[[Resource, str, CovidDatasetsError], object]
"""Told of a resource, or the part of it that is named, that cannot be had; raises where it is needed."""
