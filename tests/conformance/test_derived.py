"""Lungs of every source with CT: each row keeps its place, and has a mask of its own, its publisher's, or a reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from covid_datasets.errors import UsageError
from covid_datasets.load.rows import decoded
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.derived.asked import derivation
from covid_datasets.prepare.derived.build import build_view
from tests.demands import BUILDS, OF_TABLES, SOURCES
from tests.small import SmallSources

SOME = 2
"""Configs of each source, slices and volumes first: the others hold the same pictures."""


def of_ct() -> Iterator[tuple[str, str]]:
    for name, card in SOURCES.items():
        if "CT" in card.modalities:
            images = [each for each in BUILDS if each[0] == name and each not in OF_TABLES]
            yield from sorted(images, key=lambda each: each[1] not in ("slices", "volumes"))[:SOME]


@pytest.mark.parametrize(("name", "config"), list(of_ct()))
def test_every_ct_has_lungs_or_a_reason(name: str, config: str, small: SmallSources) -> None:
    pytest.importorskip("scipy")
    source = small.build(name, config=config)
    wanted = derivation(derive="lungs")
    assert wanted is not None
    if not {"CT", None} & set(open_table(source).column("modality").to_pylist()):  # a config of radiographs
        with pytest.raises(UsageError, match=f"expected a source of CT, found {name}, config {config}, which holds"):
            build_view(source, wanted, source.path.parents[3], num_proc=1)
        return
    found = build_view(source, wanted, source.path.parents[3], num_proc=1)
    before, after = (open_table(built) for built in (source, found))
    assert after.column("sample_id").to_pylist() == before.column("sample_id").to_pylist()
    assert found.splits == source.splits
    for row in map(decoded, after.to_pylist()):
        mask = row["masks"]["lung"] if row["image"] is not None else row["volume_masks"]["lung"]
        if row["modality"] not in ("CT", None):
            assert row["lung_mask_from"] is None
            assert row["reasons"]
            continue
        shown = row["image"] if row["image"] is not None else row["volume"]
        assert mask is not None
        assert mask.shape == shown.shape[: mask.ndim]
        assert mask.max() <= 2
        assert mask.any() or row["reasons"], "an empty mask says why"
        assert row["lung_mask_from"] or row["reasons"]
