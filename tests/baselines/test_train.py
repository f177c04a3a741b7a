"""A training from end to end: what it leaves, what it refuses, and that nothing of it is lost."""

from __future__ import annotations

import csv
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import about_splits, find_build, load_dataset, load_splits, predict, train
from covid_datasets.baselines.recipe import read_recipe
from covid_datasets.baselines.train.asked import Asked
from covid_datasets.baselines.train.calibration import calibration
from covid_datasets.baselines.train.data import load_data
from covid_datasets.cli import main
from covid_datasets.errors import LeakingSplitError, NotThereError, TrainingError, UsageError
from tests.baselines.quick import QUICK, SCHEME

pytestmark = [
    pytest.mark.skipif(not all(map(find_spec, ("torch", "safetensors"))), reason="needs the extra baselines"),
    pytest.mark.usefixtures("one_thread"),
]


def trained(cohort: Path, out: Path, *, seed: int = 0, scheme: str = SCHEME, **options: Any) -> Any:
    changes = QUICK | options.pop("changes", {})
    return train("phantom", out, scheme=scheme, seed=seed, device="cpu", cache_dir=cohort, changes=changes, **options)


@pytest.fixture(scope="module")
def run(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return trained(cohort, tmp_path_factory.mktemp("runs") / "run")


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_says_what_it_is_of(run: Any, cohort: Path) -> None:
    table = load_splits("phantom", SCHEME, cache_dir=cohort)
    build = find_build("phantom", cache_dir=cohort)
    assert run.config["builds"] == [
        {"id": "phantom", "version": "1", "config": "default", "fingerprint": build.fingerprint}
    ]
    assert (run.config["dataset"], run.config["fingerprint"]) == ("phantom", build.fingerprint)
    assert run.config["split_hash"] == about_splits(table)["digest"]
    assert (run.config["seed"], run.config["recipe_name"], run.classes) == (0, "small", ("rest", "covid19"))
    assert sum(sum(count.values()) for count in run.config["counts"].values()) == build.rows
    assert run.recipe.network == QUICK["network"]
    there = json.loads((run.path / "environment.json").read_text())["ran_on"][0]
    assert {"covid_datasets", "torch", "numpy"} <= set(there["versions"])
    assert there["device"] == "cpu"
    assert [json.loads(line)["epoch"] for line in (run.path / "metrics.jsonl").read_text().splitlines()] == [1, 2]
    assert (run.path / "curve.svg").read_text().startswith("<svg")


def test_predictions_are_those_of_validation_and_test(run: Any, cohort: Path) -> None:
    found = lines_of(run.path / "predictions.csv")
    table = load_splits("phantom", SCHEME, cache_dir=cohort).to_pylist()
    wanted = {row["sample_id"]: row for row in table if row["split"] != "train"}
    groups = {(row["group"], wanted[row["sample_id"]]["group"]) for row in found}
    assert len(groups) == len({one for one, _ in groups}) == len({other for _, other in groups})
    assert {row["sample_id"] for row in found} == set(wanted)
    assert len(found) == len(wanted)
    for row in found:
        truth = wanted[row["sample_id"]]
        label = "covid19" if truth["label"] == "covid19" else "rest"
        assert (row["patient"], row["split"]) == (truth["patient_id"], truth["split"])
        assert (row["label"], row["fingerprint"]) == (label, run.config["builds"][0]["fingerprint"])
        assert float(row["p_rest"]) + float(row["p_covid19"]) == pytest.approx(1, abs=2e-6)


def test_what_is_finished_is_not_done_again(run: Any, cohort: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.path.iterdir()}
    again = trained(cohort, run.path)
    assert again == run
    assert {path: path.stat().st_mtime_ns for path in run.path.iterdir()} == before
    with pytest.raises(UsageError, match="another seed .0; now 1"):
        trained(cohort, run.path, seed=1)
    with pytest.raises(UsageError, match="another recipe"):
        trained(cohort, run.path, changes={"rate": 1e-3})


def test_a_folder_of_somebody_else_is_left_alone(cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="found 'thesis.tex'"):
        trained(cohort, tmp_path)
    with pytest.raises(UsageError, match="found a file"):
        trained(cohort, tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_seeds_draw_other_weights_and_leave_torch_alone(run: Any, cohort: Path, tmp_path: Path) -> None:
    import torch

    before = torch.random.get_rng_state()
    other = trained(cohort, tmp_path / "other", seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert other.history[0]["loss"] != run.history[0]["loss"]


def test_validation_alone_ends_a_training(cohort: Path, tmp_path: Path) -> None:
    run = trained(cohort, tmp_path / "run", changes={"epochs": 60, "patience": 1, "rate": 1e-5})
    aucs = [row["validation_auc"] for row in run.history]
    assert len(aucs) < 60
    assert max(aucs[:-1]) >= aucs[-1]


def test_masks_are_channels(cohort: Path, tmp_path: Path) -> None:
    changes = {"masks": ["lung"], "epochs": 1, "optimizer": "sgd", "rate": 1e-2}
    run = trained(cohort, tmp_path / "run", changes=changes, filters={"modality": "CT"})
    assert run.recipe.in_channels == 2
    with pytest.raises(UsageError, match="sees the masks lung too"):
        predict(run.path, tmp_path)


def test_what_cannot_be_learned_is_said_before(cohort: Path, tmp_path: Path) -> None:
    def refused(kind: type[Exception], says: str, **options: Any) -> None:
        with pytest.raises(kind, match=says):
            trained(cohort, tmp_path / "run", **options)
        assert not (tmp_path / "run").exists(), "no empty folder stays"

    refused(UsageError, "train: expected two classes or more, found one: covid19 ", filters={"label": "covid19"})
    refused(UsageError, "expected a mask 'consolidation' of every row", changes={"masks": ["consolidation"]})
    refused(UsageError, "checkpoint_steps: expected a whole number", checkpoint_steps=0)
    refused(UsageError, "expected one of .* found 'wieghts'. Did you mean 'weights'", wieghts="x")
    refused(UsageError, "Nothing is downloaded", weights=tmp_path / "none.pth")


def test_nobody_is_in_two_parts(cohort: Path, tmp_path: Path) -> None:
    table = load_splits("phantom", SCHEME, cache_dir=cohort).to_pylist()
    mine = tmp_path / "mine.csv"
    with mine.open("w", newline="") as file:
        written = csv.DictWriter(file, ["sample_id", "split"])
        written.writeheader()
        turned = ("train", "validation", "test")
        written.writerows({"sample_id": row["sample_id"], "split": turned[n % 3]} for n, row in enumerate(table))
    with pytest.raises(LeakingSplitError, match="so nothing is trained: group phantom/"):
        trained(cohort, tmp_path / "run", scheme=str(mine))
    assert not (tmp_path / "run" / "config.json").exists()


def test_a_loss_that_is_no_number_stops_and_keeps(cohort: Path, tmp_path: Path) -> None:
    from covid_datasets.baselines.train.names import STATE
    from covid_datasets.baselines.train.state import read_tensors

    wild = {"optimizer": "sgd", "rate": 1e12, "warmup": 0, "schedule": "constant"}
    with pytest.raises(TrainingError, match="the checkpoint before that is kept. Next: train anew with a lower rate"):
        trained(cohort, tmp_path / "run", changes=wild, checkpoint_steps=1)
    tensors, about = read_tensors(tmp_path / "run" / STATE)
    assert about["steps"] >= 1
    assert all(value.isfinite().all() for name, value in tensors.items() if "weight" in name)
    with pytest.raises(NotThereError, match="one that was stopped"):
        predict(tmp_path / "run", tmp_path)


def test_predict_says_of_a_folder_what_was_said_of_the_rows(run: Any, cohort: Path, tmp_path: Path) -> None:
    rows = load_dataset("phantom", split="test", scheme=SCHEME, framework="numpy", cache_dir=cohort)
    stored = rows.stored(0, 20, ["sample_id", "image"]).to_pylist()
    (tmp_path / "mine" / "inner").mkdir(parents=True)
    for number, row in enumerate(stored):
        (tmp_path / "mine" / "inner" / f"{number:02}.png").write_bytes(row["image"]["bytes"])
    (tmp_path / "mine" / "cut.png").write_bytes(stored[0]["image"]["bytes"][:100])
    (tmp_path / "mine" / "notes.txt").write_text("no picture")
    found = predict(run.path, tmp_path / "mine", tmp_path / "out.csv", device="cpu")
    said = {row["sample_id"]: float(row["p_covid19"]) for row in lines_of(run.path / "predictions.csv")}
    assert [row.file for row in found.rows] == [f"inner/{number:02}.png" for number in range(20)]
    for row, of_row in zip(found.rows, stored, strict=True):
        assert row.probabilities["covid19"] == pytest.approx(said[of_row["sample_id"]], abs=2e-5)
    assert sorted(each.partition(":")[0] for each in found.left_out) == ["cut.png", "notes.txt"]
    table = lines_of(tmp_path / "out.csv")
    assert [row["file"] for row in table] == [row.file for row in found.rows]
    known = calibration(run.path)
    for line, row in zip(table, found.rows, strict=True):
        assert line["likeliest"] == row.likeliest == max(row.probabilities, key=row.probabilities.__getitem__)
        assert row.sure in known
        assert 0 <= float(line["right_low"]) <= float(line["right"]) <= float(line["right_high"]) <= 1


def test_from_the_command_line(run: Any, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "quick.toml"
    numbers = "".join(f"{key} = {json.dumps(value)}\n" for key, value in QUICK.items() if key != "epochs")
    recipe.write_text(f'extends = "small"\n{numbers}')
    out = tmp_path / "run"
    command = ["train", "phantom", "--recipe", str(recipe), "--out", str(out), "--scheme", SCHEME, "--epochs", "1"]
    assert main([*command, "--device", "cpu", "--cache-dir", str(cohort), "--modality", "CXR", "--seed", "3"]) == 0
    assert "predictions.csv has the scores" in capsys.readouterr().out
    assert main(["predict", str(out), str(tmp_path), "--device", "cpu", "--json"]) == 0
    assert "no diagnosis" in json.loads(capsys.readouterr().out)["warning"]
    assert main([*command, "--task", "covid", "--cache-dir", str(cohort)]) == 2
    assert main(["predict", str(tmp_path / "none"), str(tmp_path)]) == 1


def test_few_rows_of_a_label_are_drawn_anew_and_all_else_stays(cohort: Path, tmp_path: Path) -> None:
    def train_ids(seed: int, **changes: Any) -> dict[str, set[str]]:
        recipe = read_recipe("small", **QUICK | changes)
        asked = Asked(
            names=("phantom",), recipe_name="small", recipe=recipe, scheme=SCHEME, seed=seed, cache_dir=cohort
        )
        data = load_data(asked)
        rows, others = data.rows["train"], [data.rows[part] for part in ("validation", "test")]
        labels, samples = (rows.column(name).to_pylist() for name in ("label", "sample_id"))
        found = {
            name: {s for s, at in zip(samples, labels, strict=True) if at == n} for n, name in enumerate(data.classes)
        }
        return found | {"judged": {sample for each in others for sample in each.column("sample_id").to_pylist()}}

    whole = train_ids(0)
    first, same, second = (train_ids(seed, keep={"covid19": 5}) for seed in (0, 0, 1))
    assert first == same
    assert len(first["covid19"]) == len(second["covid19"]) == 5
    assert first["covid19"] != second["covid19"]
    assert first["covid19"] | second["covid19"] <= whole["covid19"]
    assert all(each[name] == whole[name] for each in (first, second) for name in ("rest", "judged"))
    with pytest.raises(UsageError, match="expected 10,000 rows of 'covid19', of which the recipe draws so many"):
        train_ids(0, keep={"covid19": 10_000})
    with pytest.raises(UsageError, match="rows of 'covid'.*labels: rest, covid19"):
        train_ids(0, keep={"covid": 5})
