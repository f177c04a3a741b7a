"""`Exportable`: whatever `load_dataset` returns, as stored columns that a format writes batch by batch.

Nothing is decoded on the way: an image is a struct of its bytes and the name of its file, a label is its number.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from covid_datasets.catalog.card import Card
from covid_datasets.errors import UsageError
from covid_datasets.exports.features import feature_types
from covid_datasets.exports.opened import opened
from covid_datasets.exports.source import Source as Source
from covid_datasets.exports.source import joint_fingerprint
from covid_datasets.exports.split import Split as Split

_SPLIT = re.compile(r"\w+([-.]\w+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Exportable:
    """A dataset ready to be exported.

    Attributes:
        name: The id of its source; of several, joined by ``-``.
        version: The version of its source; empty where there are several, or none is known.
        fingerprint: That of the build its rows were taken from; of several builds, one made of all of theirs.
        sources: The builds that its rows were taken from, as far as the dataset still tells.
        features: The stored schema, with the features of Hugging Face in its metadata.
        label_names: The classes of the column ``label``, by number; empty where there is none.
        splits: By name, in order.
        cache_dir: Where downloads are, for a format that wants the publisher's files.
        data_dir: The user's own copy of these.

    >>> import covid_datasets
    >>> rows = covid_datasets.load_dataset("phantom", "small", framework="numpy", cache_dir=getfixture("tmp_path"))
    >>> data = Exportable.of(rows)
    >>> data.name, [card.id for card in data.cards], list(data.splits)
    ('phantom', ['phantom'], ['train', 'validation', 'test'])
    >>> next(data.splits["train"].batches(2)).num_rows
    2
    """

    name: str
    version: str
    fingerprint: str
    sources: tuple[Source, ...]
    features: pa.Schema
    label_names: tuple[str, ...] = ()
    splits: Mapping[str, Split] = field(default_factory=dict)
    cache_dir: str | os.PathLike[str] | None = None
    data_dir: str | os.PathLike[str] | None = None

    @property
    def cards(self) -> tuple[Card, ...]:
        """The cards of its sources; data of one's own has none."""
        return tuple(source.card for source in self.sources if source.card is not None)

    @property
    def rows(self) -> int:
        """Count the rows of all splits."""
        return sum(split.rows for split in self.splits.values())

    @property
    def bytes(self) -> int:
        """About how many bytes the rows take, from the lengths of their files and texts; no file is read."""
        return sum(split.bytes() for split in self.splits.values())

    @property
    def feature_types(self) -> dict[str, Any]:
        """The feature of each column, in the form of ``datasets.Features.to_dict()``."""
        return feature_types(self.features)

    @classmethod
    def of(cls, given: Any, name: str = "") -> Exportable:
        """Take what `load_dataset` returns in any framework: one split, or a mapping of splits.

        A single split is called ``train``, or what it says of itself. ``name`` replaces the name of the dataset.
        """
        found = {split: opened(rows) for split, rows in _by_name(given).items()}
        features = next(iter(found.values()))[0].schema
        for split, (rows, _) in found.items():
            if not rows.schema.equals(features, check_metadata=True):
                raise UsageError(
                    f"export: expected the same columns and features in every split, found others in {split!r} than in "
                    f"{next(iter(found))!r}. Export them one by one, or cast them to the same features first"
                )
        sources = tuple(dict.fromkeys(source for _, of_split in found.values() for source in of_split))
        return cls(
            name=name or "-".join(dict.fromkeys(source.id for source in sources)) or "dataset",
            version=sources[0].version if len(sources) == 1 else "",
            fingerprint=joint_fingerprint(sources),
            sources=sources,
            features=features,
            label_names=tuple(feature_types(features).get("label", {}).get("names", ())),
            splits={split: rows for split, (rows, _) in found.items()},
        )


def _by_name(given: Any) -> dict[str, Any]:
    if isinstance(given, Mapping):
        if not given:
            raise UsageError("export: expected a dataset with splits, found an empty mapping")
        for name in given:
            if not isinstance(name, str) or not _SPLIT.fullmatch(name):
                raise UsageError(f"export: expected splits named like 'train' or 'fold-1', found {name!r}")
        return dict(given)
    if isinstance(given, list | tuple):
        raise UsageError(
            "export: expected one dataset or a mapping of splits, found a list. Name them: "
            "export({'train': parts[0], 'test': parts[1]}, ...)"
        )
    named = str(getattr(given, "split", None) or "")
    return {named if _SPLIT.fullmatch(named) else "train": given}
