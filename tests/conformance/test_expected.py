"""Some files of each small tree, by hand: whose they are, what they show, and where they go.

What a builder says of itself cannot show that it is wrong; somebody who looked at the source wrote these rows.
"""

from __future__ import annotations

import pytest

from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.load.stored import open_table
from covid_datasets.schema import CONTENT
from covid_datasets.splits.index import Index
from tests.demands import TABLES, every_source
from tests.small import SmallSources, source_module
from tests.sources import Expected

LEAST = 2


@every_source
def test_some_files_are_what_somebody_expects(name: str, small: SmallSources) -> None:
    expected = getattr(source_module(name), "EXPECTED", {})
    assert len(expected) >= LEAST, f"tests/sources/{name}.py: expected EXPECTED, with at least {LEAST} files or rows"
    built = small.build(name)
    stored = open_table(built)
    if name in TABLES:
        rows = stored.to_pylist()
        absent = [row for row in expected if not any(row.items() <= found.items() for found in rows)]
        assert not absent, f"{len(absent)} expected rows are not in the table, such as {absent[0]}"
        return
    index = Index.read(built.path)
    halves = zip(index.texts("split"), index.strings("official_split"), strict=True)
    places = dict(zip(index.texts("sample_id"), halves, strict=True))
    columns = ["sample_id", "patient_id", "patient_known", "label", *CONTENT]
    became = {
        next(str(row[kind]["path"]) for kind in CONTENT if row[kind]): Expected(
            row["sample_id"].removeprefix(f"{name}/"),
            row["patient_id"].removeprefix(f"{name}/") if row["patient_known"] else None,
            None if row["label"] is None else label_names()[row["label"]],
            *places[row["sample_id"]],
        )
        for row in stored.select(columns).to_pylist()
    }
    became |= {path.removesuffix(".nii"): row for path, row in became.items()}  # volumes of other formats
    wrong = [
        f"{path}:\n  expected {row}\n  found    {became.get(path)}"
        for path, row in expected.items()
        if became.get(path) != row
    ]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)
