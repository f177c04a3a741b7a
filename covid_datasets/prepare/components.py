"""Sources that are composed of others: how much of each component is there, and how to get the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from covid_datasets.catalog.resource import Resource
from covid_datasets.raw.access import how_to_get
from covid_datasets.schema import Notice

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the samples that a source lists have their files in one component."""

    name: str
    listed: int
    missing: int
    how: str

    def __str__(self) -> str:
        """Say it in one line, with the way to the rest."""
        there = f"{self.name}: {self.listed - self.missing:,} of {self.listed:,} listed pictures are there"
        return f"{there}; to get the rest: {self.how}" if self.missing else there


class Tally:
    """Counts listed and missing files by component: an optional resource with a folder of its own in the tree."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        """Start with nothing listed."""
        self._components = {each.folder: each for each in resources if each.optional and each.folder}
        self._listed = dict.fromkeys(self._components, 0)
        self._missing: dict[str, list[str]] = {folder: [] for folder in self._components}

    def add(self, path: str, *, there: bool) -> bool:
        """Count one file; tell whether it belongs to a component."""
        folder = path[: path.find("/") + 1]
        if folder not in self._components:
            return False
        self._listed[folder] += 1
        if not there:
            self._missing[folder].append(path)
        return True

    def shares(self) -> tuple[Share, ...]:
        """Give the count of each component of which anything is listed."""
        return tuple(
            Share(each.name, self._listed[folder], len(self._missing[folder]), how_to_get(each))
            for folder, each in self._components.items()
            if self._listed[folder]
        )

    def notices(self) -> list[Notice]:
        """Tell of all that a component lacks at once: thousands of lines would hide everything else."""
        told = []
        for folder, each in self._components.items():
            if lost := self._missing[folder]:
                some = ", ".join(sorted(lost)[:SHOWN])
                what = f"{len(lost):,} of {self._listed[folder]:,} listed are not there, such as {some}; "
                what += f"to get them: {how_to_get(each)}"
                told.append(Notice("missing pictures", each.name, what, dropped=True, count=len(lost), lost=True))
        return told
