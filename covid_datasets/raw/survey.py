"""What is there against what should be there, by names and sizes alone: quick, and before anything is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from covid_datasets.catalog.resource import Pattern, Resource
from covid_datasets.raw.kinds import kind_of
from covid_datasets.raw.mounts import Look, Mount


@dataclass(frozen=True, slots=True)
class Survey:
    """Files that are missing, files whose size alone shows that they are not the right ones, and how many there are."""

    missing: tuple[str, ...]
    wrong: tuple[str, ...]
    expected: int

    def is_short(self, tolerance: float) -> bool:
        """Tell whether more is lost than a share of all files."""
        return len(self.missing) + len(self.wrong) > tolerance * self.expected


def survey(resources: Sequence[Resource], mounts: Mapping[str, Mount], look: Look | None = None) -> Survey:
    """Look at the names and sizes of all files; optional resources that are not there at all are not missed."""
    look = look or Look()
    taken = look.taken(mounts.values())
    missing: list[str] = []
    wrong: list[str] = []
    expected = 0
    alike: dict[tuple[Mount, tuple[Pattern, ...], str, str], list[str]] = {}  # parts unpacked into one folder
    for resource in resources:
        mount, kind = mounts.get(resource.name), kind_of(resource)
        if mount is None and resource.optional:
            continue  # told as a part that is not there, see `Obtained.absent`
        present = {} if mount is None else look.sizes(mount)
        if mount is None or not resource.files:
            lacking = kind.missing(resource, mount, look, taken)
        else:
            key = (mount, resource.files, resource.folder, resource.manifest)
            if key not in alike:
                alike[key] = kind.missing(resource, mount, look, taken)
            lacking = alike[key]
        missing += lacking
        wrong += kind.wrong(resource, present)
        expected += kind.count(resource, len(present) + len(lacking))
    return Survey(tuple(missing), tuple(wrong), expected)
