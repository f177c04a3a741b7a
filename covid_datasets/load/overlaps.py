"""`overlaps`: what finished builds of several sources have in common."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pyarrow as pa
from PIL import Image

from covid_datasets.catalog.cards import Name, id_of, names_in
from covid_datasets.errors import UsageError
from covid_datasets.load.stored import open_table
from covid_datasets.measure.image import UndecodableError, decode, to_grey
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from covid_datasets.progress import progress
from covid_datasets.splits.crops import crop_correlation
from covid_datasets.splits.index import Index
from covid_datasets.splits.overlaps import find_overlaps

SCHEMA = pa.schema(
    [("first", pa.string()), ("second", pa.string()), ("kind", pa.string()), ("proven", pa.bool_())]
    + [(f"{which}_{what}", pa.string()) for what in ("patient", "label") for which in ("first", "second")]
    + [("evidence", pa.string())]
)


def overlaps(names: Sequence[Name], *, cache_dir: str | os.PathLike[str] | None = None) -> pa.Table:
    """List the pairs of rows of different datasets that show one picture or one person, with the evidence for it.

    The kinds are "same bytes", "same pixels", "near-duplicate" (whole or in the central squares), "same name" (a name
    that is hardly chosen twice, confirmed or contradicted by looks) and "tie" (proven before, in the catalog). A pair
    has a row for each kind; ``proven`` is false where only the name speaks for it.

    >>> overlaps(["phantom"])
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: names: expected two or more different datasets, found ['phantom']
    """
    names = names_in(names)
    if len({id_of(name) for name in names}) < max(len(names), 2):
        raise UsageError(f"names: expected two or more different datasets, found {names!r}")
    builds = [find_build(name, cache_dir=cache_dir) for name in names]
    index = Index.join([built.path for built in builds])
    pictures = _Pictures(builds)
    with progress("Comparing", unit="pairs") as display:
        count = sum(built.rows for built in builds)
        display.note(f"{count:,} rows of {', '.join(map(str, names))}, all with all; then the pictures of one name")
        display.add("pairs", None)

        def likeness(first: int, second: int) -> float | None:
            display.advance("pairs")
            return pictures.likeness(first, second)

        found = find_overlaps(index, likeness)
    columns = {name: index.strings(name) for name in ("sample_id", "patient_id", "label")}
    rows = [
        {
            "first": columns["sample_id"][each.first],
            "second": columns["sample_id"][each.second],
            "kind": each.kind,
            "proven": each.proven,
            "first_patient": columns["patient_id"][each.first],
            "second_patient": columns["patient_id"][each.second],
            "first_label": columns["label"][each.first],
            "second_label": columns["label"][each.second],
            "evidence": each.evidence,
        }
        for each in found
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


class _Pictures:
    """The pictures of several builds, in the order of their joint index, decoded when they are asked for."""

    def __init__(self, builds: Sequence[Built]) -> None:
        self._images = pa.chunked_array([chunk for built in builds for chunk in open_table(built)["image"].chunks])

    def likeness(self, first: int, second: int) -> float | None:
        one, other = self._grey(first), self._grey(second)
        return None if one is None or other is None else crop_correlation(one, other)

    def _grey(self, row: int) -> Image.Image | None:
        image = self._images[row].as_py()
        try:
            return None if image is None else to_grey(decode(image["bytes"]))
        except UndecodableError:  # possible where a build only hashed its bytes; then nothing bears the name out
            return None
