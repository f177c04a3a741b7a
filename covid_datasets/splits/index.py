"""The index of a finished build: one small row per sample, in stored order, with all that splits need."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from covid_datasets.catalog.published import told_apart
from covid_datasets.columns import GROUP, SOURCE_INDEX
from covid_datasets.columns import INDEX_FILE as INDEX_FILE
from covid_datasets.splits.assign import places
from covid_datasets.splits.census import Census, Whole, count, each_once, traits_of
from covid_datasets.splits.groups import (
    Link,
    components,
    group_names,
    links_by_key,
    links_by_patient,
    links_by_ties,
    links_of_everybody,
)
from covid_datasets.splits.joined import joined_groups

if TYPE_CHECKING:
    from covid_datasets.splits.seen import Seen

LOOKS = "looks"
"""The column of an index by which pictures are compared."""


@dataclass(frozen=True)
class Index:
    """Rows of one build, or of several, with the evidence that ties them together.

    ``sizes`` are the rows of each finished build, whose groups were found when it was built; empty where none is
    finished, and all evidence has to be looked at.
    """

    table: pa.Table
    sizes: tuple[int, ...] = ()

    @classmethod
    def read(cls, build: Path) -> Index:
        """Map the index of a finished build."""
        return cls._joined([build / INDEX_FILE])

    @classmethod
    def evidence(cls, builds: Sequence[Path]) -> Index:
        """Map as one what joins the rows of several builds; of a view that is the index of what it was made of."""
        return cls._joined(
            [build / (SOURCE_INDEX if (build / SOURCE_INDEX).exists() else INDEX_FILE) for build in builds]
        )

    @classmethod
    def join(cls, builds: Sequence[Path]) -> Index:
        """Map the indices of several builds as one, without a copy."""
        return cls._joined([build / INDEX_FILE for build in builds])

    @classmethod
    def _joined(cls, files: Sequence[Path]) -> Index:
        tables = []
        for file in files:
            with pa.memory_map(str(file)) as source:
                tables.append(pa.ipc.open_file(source).read_all())
        return cls(pa.concat_tables(tables), tuple(table.num_rows for table in tables))

    def column(self, name: str) -> list[object]:
        """Return a column as Python values."""
        values: list[object] = self.table.column(name).to_pylist()
        return values

    def strings(self, name: str) -> list[str | None]:
        """Return a column of texts."""
        values: list[str | None] = self.table.column(name).to_pylist()
        return values

    def texts(self, name: str) -> list[str]:
        """Return a column of texts that has no nulls."""
        return [value or "" for value in self.strings(name)]

    @cached_property
    def units(self) -> list[str]:
        """What a published split names for each row: its patient or group, else, where there is neither, the sample."""
        return [
            unit or sample for unit, sample in zip(self.strings("patient_id"), self.texts("sample_id"), strict=True)
        ]

    @cached_property
    def places(self) -> list[str]:
        """What decides the split of each row where none is published: its unit, or the person other sources know."""
        return places(self.units, self.ties)

    @cached_property
    def known_patients(self) -> list[str | None]:
        """The patient of each row; ``None`` where nobody knows, and ``patient_id`` names a group or nothing."""
        pairs = zip(self.strings("patient_id"), self.column("patient_known"), strict=True)
        return [patient if known else None for patient, known in pairs]

    @cached_property
    def links(self) -> list[Link]:
        """All evidence that rows belong together, metadata first, pixels last."""
        told = [*self._told(), *self.near_links(), *self._resemblances()]
        return [*told, *links_of_everybody(self.strings("patient_id"), told)]

    def _resemblances(self) -> Iterator[Link]:
        """Yield pictures of one source that are alike, of whom nobody knows a patient, a case or a folder."""
        unknown = np.asarray([patient is None for patient in self.strings("patient_id")])
        if not unknown.any():
            return
        from covid_datasets.splits.near import resemblances  # as above

        seen = self.seen
        for rows, _ in self.by_source():
            yield from self._but_told_apart(resemblances(seen.of_rows(rows[unknown[rows]])))

    def _told(self) -> Iterator[Link]:
        """Yield the evidence for which no pictures have to be compared."""
        yield from links_by_patient(self.strings("patient_id"))
        yield from links_by_ties(self.ties)
        yield from links_by_key("same bytes", self.telling("sha256"))
        yield from links_by_key("same pixels", self.telling("pixel_hash"))

    def _near_across(self, apart: Sequence[Hashable]) -> Iterator[Link]:
        """Yield enough of the pictures that look the same in several builds to find all groups."""
        from covid_datasets.splits.near import near_groups  # threads, not needed by who only loads

        yield from self._but_told_apart(near_groups(self.seen, apart))

    @cached_property
    def ties(self) -> list[list[str]]:
        """The ties of each row."""
        values: list[list[str]] = self.table.column("ties").to_pylist()
        return values

    def near_links(self, apart: Sequence[Hashable] | None = None) -> list[Link]:
        """Find pictures that look the same; of rows with one value in ``apart`` none are compared."""
        from covid_datasets.splits.near import near_duplicates  # threads, not needed by who only loads

        return list(self._but_told_apart(near_duplicates(self.seen, apart)))

    def _but_told_apart(self, links: Iterable[Link]) -> Iterator[Link]:
        """Leave out pairs of which somebody saw that they show two people, as alike as they look."""
        told, names = told_apart(), self.table.column("sample_id")
        yield from (
            each
            for each in links
            if not told or frozenset((names[each.first].as_py(), names[each.second].as_py())) not in told
        )

    @property
    def seen(self) -> Seen:
        """What pictures are compared by."""
        from covid_datasets.splits.seen import Seen  # as above

        return Seen.stored(self.looks_by_part(), self.stored_looks)

    def looks_by_part(self) -> Iterator[tuple[np.ndarray, pa.Array]]:
        """Yield rows with their looks, as they are stored."""
        start = 0
        for chunk in self.table.column(LOOKS).chunks:
            yield np.arange(start, start + len(chunk)), chunk
            start += len(chunk)

    def stored_looks(self, row: int) -> pa.Scalar:
        """Return the looks of a row."""
        return self._looks[row]

    def thumb(self, row: int) -> bytes:
        """Return the thumbnail of all of a picture; empty of one that shows nothing."""
        looks = self.stored_looks(row).as_py()
        return looks[0]["thumb"] if looks else b""

    @cached_property
    def _looks(self) -> pa.ChunkedArray:
        return self.table.column(LOOKS)

    def telling(self, name: str) -> list[str | None]:
        """Return a column of hashes, without those that prove nothing because the picture is blank."""
        return [None if blank else key for key, blank in zip(self.strings(name), self.column("blank"), strict=True)]

    @cached_property
    def groups(self) -> list[int]:
        """The component of each row: of finished builds from what they found, and what joins rows across them."""
        if self.sizes:
            return joined_groups(self, self._near_across)
        return components(self.table.num_rows, self.links)

    @cached_property
    def group_ids(self) -> list[str]:
        """The name of each row's group: its smallest patient, or what stands for an unknown one."""
        if self._stored_groups:
            return self.texts(GROUP)  # as the build found it
        return group_names(self.groups, self.units)

    @property
    def _stored_groups(self) -> bool:
        return len(self.sizes) == 1 and GROUP in self.table.column_names

    @cached_property
    def stored_group_ids(self) -> list[str]:
        """The same of a single finished build, whose groups were found when it was built."""
        return group_names(self.texts("group"), self.units)

    @cached_property
    def sources(self) -> list[str]:
        """The dataset of each row."""
        samples = self.table.column("sample_id")
        dataset = str(samples[0]).partition("/")[0] if len(samples) else ""
        if pc.all(pc.starts_with(samples, pattern=f"{dataset}/")).as_py():  # as of all builds but joint ones
            return [dataset] * len(samples)
        return [sample.partition("/")[0] for sample in self.texts("sample_id")]

    def by_source(self) -> Iterator[tuple[Whole, Index]]:
        """Yield the numbers of the rows of each source, and the index of them alone, as if no other were there."""
        if len(self.sizes) > 1:
            for start, stop in itertools.pairwise(itertools.accumulate(self.sizes, initial=0)):
                yield np.arange(start, stop), Index(self.table.slice(start, stop - start), (stop - start,))
            return
        names = dict.fromkeys(self.sources)
        if len(names) < 2:
            yield np.arange(self.table.num_rows), self
            return
        sources = np.asarray(self.sources)
        for name in names:
            rows = np.flatnonzero(sources == name)
            yield rows, Index(self.table.take(pa.array(rows)))

    def census(self, sources: Sequence[str] | None = None) -> Census:
        """Count what each group has of which every part of a split should have its share.

        Each of the ``sources`` is counted by itself; where none are given, each dataset.
        """
        columns = [each_once(sources or self.sources), *map(self._values, ("label", "modality", "survival"))]
        several = np.ravel_multi_index([codes for _, codes in columns], [max(len(values), 1) for values, _ in columns])
        sorts, codes = np.unique(several, return_inverse=True)
        places = np.unravel_index(sorts, [max(len(values), 1) for values, _ in columns])
        alike = zip(*([values[at] for at in of] for (values, _), of in zip(columns, places, strict=True)), strict=True)
        names, groups = self._values(GROUP) if self._stored_groups else each_once(self.group_ids)
        return count(names, groups, list(map(traits_of, alike)), codes)

    def _values(self, name: str) -> tuple[list[Any], Whole]:
        """List each value of a column once, and number where they are; null is one of them."""
        encoded = self.table.column(name).combine_chunks().dictionary_encode(null_encoding="encode")
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)
