"""What a build will ask of network and disk, said before the first byte."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from covid_datasets.catalog.card import Choice
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.catalog.resource import Resource
from covid_datasets.fetch.places import place
from covid_datasets.prepare.plan import Plan
from covid_datasets.progress import amount
from covid_datasets.raw.kinds import kind_of
from covid_datasets.raw.reach import within_reach
from covid_datasets.settings import Settings

WORTH_TELLING = 50_000_000
"""Bytes on the disk from which a build says how large it becomes."""


@dataclass(frozen=True, slots=True)
class Download:
    """Bytes that have to come: ``known`` as published, ``estimated`` from the files inside, and ``unknown`` files.

    >>> str(Download(0, 81_000_000, 0)), str(Download(5_000, 0, 2))
    ('about 81.0 MB to download', '5.0 kB and 2 files of unknown size to download')
    """

    known: int
    estimated: int
    unknown: int

    def __str__(self) -> str:
        """Say it, without claiming more than is known."""
        known = self.known + self.estimated
        parts = [f"{'about ' if self.estimated else ''}{amount(known)}"] if known else []
        if self.unknown:
            parts.append(f"{self.unknown:,} file{'' if self.unknown == 1 else 's'} of unknown size")
        return f"{' and '.join(parts) or 'nothing'} to download"


def to_download(choice: Choice, settings: Settings) -> Download:
    """Count what has to be downloaded for a choice and is not in the cache; a mirror is used in place."""
    known = estimated = unknown = 0
    if not (settings.offline or settings.mirror):
        for resource in within_reach(choice.card, choice.resources, settings):
            if not resource.copies:
                continue
            if to_come := kind_of(resource).bytes_to_come([resource], settings):
                known += to_come
            elif resource.size is None and resource.kind in ("file", "archive") and not _is_here(resource, settings):
                inside = _inside(resource)
                estimated += inside
                unknown += not inside
    return Download(known, estimated, unknown)


def before_download(choice: Choice, settings: Settings) -> str:
    """Say what has to come and what room there is; nothing where all is here."""
    download = to_download(choice, settings)
    if download == Download(0, 0, 0):
        return ""
    return f"{choice.card.id}: {download}, then about as much for the build; {_free(settings.cache)}"


def before_build(plan: Plan, needed: int, prepared: Path | None) -> str:
    """Say how large a build becomes, and what room there is; nothing of one that hardly takes any."""
    if needed < WORTH_TELLING:
        return ""
    told = f"{plan.dataset}: {plan.rows:,} rows to build, about {amount(needed)}"
    return told if prepared is None else f"{told} on the disk; {_free(prepared)}"


def _free(folder: Path) -> str:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return f"{amount(shutil.disk_usage(there).free)} free in {folder}"


def _is_here(resource: Resource, settings: Settings) -> bool:
    return any((settings.downloads / place(copy.url)).is_file() for copy in resource.copies)


def _inside(resource: Resource) -> int:
    """Count the files of a content manifest: pictures hardly become smaller in an archive."""
    sizes: Sequence[int] = ()
    if resource.manifest:
        sizes = [each.size or 0 for each in read_manifest(resource.manifest).values()]
    return sum(sizes)
