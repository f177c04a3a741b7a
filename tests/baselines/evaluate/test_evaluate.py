"""`evaluate` as its users call it, on wards where it is known how good predictions are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import compare, evaluate
from covid_datasets.baselines.evaluate.rows import asked
from covid_datasets.cli import main
from covid_datasets.errors import NotBuiltError, PredictionsError, UsageError
from tests.baselines.evaluate.conftest import Ward, noisy, rows_of, write

pytest.importorskip("sklearn")


def right(row: Any) -> float:
    return 0.9 if row["label"] == "covid19" else 0.1


def test_who_is_always_right_and_what_stands_beside(confounded: Ward, tmp_path: Path) -> None:
    own, cache = confounded
    file = write(tmp_path / "mine.csv", rows_of(confounded), right)
    found = evaluate(file, own, cache_dir=cache)
    assert found.classes == ("no_finding", "covid19")
    assert (found.auc.value, found.by_image["accuracy"].value, found.by_image["f1"].value) == (1.0, 1.0, 1.0)
    assert found.by_patient["auc"].value == 1.0
    assert found.by_image["ece"].value == pytest.approx(0.1)
    assert found.metadata.auc == 1.0, "the container tells it too"
    assert found.texture.auc is not None
    assert found.rows == 2 * found.patients == 2 * found.groups
    text = str(found)
    assert "beside it, metadata alone: AUC 1.000" in text
    assert "says nothing of whom the data lack" in text
    assert "Nobody says of which build" in text


def test_who_guesses_has_an_interval_that_holds_one_half(plain: Ward, tmp_path: Path) -> None:
    own, cache = plain
    file = write(tmp_path / "mine.csv", rows_of(plain), noisy(0, apart=0))
    found = evaluate(file, own, cache_dir=cache)
    assert found.auc.low is not None
    assert found.auc.high is not None
    assert found.auc.low < 0.5 < found.auc.high
    assert found.metadata.why == "all rows have the same metadata" or found.metadata.auc is not None
    again = evaluate(file, own, cache_dir=cache, beside=False)
    assert again.by_image == found.by_image, "the same seed draws the same people"
    assert evaluate(file, own, cache_dir=cache, beside=False, seed=1).by_image != found.by_image


def test_the_command_prints_one_object(plain: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, cache = plain
    run = tmp_path / "run"
    run.mkdir()
    write(run / "predictions.csv", rows_of(plain), noisy(1, apart=0), split="split", label="label", group="group")
    wanted = asked([own], None, "patient", "test", cache)
    said = {"dataset": str(own), "scheme": "patient", "seed": 7, "fingerprint": wanted.fingerprint}
    (run / "config.json").write_text(json.dumps(said | {"split_hash": wanted.split_hash}), encoding="utf-8")
    command = ["evaluate", str(run), "--cache-dir", str(cache), "--dataset", str(own), "--patient-level", "1"]
    assert main([*command, "--json"]) == 0
    printed = capsys.readouterr().out
    (line,) = printed.splitlines()
    found = json.loads(line)
    for name in ("auc", "auc_low", "auc_high", "accuracy", "f1"):
        assert 0 <= found[name] <= 1, name
    assert found["auc_low"] <= found["auc"] <= found["auc_high"]
    assert found["fingerprint"] == wanted.fingerprint
    assert found["split_hash"] == wanted.split_hash
    assert found["seed"] == 7
    assert found["metadata_auc"] is not None
    assert found["worst_label"]["name"] in ("covid19", "no_finding")
    assert sum(map(sum, found["confusion"])) == found["rows"]
    assert not any("Nobody says" in note for note in found["notes"])
    assert main([*command, "--alone", "--against", str(run)]) == 0
    assert "The interval of the AUC holds 0." in capsys.readouterr().out


@pytest.mark.parametrize(("key", "value"), [("fingerprint", "0" * 64), ("split_hash", "1" * 64)])
def test_a_run_of_another_build_or_split_is_refused(plain: Ward, tmp_path: Path, key: str, value: str) -> None:
    own, cache = plain
    write(tmp_path / "predictions.csv", rows_of(plain), right)
    wanted = asked([own], None, "patient", "test", cache)
    said = {"dataset": str(own), "scheme": "patient", "fingerprint": wanted.fingerprint}
    said |= {"split_hash": wanted.split_hash} | {key: value}
    (tmp_path / "config.json").write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(PredictionsError, match=f"expected the {key}"):
        evaluate(tmp_path, own, cache_dir=cache)
    with pytest.raises(UsageError, match="scheme: expected 'patient', as config.json"):
        evaluate(tmp_path, own, scheme="fold-1-of-5", cache_dir=cache)


def test_rows_that_are_missing_doubled_unknown_or_of_train_are_refused(plain: Ward, tmp_path: Path) -> None:
    own, cache = plain
    test, train = rows_of(plain), rows_of(plain, split="train")
    first = test[0]["sample_id"]
    wrong: dict[str, list[dict[str, Any]]] = {
        f"found 1 no prediction of: {first}": test[1:],
        f"found 1 several times: {first}": [test[0], *test],
        "found 1 rows that it lacks: own.ward/nobody": [*test, test[0] | {"sample_id": "own.ward/nobody"}],
        f"found 2 rows of train, from which was learned: {train[0]['sample_id']}": [*test, *train[:2]],
    }
    for said, rows in wrong.items():
        file = write(tmp_path / "mine.csv", rows, right)
        with pytest.raises(PredictionsError) as caught:
            evaluate(file, own, cache_dir=cache)
        assert said in str(caught.value)


def test_a_table_that_says_other_labels_or_splits_is_refused(plain: Ward, tmp_path: Path) -> None:
    own, cache = plain
    rows = [dict(row) for row in rows_of(plain)]
    rows[0]["label"] = "pneumonia"
    with pytest.raises(PredictionsError, match="found 1 other labels: .* as pneumonia"):
        evaluate(write(tmp_path / "mine.csv", rows, right, label="label"), own, cache_dir=cache)
    rows[1]["split"] = "validation"
    with pytest.raises(PredictionsError, match="found 1 rows that it says are elsewhere: .* in validation"):
        evaluate(write(tmp_path / "mine.csv", rows, right, split="split"), own, cache_dir=cache)


def test_validation_may_stand_beside_and_is_not_scored(plain: Ward, tmp_path: Path) -> None:
    own, cache = plain
    test, validation = rows_of(plain), rows_of(plain, split="validation")
    file = write(tmp_path / "mine.csv", [*validation, *test], right)
    found = evaluate(file, own, cache_dir=cache, beside=False)
    assert found.rows == len(test)
    assert f"{len(validation)} predictions are of other splits than test, and are not scored." in found.notes
    assert evaluate(file, own, split="validation", cache_dir=cache, beside=False).rows == len(validation)
    with pytest.raises(UsageError, match="what was learned from measures nothing"):
        evaluate(file, own, split="train", cache_dir=cache)
    with pytest.raises(UsageError, match="expected one of test, validation"):
        evaluate(file, own, split="tset", cache_dir=cache)


def test_the_rest_is_all_that_a_class_is_not(plain: Ward, tmp_path: Path) -> None:
    own, cache = plain
    file = write(tmp_path / "mine.csv", rows_of(plain), right, negative="rest")
    found = evaluate(file, own, cache_dir=cache, beside=False)
    assert (found.classes, found.auc.value) == (("rest", "covid19"), 1.0)
    other = write(tmp_path / "other.csv", rows_of(plain), right, negative="pneumonia")
    found = evaluate(other, own, cache_dir=cache, beside=False)
    assert any("have other labels than pneumonia, covid19: not asked" in note for note in found.notes)
    assert found.to_json()["auc"] is None, "of one class there is no AUC, and JSON has no nan"


def test_several_seeds_are_averaged(plain: Ward, tmp_path: Path) -> None:
    own, cache = plain
    files = [write(tmp_path / f"{seed}.csv", rows_of(plain), noisy(seed, apart=1.5)) for seed in range(3)]
    each = [evaluate(file, own, cache_dir=cache, beside=False) for file in files]
    mean = evaluate(files, own, cache_dir=cache, beside=False)
    assert mean.auc.value == pytest.approx(sum(one.auc.value for one in each) / 3)
    assert [one["auc"] for one in mean.each] == [one.auc.value for one in each]
    assert mean.rows == each[0].rows, "a row that three predict is one row"
    assert mean.auc.low is not None
    assert each[0].auc.low is not None
    assert "mean of 3 tables" in str(mean)


def test_folds_are_averaged_and_every_row_is_asked_once(plain: Ward, tmp_path: Path) -> None:
    own, cache = plain
    schemes = [f"fold-{fold}-of-5" for fold in range(1, 6)]
    runs = []
    for scheme in schemes:
        runs.append(tmp_path / scheme)
        runs[-1].mkdir()
        write(runs[-1] / "predictions.csv", rows_of(plain, scheme), right)
        wanted = asked([own], None, scheme, "test", cache)
        said = {"dataset": str(own), "scheme": scheme, "fingerprint": wanted.fingerprint}
        (runs[-1] / "config.json").write_text(json.dumps(said | {"split_hash": wanted.split_hash}), encoding="utf-8")
    found = evaluate(runs, own, cache_dir=cache)
    assert (found.rows, found.auc.value) == (120, 1.0)
    assert len(found.split_hashes) == 5
    assert "evaluate each by itself" in found.metadata.why


def test_a_better_model_is_told_by_the_same_people(plain: Ward, tmp_path: Path) -> None:
    own, cache = plain
    good, bad = (
        [write(tmp_path / f"{name}{seed}.csv", rows_of(plain), noisy(seed, apart)) for seed in range(3)]
        for name, apart in (("good", 3.0), ("bad", 0.0))
    )
    found = compare(good, bad, own, cache_dir=cache)
    auc = found.differences["auc"]
    assert auc.low is not None
    assert auc.low > 0
    assert found.over_runs is not None
    assert found.over_runs.value == pytest.approx(auc.value)
    assert "The two differ in AUC." in str(found)
    mirrored = compare(bad, good, own, cache_dir=cache).differences["auc"]
    assert mirrored.value == pytest.approx(-auc.value)
    assert found.aucs[0] - found.aucs[1] == pytest.approx(auc.value)
    wanted = asked([own], None, "patient", "test", cache)
    assert found.fingerprints == (wanted.fingerprint,) * 2
    assert found.split_hashes == ((wanted.split_hash,),) * 2
    assert wanted.split_hash[:16] in str(found)
    json.dumps(found.to_json())


def test_filters_of_a_run_say_what_is_asked(plain: Ward, tmp_path: Path) -> None:
    own, cache = plain
    rows = rows_of(plain)
    wanted = asked([own], None, "patient", "test", cache)
    said: dict[str, Any] = {"dataset": str(own), "scheme": "patient", "fingerprint": wanted.fingerprint}
    said |= {"split_hash": wanted.split_hash, "filters": {"label": ["covid19", "no_finding"], "width": 80}}
    (tmp_path / "config.json").write_text(json.dumps(said), encoding="utf-8")
    write(tmp_path / "predictions.csv", rows, right)
    found = evaluate(tmp_path, own, cache_dir=cache, beside=False)
    assert found.rows == len(rows)
    assert "Only rows with width 80 are asked." in found.notes
    ill = evaluate(tmp_path, own, cache_dir=cache, beside=False, label="covid19")
    assert ill.rows == sum(row["label"] == "covid19" for row in rows)
    assert (
        f"{len(rows) - ill.rows} predictions are of rows that the filters leave out, and are not scored." in ill.notes
    )
    with pytest.raises(UsageError, match="modalty"):
        evaluate(tmp_path, own, cache_dir=cache, beside=False, modalty="CT")


def test_what_is_not_built_is_said(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.csv", [], right)
    with pytest.raises(NotBuiltError, match="covid-datasets build phantom"):
        evaluate(file, "phantom")
    with pytest.raises(UsageError, match="dataset: expected what .* is of, found nothing"):
        evaluate(file)
