"""`open_source`: the way from a choice to raw files, records, plan and tasks, the same for building and streaming."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from covid_datasets.catalog.card import Choice
from covid_datasets.extras import need
from covid_datasets.fetch.cached import require_mirror
from covid_datasets.prepare.composed import import_builder
from covid_datasets.prepare.inputs import declared_inputs, key_of
from covid_datasets.prepare.pieces import Place, Task
from covid_datasets.prepare.plan import Plan, make_plan
from covid_datasets.prepare.quoted import addresses_of
from covid_datasets.prepare.result import Verify
from covid_datasets.raw.obtain import Obtained, obtain
from covid_datasets.raw.terms import require_terms
from covid_datasets.settings import Settings


@dataclass(frozen=True, slots=True)
class Source:
    """A choice whose raw files are at hand, and how they are to be read."""

    choice: Choice
    obtained: Obtained
    data_dir: str | os.PathLike[str] | None
    verify: Verify
    allow_missing: bool

    def inputs(self) -> dict[str, Any]:
        """List everything that a build of this source depends on."""
        declared = declared_inputs(self.choice, self.verify)
        return declared | {"allow_missing": self.allow_missing, "raw": self._raw_signature()}

    def plan(self, shard_bytes: int | None) -> Plan:
        """Ask the builder for its records and lay them out."""
        card, raw = self.choice.card, self.obtained.raw
        builder = import_builder(card)
        return make_plan(
            card.id, builder.records(raw), raw, shard_bytes, self.choice.resources, addresses_of(card),
            table=bool(self.choice.columns), patients=card.patients,
        )  # fmt: skip

    def tasks(self, plan: Plan, place: Place | None = None) -> list[Task]:
        """Cut a plan into pieces of work; without a place their rows are only read."""
        name, raw, columns = self.choice.card.id, self.obtained.raw, self.choice.columns
        bounds = {"max_voxels": self.choice.form.max_voxels, "batch_bytes": plan.batch_bytes}
        return [Task(name, piece, raw, self.verify, columns, place, **bounds) for piece in plan.pieces]

    def _raw_signature(self) -> str:
        """Tell raw files apart: a user's by name, size and time, downloads by hash, incomplete ones by what is lost."""
        if self.data_dir is not None:
            return self.obtained.signature
        unproven = [origin for origin in self.obtained.origins if origin.verified != "content manifest"]
        found = [(origin.resource, origin.sha256) for origin in unproven]
        return key_of({"resources": found, "missing": list(self.obtained.missing)})


def open_source(
    choice: Choice,
    settings: Settings,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    verify: Verify = "full",
    allow_missing: bool = False,
    accept_licence: bool = False,
) -> Source:
    """Get the raw files of a choice, once what reads them is installed and terms that it asks for are accepted.

    >>> from covid_datasets.catalog.cards import choose
    >>> source = open_source(choose("phantom", "small"), Settings.resolve(getfixture("tmp_path")))
    >>> source.plan(None).rows
    42
    """
    data_dir = choice.data_dir(data_dir)
    if data_dir is None:
        require_mirror(settings)
    need(*choice.form.needs)  # before hours of downloading
    import_builder(choice.card)  # before workers are forked, which find its functions then
    require_terms(choice.card, settings, accept_licence)
    obtained = obtain(choice, settings, data_dir=data_dir, allow_missing=allow_missing)
    return Source(choice, obtained, data_dir, verify, allow_missing)
