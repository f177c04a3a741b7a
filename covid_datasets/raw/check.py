"""`check`: what a user's own copy of a source lacks, and what is too much, before anything is built."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from covid_datasets.catalog.cards import Name, choose
from covid_datasets.errors import UsageError
from covid_datasets.progress import amount
from covid_datasets.raw.access import above_text, expected_tree, how_to_get, listed
from covid_datasets.raw.kinds import check_card
from covid_datasets.raw.local import mount_local
from covid_datasets.raw.reach import is_open, within_reach
from covid_datasets.raw.survey import survey
from covid_datasets.settings import Settings


@dataclass(frozen=True, slots=True)
class Check:
    """What was found in a folder, told without reading more than names and sizes.

    Attributes:
        name: The source, as `build_dataset` takes it.
        version: Which state of it.
        data_dir: Where was looked.
        ok: Whether a build would start; it reads every file and may still find damage inside.
        files: How many files of the source are there.
        bytes: Their size.
        expected: How many files there should be.
        missing: Files that are not there.
        damaged: Files whose size shows that they are not right, and archives that cannot be listed, with the reason.
        extra: Files that belong to nothing; a build leaves them alone.
        optional: Parts without which there is a dataset too and that are not there, with how to get them.
        downloads: Parts that a build downloads, because they are not there.
        above: The folder to name instead, where the one that was named is only a part of the layout; else empty.
        tree: The folder as it should be.
    """

    name: str
    version: str
    data_dir: str
    ok: bool
    files: int
    bytes: int
    expected: int
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    extra: tuple[str, ...]
    optional: Mapping[str, str]
    downloads: tuple[str, ...]
    above: str
    tree: str

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import bullets, paragraph, shown

        verdict = "Ready: a build would start." if self.ok else "A build would not start."
        optional = [f"{name}: {how}" for name, how in self.optional.items()]
        return shown(
            f"{self.name}, version {self.version}, in {self.data_dir}",
            paragraph(verdict, warns=not self.ok),
            paragraph(f"{self.files:,} of {self.expected:,} files are there, {amount(self.bytes)}."),
            paragraph(above_text(self.above) if self.above else ""),
            bullets(self.missing, f"Missing: {len(self.missing):,}"),
            bullets(self.damaged, f"Damaged: {len(self.damaged):,}"),
            bullets(self.extra, f"Not expected, left alone: {len(self.extra):,}"),
            bullets(optional, "Not there, and not needed"),
            bullets(self.downloads, "Not there; a build downloads it"),
        )

    def __str__(self) -> str:
        """Say it to a person, with what to do next."""
        found = f"{self.files:,} file{'s' * (self.files != 1)} of it, {amount(self.bytes)}"
        lines = [
            f"{self.name} (version {self.version}) in {self.data_dir}: {found}",
            *listed(f"Missing ({len(self.missing):,})", self.missing),
            *listed(f"Damaged ({len(self.damaged):,})", self.damaged),
            *listed(f"Not expected, left alone ({len(self.extra):,})", self.extra),
            *listed("Not there, and not needed", [f"{name}: {how}" for name, how in self.optional.items()]),
            *listed("Not there; a build downloads it", self.downloads),
        ]
        copy = "" if self.name == self.data_dir else f" --data-dir {shlex.quote(self.data_dir)}"
        build = f"covid-datasets build {shlex.quote(self.name)}{copy}"
        if self.missing or self.damaged:
            lines.append(f"Expected:\n{self.tree}")
        if self.ok:
            lines.append(f"Ready. Next: {build}")
        elif self.above:
            lines.append(above_text(self.above))
        else:
            lines.append(f"Next: mend this and check again; or build what is there: {build} --allow-missing")
        return "\n".join(lines)


def check(name: Name, data_dir: str | os.PathLike[str] | None = None, config: str | None = None) -> Check:
    """Hold your own copy of a source against what it should hold; nothing is downloaded, changed or built.

    Args:
        name: A dataset, with a version where not the default one is meant.
        data_dir: A folder, unpacked or with the untouched archives, or one archive; none with data of one's own.
        config: One of the dataset's configs; they may need other files.

    >>> check("covid_ct", getfixture("tmp_path")).ok
    False
    """
    choice = choose(name, config)
    place = choice.data_dir(data_dir)
    if place is None:
        raise UsageError(f"data_dir: expected your own copy of {name}, found none")
    resources = choice.resources
    check_card(choice.card)
    local = mount_local(place, choice.every_resource)
    # As when building: whoever brings a part of what has to be got by hand gets what is within reach downloaded.
    fetched = bool(local.mounts) and not all(is_open(choice.card, resource) for resource in resources)
    lacking = [resource for resource in resources if resource.name not in local.mounts]
    reached = within_reach(choice.card, lacking, Settings.resolve()) if fetched else []
    downloads = {resource.name for resource in reached if resource.copies}
    found = survey([resource for resource in resources if resource.name not in downloads], local.mounts, local.look)
    sizes = [size for mount in local.mounts.values() for size in local.look.sizes(mount).values()]
    empty = () if sizes or not choice.card.own_copy else ("expected pictures, volumes or videos, found no file",)
    return Check(
        name=choice.name,
        version=choice.version,
        data_dir=str(place),
        ok=not empty and not found.is_short(choice.state.tolerance),
        files=len(sizes),
        bytes=sum(sizes),
        expected=found.expected,
        missing=found.missing,
        damaged=(*empty, *found.wrong, *(f"{where}: {why}" for where, why in local.damaged.items())),
        extra=tuple(local.extra),
        optional={part.name: how_to_get(part) for part in lacking if part.optional and part.name not in downloads},
        downloads=tuple(part.name for part in lacking if part.name in downloads),
        above=local.above,
        tree=expected_tree(choice),
    )
