"""What a leak is worth, where it is planted: people with copies, whose label nothing in the picture tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from covid_datasets import OwnData
from covid_datasets.baselines.evaluate.leaks import WAYS, leaks
from covid_datasets.errors import UsageError
from tests.audits.conftest import film, ward

pytest.importorskip("sklearn")


def copies(picture: Image.Image, path: Path, ill: bool, person: int) -> None:
    """Save the same picture of a person twice, a little brighter each time."""
    brighter = 4 * int(path.name)
    film(7919 * person).point([min(value + brighter, 255) for value in range(256)]).save(path.with_suffix(".png"))


def test_who_remembers_gains_by_rows_and_nothing_by_groups(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    own = ward(tmp_path / "ward", cache, copies)
    found = leaks(own, cache_dir=cache, seeds=(0,))
    nearest = found.aucs["nearest neighbour of thumbnails"]
    assert nearest["by row"].value > 0.75
    for kept_together in ("by group", "by patient"):
        low, high = nearest[kept_together].low, nearest[kept_together].high
        assert low is not None
        assert high is not None
        assert low < 0.5 < high or abs(nearest[kept_together].value - 0.5) < 0.15
    gain = found.differences["nearest neighbour of thumbnails"]["by row less by group"]
    assert gain.low is not None
    assert gain.low > 0
    assert (found.torn["by group"], found.torn["by patient"]) == (0, 0)
    assert found.torn["by row"] > 20
    assert (found.rows, found.patients, found.groups) == (80, 40, 40)
    assert set(found.aucs["logistic regression of thumbnails"]) == set(WAYS)
    json.dumps(found.to_json())
    assert "by row less by group" in str(found)


def test_a_class_that_too_few_have_is_refused(plain: tuple[OwnData, Path]) -> None:
    own, cache = plain
    with pytest.raises(UsageError, match="expected 'pneumonia' and other labels in 5 groups or more"):
        leaks(own, cache_dir=cache, positive="pneumonia")
