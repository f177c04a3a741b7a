"""Where the rows of a dataset come from, as far as it still tells after all that its user did to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import load_card
from covid_datasets.errors import UnknownDatasetError
from covid_datasets.exports.split import Split
from covid_datasets.prepare.result import Built

_BUILT = re.compile(
    r"Built by covid_datasets as (\S{1,200}?)@(\S{1,200}) \(([^)\n]{1,200})\), fingerprint ([0-9a-f]{8,64})\b"
)
"""What a build says of itself in ``dataset.info.description``, which ``datasets`` keeps through select and filter."""


@dataclass(frozen=True, slots=True)
class Source:
    """A build that rows were taken from; ``card`` is ``None`` of data that is in no catalog."""

    id: str
    version: str
    config: str
    fingerprint: str
    card: Card | None = field(compare=False)


def source_of(build: Built) -> Source:
    """Name a build as a source."""
    return Source(build.id, build.version, build.config, build.fingerprint, _card(build.id))


def sources_of(description: str, split: Split) -> tuple[Source, ...]:
    """Find the builds that rows were taken from: those that their description names, and the ids in their own column.

    Rows may come from where nobody tells: then there is no source, and no licence that permits anything.
    """
    described = dict.fromkeys(_BUILT.findall(description))
    found = [Source(id, version, config, print_, _card(id)) for id, version, config, print_ in described]
    if "dataset" not in split.schema.names or not pa.types.is_string(split.schema.field("dataset").type):
        return tuple(found)
    ids: dict[str, None] = {}
    for batch in split.batches(1 << 16, ["dataset"]):
        ids |= dict.fromkeys(id for id in pc.unique(batch.column(0)).to_pylist() if id)
    if ids:  # a part of a joint dataset may have no row left of one of its builds
        found = [source for source in found if source.id in ids]
    told = {source.id for source in found}
    return (*found, *(Source(id, "", "", "", _card(id)) for id in ids if id not in told))


def joint_fingerprint(sources: Sequence[Source]) -> str:
    """Return the fingerprint of one build, or make one of those of several; empty where one is not known."""
    prints = sorted(source.fingerprint for source in sources)
    if not prints or not all(prints):
        return ""
    return prints[0] if len(prints) == 1 else sha256("\n".join(prints).encode()).hexdigest()


def _card(id: str) -> Card | None:
    try:
        return load_card(id)
    except UnknownDatasetError:
        return None
