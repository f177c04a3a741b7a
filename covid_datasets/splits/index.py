"""The index of a finished build: one small row per sample, in stored order, with all that splits need."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from covid_datasets.columns import GROUP, SOURCE_INDEX
from covid_datasets.columns import INDEX_FILE as INDEX_FILE
from covid_datasets.splits.assign import is_everybody, places
from covid_datasets.splits.groups import (
    Link,
    central_square,
    components,
    group_names,
    links_by_key,
    links_by_patient,
    links_by_ties,
    links_of_everybody,
)
from covid_datasets.splits.place import Census, Whole, take_census, traits_of


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
        told = [*self._told(), *self.near_links()]
        return [*told, *links_of_everybody(self.strings("patient_id"), told)]

    def _told(self) -> Iterator[Link]:
        """Yield the evidence for which no pictures have to be compared."""
        yield from links_by_patient(self.strings("patient_id"))
        yield from links_by_ties(self.ties)
        yield from links_by_key("same bytes", self.telling("sha256"))
        yield from links_by_key("same pixels", self.telling("pixel_hash"))

    def _joining(self) -> Iterable[Link]:
        """Yield enough evidence to find all groups: of finished builds their own, and what joins rows across them."""
        if not self.sizes:
            return self.links
        builds = [str(number) for number, size in enumerate(self.sizes) for _ in range(size)]
        keys = list(map("{} {}".format, builds, self.texts("group")))
        if len(self.sizes) == 1:
            return links_by_key("tie", keys)
        from covid_datasets.splits.near import near_groups  # threads, not needed by who only loads

        # The group of all whom nobody knows is no evidence: each of its rows is compared with the others again.
        patients = self.strings("patient_id")
        known = {key for key, patient in zip(keys, patients, strict=True) if not is_everybody(patient)}
        stored = links_by_key("tie", [key if key in known else None for key in keys])
        sides = enumerate(zip(builds, keys, strict=True))
        apart = [build if key in known else f"{build} {row}" for row, (build, key) in sides]
        searches = (near_groups(phashes, thumb, apart) for _, phashes, thumb in self._looks())
        found = list(itertools.chain(stored, self._told(), *searches))
        return itertools.chain(found, links_of_everybody(patients, found))

    @cached_property
    def ties(self) -> list[list[str]]:
        """The ties of each row."""
        values: list[list[str]] = self.table.column("ties").to_pylist()
        return values

    def near_links(self, apart: Sequence[str] | None = None) -> list[Link]:
        """Find pictures that look the same, whole or in their central squares: many copies were made square first."""
        from covid_datasets.splits.near import near_duplicates  # threads, not needed by who only loads

        found: dict[tuple[int, int], Link] = {}
        for said, phashes, thumb in self._looks():
            for link in near_duplicates(phashes, thumb, apart):
                found.setdefault((link.first, link.second), replace(link, key=said + link.key))
        return list(found.values())

    def _looks(self) -> Iterator[tuple[str, list[str | None], Callable[[int], bytes]]]:
        """Yield what pictures are compared by: their hashes and thumbnails, whole, then cut to squares, if any is."""
        phashes, squares = self.strings("phash"), self.strings("square_phash")
        yield "", phashes, self.thumb
        if any(squares):
            cut = [square or whole for square, whole in zip(squares, phashes, strict=True)]
            yield "central squares: ", cut, self._square

    def thumb(self, row: int) -> bytes:
        """Return the thumbnail of a row; empty where there is none."""
        return self._thumbs[row].as_py() or b""

    def _square(self, row: int) -> bytes:
        aspect = self._aspects[row]
        return central_square(self.thumb(row), aspect) if aspect not in (None, 1.0) else self.thumb(row)

    @cached_property
    def _thumbs(self) -> pa.ChunkedArray:
        return self.table.column("thumb")

    @cached_property
    def _aspects(self) -> list[float | None]:
        values: list[float | None] = self.table.column("aspect").to_pylist()
        return values

    def telling(self, name: str) -> list[str | None]:
        """Return a column of hashes, without those that prove nothing because the picture is blank."""
        return [None if blank else key for key, blank in zip(self.strings(name), self.column("blank"), strict=True)]

    @cached_property
    def groups(self) -> list[int]:
        """The component of each row."""
        return components(self.table.num_rows, self._joining())

    @cached_property
    def group_ids(self) -> list[str]:
        """The name of each row's group: its smallest patient, or what stands for an unknown one."""
        if len(self.sizes) == 1 and GROUP in self.table.column_names:
            return self.texts(GROUP)  # as the build found it
        return group_names(self.groups, self.units)

    @cached_property
    def stored_group_ids(self) -> list[str]:
        """The same of a single finished build, whose groups were found when it was built."""
        return group_names(self.texts("group"), self.units)

    @cached_property
    def sources(self) -> list[str]:
        """The dataset of each row."""
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
        columns = map(self.column, ("label", "modality", "survival"))
        return take_census(self.group_ids, zip(sources or self.sources, *columns, strict=True), traits_of)
