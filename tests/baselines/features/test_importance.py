"""What a model rests on, where it is planted what tells the label, and where nothing does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from covid_datasets import Importance, feature_importance, image_features
from covid_datasets.baselines.features.table import features_of
from covid_datasets.cli import main
from covid_datasets.errors import UsageError
from covid_datasets.load.splits import ABOUT
from covid_datasets.phantoms.volume import chest_volume

pytest.importorskip("sklearn")
ILL = "covid19"


def planted(people: int = 80, seed: int = 0, shuffled: bool = False) -> pa.Table:
    """Make a table of two images for each person: of the ill ``told`` and its copy are higher, and nothing else."""
    random = np.random.default_rng(seed)
    rows = 2 * people
    person = np.arange(rows) // 2
    ill = person % 2 == 0
    told = random.normal(size=rows) + 2 * ill + random.normal(size=people)[person]
    said = random.permutation(people)[person] % 2 == 0 if shuffled else ill
    noise = random.normal(size=(rows, 3)) + random.normal(size=(people, 3))[person]
    patients = [f"p{number}" for number in person.tolist()]
    table = pa.table(
        {
            "sample_id": [f"s{row}" for row in range(rows)],
            "patient_id": patients,
            "group": patients,
            "split": np.where(person < people // 2, "train", "test").tolist(),
            "label": [ILL if so else "no_finding" for so in said.tolist()],
            "lungs_from": pa.array([None] * 4 + ["source"] * (rows - 4), pa.string()),
            "told.a": told,
            "lot.a": noise[:, 0],
            "lot.b": noise[:, 1],
            "other.a": [None if row % 5 == 0 else value for row, value in enumerate(noise[:, 2].tolist())],
            "same.a": np.ones(rows),
            "none.a": pa.nulls(rows),
        }
    )
    about = {"scheme": "patient", "digest": "d" * 64, "builds": [{"id": "planted", "fingerprint": "f" * 64}]}
    return table.replace_schema_metadata({ABOUT: json.dumps(about).encode()})


def by_name(found: Importance) -> dict[str, tuple[float, float, float]]:
    of = {}
    for each in found.groups:
        assert each.importance.low is not None
        assert each.importance.high is not None
        of[each.name] = (each.importance.low, each.importance.value, each.importance.high)
    return of


def test_what_is_planted_is_found_and_the_rest_is_not() -> None:
    found = feature_importance(planted())
    assert found.groups[0].name == "told"
    importance = by_name(found)
    assert importance["told"][0] > 0.05
    for name in ("lot", "other"):
        assert importance[name][0] <= 0 <= importance[name][2], name
    assert found.auc.value > 0.75
    assert (found.rows, found.groups_of_people) == (80, 40)
    assert found.notes == (
        "4 of 160 images have no lungs that are known: of them there is only texture.",
        "Nothing differs, or is known, of same, none: left out.",
    )
    assert feature_importance(planted()) == found, "the same seed, the same numbers"
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["groups"][0]["name"] == "told"
    assert "AUC lost when shuffled" in str(found)


@pytest.mark.parametrize("seed", range(4))
def test_of_shuffled_labels_no_group_is_needed(seed: int) -> None:
    found = feature_importance(planted(seed=seed, shuffled=True))
    for name, (low, _, high) in by_name(found).items():
        assert low <= 0 <= high, name
    assert "The model may be no better than chance" in str(found)


def test_groups_that_tell_the_same_share_their_importance_and_each_tells_it_alone() -> None:
    table = planted()
    both = feature_importance(table.append_column("copy.a", table.column("told.a")))
    groups = {each.name: each for each in both.groups}
    once = {each.name: each for each in feature_importance(table).groups}["told"]
    assert groups["copy"].importance.value < once.importance.value / 1.2
    assert groups["copy"].alone.value == groups["told"].alone.value == once.alone.value > 0.75


def test_several_classes_and_what_cannot_be_measured() -> None:
    table = planted()
    labels = [["tuberculosis", ILL, "no_finding"][row // 2 % 3] for row in range(len(table))]
    place = table.schema.get_field_index("label")
    found = feature_importance(table.set_column(place, "label", pa.array(labels)), task="all")
    assert len(found.classes) == 3
    one = table.set_column(place, "label", pa.array([ILL] * len(table)))
    wrong: tuple[tuple[pa.Table, dict[str, Any], str], ...] = (
        (one, {}, "train: expected images of rest, covid19, found covid19"),
        (table, {"task": "covid19_vs_nofinding"}, "Did you mean 'covid19_vs_no_finding'"),
        (table, {"split": "train"}, "what was learned from measures nothing"),
        (
            table.append_column("mine.word", pa.array(["x"] * len(table))),
            {},
            "mine.word: expected numbers, found string",
        ),
        (table.drop_columns(["group"]), {}, "expected a table of image_features, found one without group"),
        (table.replace_schema_metadata({}), {}, "without the metadata of its split"),
    )
    for given, options, says in wrong:
        with pytest.raises(UsageError, match=says):
            feature_importance(given, **options)


def test_pictures_of_a_build_are_described(cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = image_features("phantom", cache_dir=cohort, modality="CT")
    assert set(table.column("lungs_from").to_pylist()) == {"source"}
    rows = table.select(["label", "rate.infected", "zones.left_lower", "histogram.00"]).to_pylist()
    assert all((row["rate.infected"] > 0) == (row["label"] != "no_finding") for row in rows)
    found = feature_importance(table, task="covid19_vs_no_finding")
    assert {each.name: each for each in found.groups}["rate"].alone.value == 1.0
    command = ["features", "phantom", "--cache-dir", str(cohort), "--where", "modality=CT", "--json"]
    assert main([*command, "--task", "covid19_vs_no_finding", "--table", str(tmp_path / "table.csv")]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(found.to_json()))
    assert (tmp_path / "table.csv").read_text().count("\n") == len(table) + 1


def test_what_nobody_drew_is_made_of_ct_alone() -> None:
    chest = chest_volume(1, shape=(20, 96, 96), load=0.1)
    slice_ = chest.voxels[10]
    made, given = features_of(slice_, {}, "CT"), features_of(slice_, {"lung": chest.lung[10]}, "CXR")
    assert made["lungs_from"] == "classical"
    assert made["rate.infected"] is not None
    assert (given["lungs_from"], given["rate.infected"], given["zones.left_upper"]) == ("source", None, None)
    assert sum(given[f"histogram.{number:02}"] for number in range(16)) == pytest.approx(1)
    nothing = features_of(np.zeros((40, 60, 3), np.uint8), {}, "CT")
    assert nothing["lungs_from"] is None
    assert nothing["histogram.00"] is None
    assert nothing["texture.000"] is not None


def test_zones_are_where_the_picture_has_them() -> None:
    lung, ill = np.zeros((60, 60), np.uint8), np.zeros((60, 60), np.uint8)
    lung[15:45, 5:25] = lung[15:45, 35:55] = 255
    ill[36:45, 5:15] = 255
    found = features_of(np.full((60, 60), 80, np.uint8), {"lung": lung, "infection": ill}, "CT")
    zones = {name: value for name, value in found.items() if name.startswith("zones.") and value}
    assert zones == {"zones.left_lower": pytest.approx(9 * 10 / (10 * 20))}
    assert found["rate.infected"] == pytest.approx(90 / 1200)
