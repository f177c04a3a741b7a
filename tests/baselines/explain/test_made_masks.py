"""Masks that nobody published: a network's as a derived dataset, and those on which `explain` measures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("scipy")

from covid_datasets import explain, learned_infection, learned_lungs, train
from covid_datasets.baselines.explain import run as explaining
from covid_datasets.baselines.segment.weights import SHIPPED, load_weights, save_weights
from covid_datasets.errors import DamagedFileError, UsageError
from covid_datasets.load.rows import decoded
from covid_datasets.prepare.derived.asked import derivation
from covid_datasets.prepare.result import Built
from covid_datasets.transforms.segment.infection import infection_mask
from covid_datasets.transforms.segment.lungs import lung_mask
from tests.baselines.quick import QUICK, SCHEME
from tests.prepare.derived.chests import built, chest, derived, series
from tests.processes import table_of


def rows_of(found: Built) -> list[dict[str, Any]]:
    return [decoded(row) for row in table_of(found).to_pylist()]


def test_masks_of_a_network_are_a_derived_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = chest()
    where: dict[str, Any] = {"spacing": own.spacing, "orientation": "LPS"}
    lungs = lung_mask(own.voxels, **where, method=learned_lungs())
    ill = infection_mask(own.voxels, lungs, **where, method=learned_infection())
    found = derived(built(monkeypatch, tmp_path, series("a")), "learned_infection")
    rows = rows_of(found)
    assert np.array_equal(np.stack([row["masks"]["lung"] for row in rows]), lungs.mask)
    assert np.array_equal(np.stack([row["masks"]["infection"] for row in rows]), ill.mask)
    name = load_weights().name
    assert {(row["lung_mask_from"], row["infection_mask_from"]) for row in rows} == {(name, name)}
    assert load_weights().sha256 in json.dumps(found.view)


def test_other_weights_make_another_dataset(tmp_path: Path) -> None:
    """The same name, but another file of weights in its place."""
    for path in (SHIPPED, SHIPPED.with_suffix(".json")):
        shutil.copyfile(path, tmp_path / f"w{path.suffix}")
    asked = f"learned_lungs(weights={str(tmp_path / 'w.safetensors')!r})"
    before = derivation(derive=asked)
    assert before is not None
    assert before.by == derivation(derive="learned_lungs").by  # type: ignore[union-attr]
    name = before.name
    weights = load_weights()
    weights.network.score.bias.data += 1
    save_weights(weights.network, tmp_path / "w.safetensors", {**weights.card, "name": "w"})
    after = derivation(derive=asked)
    assert after is not None
    assert after.by != before.by
    assert after.name != name
    with pytest.raises(UsageError, match="as it was when this began"):
        _ = before.made


def test_weights_that_are_not_there_or_damaged_are_said_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected weights"):
        derivation(derive=f"learned_lungs(weights={str(tmp_path / 'none')!r})")
    for path in (SHIPPED, SHIPPED.with_suffix(".json")):
        shutil.copyfile(path, tmp_path / f"w{path.suffix}")
    (tmp_path / "w.safetensors").write_bytes(SHIPPED.read_bytes()[:-7])
    with pytest.raises(DamagedFileError, match="expected the digest"):
        derivation(derive=f"learned_infection(weights={str(tmp_path / 'w.safetensors')!r})")


def test_a_run_is_explained_on_masks_that_are_made_where_there_are_none(
    cohort: Path, one_thread: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    train("phantom", run, device="cpu", scheme=SCHEME, cache_dir=cohort, changes=QUICK, filters={"modality": "CT"})
    made = explain(run, limit=8, device="cpu", cache_dir=cohort, derive="lungs")
    assert any("derive='lungs'" in note for note in made.notes)
    published = explain(run, limit=8, device="cpu", cache_dir=cohort)
    assert not any("derive=" in note for note in published.notes)
    lung = {of["random"]["lung"].area.value for of in (made.shares, published.shares)}
    assert len(lung) == 1, "published masks win"

    asked: list[str] = []
    batches = explaining._batches

    def unmasked(trained: Any, split: str, derive: str, cache_dir: Any) -> Any:
        asked.append(derive)
        if derive:
            return batches(trained, split, derive, cache_dir)
        with monkeypatch.context() as patched:
            patched.setattr("covid_datasets.load.fixed.make.masks_in", lambda builds: [])
            return batches(trained, split, derive, cache_dir)

    monkeypatch.setattr(explaining, "_batches", unmasked)
    found = explain(run, limit=8, device="cpu", cache_dir=cohort)
    assert asked == ["", "infection"]
    assert any("derive='infection'" in note for note in found.notes)
    assert {"lung", "infection", "lower"} <= found.shares["grad-cam"].keys()
    monkeypatch.setattr(explaining, "MADE", "lungs(nothing=1)")
    with pytest.raises(
        UsageError, match="expected masks, such as 'lung', found none, and they cannot be made: .*nothing"
    ):
        explain(run, limit=8, device="cpu", cache_dir=cohort)
