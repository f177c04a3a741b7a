"""Models of patients and volumes: slices that are weighed or stacked, and a label for all of them."""

from __future__ import annotations

import csv
import json
import signal
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import build_dataset, evaluate, explain, load_dataset, predict, train
from covid_datasets.baselines.recipe import read_recipe
from covid_datasets.errors import CatalogError, UsageError
from tests.baselines.test_resume import KILLED
from tests.processes import python

pytestmark = [
    pytest.mark.skipif(not all(map(find_spec, ("torch", "monai", "safetensors"))), reason="needs the extra baselines"),
    pytest.mark.usefixtures("one_thread"),
]
TINY: dict[str, Any] = {"width": 0.05, "image_size": 32, "epochs": 2, "batch_size": 4, "slices": 4}
OPTIONS: dict[str, Any] = {"config": "series", "scheme": "patient(50/20/30)", "seed": 3, "device": "cpu"}
WEIGHED = {"network": "mobilenet_v2"}


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build series of eight slices, of which two show the disease."""
    cache: Path = tmp_path_factory.mktemp("scans")
    build_dataset("phantom", config="series", cache_dir=cache, num_proc=1)
    return cache


def trained(scans: Path, out: Path, recipe: str = "small-patient", **changes: Any) -> Any:
    options = OPTIONS | changes.pop("options", {})
    return train("phantom", out, recipe, cache_dir=scans, changes=TINY | changes, **options)


@pytest.fixture(scope="module")
def single() -> Iterator[None]:
    """Let torch add up in one order, in what is made once for all tests here."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def weighed(single: None, scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return trained(scans, tmp_path_factory.mktemp("runs") / "weighed", **WEIGHED)


