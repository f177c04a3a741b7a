"""`report`: what is in finished builds, as one page for people and as plain data for machines."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from covid_datasets.audits.overlaps import overlaps
from covid_datasets.catalog.cards import Name, info, names_in
from covid_datasets.disk import refused, whole
from covid_datasets.errors import UsageError
from covid_datasets.harmless import visible
from covid_datasets.load.splits import audit
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import MANIFEST_FILE, Built
from covid_datasets.splits.audit import AuditReport
from covid_datasets.view.report.change import Change, change_of
from covid_datasets.view.report.described import Described, describe
from covid_datasets.view.report.tables import save_tables

SHOWN = 100
"""Pairs of several sources that are listed."""


@dataclass(frozen=True, slots=True)
class Together:
    """What several builds are, loaded as one dataset.

    Attributes:
        labels: Label -> build -> rows.
        kinds: Pairs of rows in two builds, by what binds them, and whether it is proven.
        pairs: The first of them.
        audit: The check of their joint split.
    """

    labels: Mapping[str, Mapping[str, int]]
    kinds: Mapping[tuple[str, bool], int]
    pairs: tuple[Mapping[str, Any], ...]
    audit: AuditReport

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "labels": {label: dict(of) for label, of in self.labels.items()},
            "overlaps": [{"kind": kind, "proven": proven, "pairs": n} for (kind, proven), n in self.kinds.items()],
            "pairs": [dict(pair) for pair in self.pairs],
            "audit": self.audit.to_json(),
        }


@dataclass(frozen=True)
class Report:
    """What is in finished builds: `html` is the page, `to_json` the same for machines, ``str()`` the short form.

    Attributes:
        builds: What is said of each build.
        together: What they are as one dataset, where there are several with images.
        change: What differs from another build, where one was named.
    """

    builds: tuple[Described, ...]
    together: Together | None = None
    change: Change | None = None

    @property
    def title(self) -> str:
        """Name what it is about."""
        against = f", against {self.change.first.name}" if self.change else ""
        return f"{', '.join(each.name for each in self.builds)}{against}"

    @cached_property
    def html(self) -> str:
        """The page. It needs no network and no other file."""
        from covid_datasets.view.report.page import page

        return page(self)

    def save_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file, whole or not at all."""
        target = Path(path).expanduser()
        try:
            with whole(target) as private:
                private.write_bytes(self.html.encode("utf-8", errors="backslashreplace"))
        except OSError as error:
            raise refused(target, error) from error
        return target

    def save_tables(self, folder: str | os.PathLike[str]) -> tuple[Path, Path]:
        """Write ``qc.csv``, a row for each sample and all that was dropped, and ``id_map.csv``, who is which file."""
        return save_tables([each.built for each in self.builds], folder)

    def to_json(self) -> dict[str, Any]:
        """Return plain data: all that the page says but the pixels."""
        return {
            "builds": [each.to_json() for each in self.builds],
            "together": self.together and self.together.to_json(),
            "change": self.change and self.change.to_json(),
        }

    def __str__(self) -> str:
        """Say the most important in a few lines."""
        lines = []
        for each in self.builds:
            built = each.built
            people = f" of {built.people}" if built.people else ""
            lines.append(f"{each.name}: {built.rows:,} rows{people}, {built.dropped:,} dropped")
            lines.append(f"  fingerprint {built.fingerprint}")
            lines.append("  splits: " + ", ".join(f"{split} {rows:,}" for split, rows in built.splits.items()))
            if built.labels:
                lines.append("  labels: " + ", ".join(f"{label} {rows:,}" for label, rows in built.labels.items()))
            for found in each.audits:
                lines.append(f"  scheme {found.scheme}: {'LEAKS' if found.leaks else 'no leak found'}")
        if self.together:
            lines.append(f"together: {'LEAKS' if self.together.audit.leaks else 'no leak found'} in the joint split")
            lines += [f"  {kind}: {n:,} pairs" for (kind, proven), n in self.together.kinds.items() if proven]
        if self.change:
            same = "the same rows in the same splits" if self.change.is_same else "not the same"
            lines.append(f"against {self.change.first.name}: {same}")
            lines += [f"  {each.kind}: {each.count:,} ({each.meaning})" for each in self.change.differences]
        return "\n".join(visible(line, keep="") for line in lines)

    def _repr_html_(self) -> str:
        """Show it in a notebook: a frame of its own, in which the page's style stays and nothing runs."""
        from covid_datasets.markup import framed

        return framed(self.html, self.title)


def report(
    name: Name | Sequence[Name],
    config: str | None = None,
    *,
    against: Name | None = None,
    i_have_the_rights: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Report:
    """Say what is in finished builds: counts, people, quality, what was dropped, licences, overlaps, leaks, pictures.

    Nothing is built, downloaded or learned. Pictures are shown where the licence is known to let them be passed on in
    another form; that they are made small is a change.

    Args:
        name: A dataset, or a list of them, as in `load_dataset`.
        config: One of the dataset's configs.
        against: Another build to compare with: a name with a version, such as "cohen@2020-02-18", or the folder of a
            finished build. It is the first one, from which the named one differs.
        i_have_the_rights: Show pictures whatever their licences say: the page is for you alone, or you have the rights.
        cache_dir: Where the builds are.

    Returns:
        A report: ``html`` and ``save_html()`` for people, ``to_json()`` for machines, ``str()`` for a terminal.

    Raises:
        NotBuiltError: One of them is not built; the message has the command.
        UsageError: Several are to be compared with one.

    >>> report([])
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: name: expected a dataset or a list of them, found an empty list
    """
    names = names_in(name)
    if not names:
        raise UsageError("name: expected a dataset or a list of them, found an empty list")
    if against is not None and len(names) > 1:
        raise UsageError(f"against: expected one dataset to compare, found {len(names)}: {', '.join(map(str, names))}")
    if config is not None and len(names) > 1:
        raise UsageError(f"config: expected one dataset beside it, found {len(names)}: each has configs of its own")
    builds = tuple(
        describe(find_build(each, config, cache_dir=cache_dir), info(each), i_have_the_rights=i_have_the_rights)
        for each in names
    )
    change = None if against is None else change_of(_other(against, config, builds[0], cache_dir), builds[0])
    pictured = [each for each, described in zip(names, builds, strict=True) if not described.built.columns]
    together = None
    if len(pictured) > 1:
        together = _together([each for each in builds if not each.built.columns], pictured, cache_dir)
    return Report(builds, together, change)


def _other(against: Name, config: str | None, of: Described, cache_dir: str | os.PathLike[str] | None) -> Described:
    """Find what is compared with: a build by its folder, or by its name."""
    folder = Path(os.fspath(against)).expanduser()
    if (folder / MANIFEST_FILE).is_file():
        built = Built.read(folder)
        if built.id != of.built.id:
            return describe(built, info(built.id))
        return describe(built, of.card)
    return describe(find_build(against, config, cache_dir=cache_dir), info(against))


def _together(builds: Sequence[Described], names: Sequence[Name], cache_dir: str | os.PathLike[str] | None) -> Together:
    labels: dict[str, dict[str, int]] = {}
    for each in builds:
        for label, rows in each.built.labels.items():
            labels.setdefault(label, {})[each.built.id] = rows
    pairs = overlaps(names, cache_dir=cache_dir).to_pylist()
    kinds = Counter((pair["kind"], pair["proven"]) for pair in pairs)
    first = tuple(sorted(pairs, key=lambda pair: not pair["proven"])[:SHOWN])
    ordered = dict(sorted(labels.items(), key=lambda item: -sum(item[1].values())))
    return Together(ordered, dict(kinds.most_common()), first, audit(names, cache_dir=cache_dir))