@pytest.fixture(scope="module")
def stacked(single: None, scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return trained(scans, tmp_path_factory.mktemp("runs") / "stacked", "small-volume")


def lines_of(run: Any) -> list[dict[str, str]]:
    with (run.path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_patient(lines: list[dict[str, str]]) -> Mapping[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for line in lines:
        found.setdefault(line["patient"], []).append(line)
    return found


def test_all_slices_of_a_patient_have_one_score_and_shares_of_it(weighed: Any, scans: Path) -> None:
    patients = by_patient(lines_of(weighed))
    assert {len(rows) for rows in patients.values()} == {8}
    for rows in patients.values():
        assert len({row["p_covid19"] for row in rows}) == 1
        assert sum(float(row["share"]) for row in rows) == pytest.approx(1, abs=1e-5)
    counts = weighed.config["units"]
    assert sum(sum(count.values()) for count in counts.values()) * 8 == sum(
        sum(count.values()) for count in weighed.config["counts"].values()
    )
    found = evaluate(weighed.path, beside=False, cache_dir=scans)
    assert found.patients == counts["test"]["covid19"] + counts["test"]["rest"]
    assert any("measures by patient count" in note for note in found.notes)
    with pytest.raises(UsageError, match="a model of images, found one of a patient"):
        explain(weighed.path, device="cpu", cache_dir=scans)


def test_a_volume_is_seen_as_one(stacked: Any, scans: Path) -> None:
    lines = lines_of(stacked)
    assert "share" not in lines[0]
    assert all(len({row["p_covid19"] for row in rows}) == 1 for rows in by_patient(lines).values())
    assert evaluate(stacked.path, beside=False, cache_dir=scans).rows == len(lines) - 8 * sum(
        stacked.config["units"]["validation"].values()
    )


@pytest.mark.parametrize("recipe", ["small-patient", "small-volume"])
def test_a_killed_training_of_units_ends_with_the_same_bits(
    recipe: str, weighed: Any, stacked: Any, scans: Path, tmp_path: Path
) -> None:
    """Killed within the second epoch, whose patients, slices and changes are drawn anew."""
    import torch

    from covid_datasets.baselines.train.state import read_tensors

    whole, more = (weighed, WEIGHED) if recipe == "small-patient" else (stacked, {})
    options = OPTIONS | {"recipe": recipe, "checkpoint_steps": 2, "changes": TINY | more}
    done = python(KILLED, tmp_path / "killed", scans, "3", json.dumps(options))
    assert done.returncode == -signal.SIGKILL, done.stderr
    _, about = read_tensors(tmp_path / "killed" / "state.safetensors")
    assert (about["epoch"], about["steps"], about["seen"]) == (1, 2, 8), "seen counts units"
    resumed = train("phantom", tmp_path / "killed", cache_dir=scans, **options)
    for name in ("checkpoint.safetensors", "state.safetensors"):
        one, other = (read_tensors(run.path / name)[0] for run in (whole, resumed))
        assert set(one) == set(other)
        assert all(torch.equal(one[key], other[key]) for key in one), name
    assert (whole.path / "predictions.csv").read_bytes() == (resumed.path / "predictions.csv").read_bytes()


def test_predict_scores_folders_and_volumes_as_rows_were(
    weighed: Any, stacked: Any, scans: Path, tmp_path: Path
) -> None:
    nibabel = pytest.importorskip("nibabel")
    said = by_patient([row for row in lines_of(weighed) if row["split"] == "test"])
    rows = load_dataset("phantom", "series", split="test", scheme=OPTIONS["scheme"], framework="numpy", cache_dir=scans)
    for row in rows.stored(0, 16, ["sample_id", "image", "patient_id"]).to_pylist():
        file = tmp_path / "mine" / row["patient_id"] / (row["sample_id"].replace("/", "-") + ".png")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(row["image"]["bytes"])
    volume = np.random.default_rng(0).integers(-1000, 400, (40, 40, 6)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([1.0, 1.0, 5.0, 1.0])), tmp_path / "mine" / "scan.nii.gz")
    (tmp_path / "mine" / "cut.nii.gz").write_bytes((tmp_path / "mine" / "scan.nii.gz").read_bytes()[:99])
    found = predict(weighed.path, tmp_path / "mine", tmp_path / "out.csv", device="cpu")
    names = [row.file for row in found.rows]
    assert len(names) == 3
    assert "scan.nii.gz" in names
    assert any(text.startswith("cut.nii.gz") for text in found.left_out)
    for row in found.rows:
        if row.file in said:
            assert row.probabilities["covid19"] == pytest.approx(float(said[row.file][0]["p_covid19"]), abs=2e-5)
    assert [row["file"] for row in csv.DictReader((tmp_path / "out.csv").open())] == names
    of_volumes = predict(stacked.path, tmp_path / "mine", device="cpu")
    assert [row.file for row in of_volumes.rows] == ["scan.nii.gz"]
    assert sum("nobody tells where in a body" in text for text in of_volumes.left_out) == 16


def test_what_is_no_unit_is_told_before(cohort: Path, scans: Path, tmp_path: Path) -> None:
    def refused(says: str, recipe: str = "small-patient", cache: Path = cohort, **options: Any) -> None:
        given = {"config": None, "scheme": "patient(50/25/25)"} | options
        with pytest.raises(UsageError, match=says):
            trained(cache, tmp_path / "run", recipe, options=given, **WEIGHED if recipe == "small-patient" else {})
        assert not (tmp_path / "run").exists()

    refused("train: expected the series of every row.*nobody knows that of", "small-volume")
    only = {"config": "series", "scheme": "patient(50/20/30)", "filters": {"part_index": 3}}
    refused("train: expected series of two slices or more.*have one", "small-volume", scans, **only)
    for changes, says in (
        ({"unit": "patient", "network": "resnet10_3d"}, "key 'unit': expected 'series', because resnet10_3d sees"),
        ({"unit": "patient", "draws": ["infection"]}, "key 'draws': expected none where unit is not 'image'"),
        ({"unit": "series", "keep": {"covid19": 3}}, "key 'keep': expected none where unit is not 'image'"),
        ({"unit": "lung"}, "key 'unit': expected one of image, patient, series"),
        ({"slices": 0}, "key 'slices': expected 1 to 1024"),
        ({"slices": 1 << 20}, "key 'slices': expected 1 to 1024"),
        ({"unit": "series", "network": "resnet10_3d", "pretraining": {"epochs": 1}}, "sees no single pictures"),
    ):
        with pytest.raises(CatalogError, match=says):
            read_recipe("small", **changes)


def test_a_patient_of_two_labels_and_an_unknown_one_are_named(scans: Path) -> None:
    from covid_datasets.baselines.train.units import units_of

    rows = load_dataset("phantom", "series", split="test", framework="numpy", cache_dir=scans)

    class Other:
        def __init__(self, **columns: Any) -> None:
            self.columns = columns

        def column(self, name: str) -> Any:
            import pyarrow as pa

            found = rows.column(name).to_pylist()
            if name in self.columns:
                found[0] = self.columns[name]
            return pa.chunked_array([pa.array(found, rows.column(name).type)])

    recipe = read_recipe("small-patient")
    label = (rows.column("label")[0].as_py() + 1) % 2
    with pytest.raises(UsageError, match=r"expected one label of each patient; 1 of .* Judge each series"):
        units_of("test", Other(label=label), recipe)
    for column in ({"patient_id": None}, {"patient_known": False}):
        with pytest.raises(UsageError, match="nobody knows that of 1 of"):
            units_of("test", Other(**column), recipe)
    with pytest.raises(UsageError, match="expected the place of every slice.*1 of"):
        units_of("test", Other(part_index=None), read_recipe("small-volume"))


def test_long_series_are_seen_in_part_and_short_ones_twice(scans: Path) -> None:
    from covid_datasets.baselines.train.units import UnitBatches, units_of
    from covid_datasets.load.fixed.order import Order
    from covid_datasets.load.fixed.steps import Steps

    rows = load_dataset("phantom", "series", split="test", framework="numpy", cache_dir=scans)

    class Asked:
        def at_places(self, rows: np.ndarray, epoch: int, places: np.ndarray) -> dict[str, Any]:
            return {"label": rows, "rows": rows, "places": places}

    def shown(recipe: str, slices: int, shuffle: bool) -> list[Any]:
        read = read_recipe(recipe, slices=slices)
        units = units_of("test", rows, read)
        batches = UnitBatches(Asked(), units, read, Order(len(units), shuffle=shuffle, seed=1), Steps(2))
        return [list(batches), list(batches), units]

    one, other, units = shown("small-patient", 4, shuffle=True)
    assert {tuple(batch["sizes"]) for batch in one} <= {(4, 4), (4,)}
    drawn = [np.sort(np.concatenate([batch["rows"] for batch in epoch])) for epoch in (one, other)]
    assert len(set(drawn[0].tolist())) == 4 * len(units), "no slice twice"
    assert (drawn[0] != drawn[1]).any(), "other slices in another epoch"
    assert all(len(set(batch["places"].tolist())) == len(batch["sizes"]) for batch in one), "changed alike"
    still, again, _ = shown("small-patient", 4, shuffle=False)
    assert np.array_equal(still[0]["rows"], again[0]["rows"])
    assert np.array_equal(still[0]["rows"][:4], units.rows[0][1::2])
    twice, _, units = shown("small-volume", 16, shuffle=False)
    assert np.array_equal(twice[0]["rows"][:16], np.repeat(units.rows[0], 2))
