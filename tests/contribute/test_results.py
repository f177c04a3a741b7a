"""The leaderboard: a row is there only with the file that its command wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from covid_datasets.baselines.evaluate.rows import asked
from covid_datasets.contribute import results
from covid_datasets.contribute.pages import leaderboard
from covid_datasets.contribute.results import read_papers, read_results
from covid_datasets.errors import CatalogError
from tests.baselines.evaluate.conftest import noisy, write

pytest.importorskip("sklearn")
ROOT = Path(__file__).resolve().parents[2]
SCHEME = "patient(40/20/40)"
"""Of six people, so that two are in test."""


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the small phantom, and return the cache."""
    from covid_datasets import build_dataset

    cache = tmp_path_factory.mktemp("phantom")
    build_dataset("phantom", "small", cache_dir=cache, num_proc=1)
    return cache


def test_each_command_writes_a_result_that_is_on_the_page(phantom: Path, tmp_path: Path) -> None:
    out, options = tmp_path / "results", ["--out", str(tmp_path / "results"), "--cache-dir", str(phantom)]
    command = ["beside", "phantom", "--config", "small", "--scheme", SCHEME]
    assert results.main([*options, *command]) == 0
    wanted = asked(["phantom"], "small", SCHEME, "test", phantom)
    runs = []
    for seed in (0, 1):
        runs.append(tmp_path / f"seed{seed}")
        runs[-1].mkdir()
        rows = [row for row in wanted.rows if row["split"] == "test"]
        write(runs[-1] / "predictions.csv", rows, noisy(seed, 1), negative="rest")
        said = {"dataset": "phantom", "config": "small", "scheme": SCHEME, "recipe_name": "small", "seed": seed}
        said |= {"fingerprint": wanted.fingerprint, "split_hash": wanted.split_hash}
        where = {"device": "a GPU", "versions": {"covid_datasets": "9.9"}}
        (runs[-1] / "environment.json").write_text(json.dumps({"ran_on": [{"device": "a CPU"}, where]}))
        (runs[-1] / "config.json").write_text(json.dumps(said | {"place": str(tmp_path)}), encoding="utf-8")
    assert results.main([*options, "run", "mine", *map(str, runs)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["mine.json", "phantom-small-beside-patient-2-1-2.json"]
    assert not any(str(tmp_path) in path.read_text("utf-8") for path in out.iterdir()), "no file names a machine"
    of_runs = json.loads((out / "mine.json").read_text("utf-8"))["result"]["runs"]
    assert [(one["device"], one["version"], one["seed"]) for one in of_runs] == [
        ("a GPU", "9.9", 0),
        ("a GPU", "9.9", 1),
    ]
    page = leaderboard(out)
    assert "| small, seeds 0, 1 |" in page
    assert "a GPU" in page
    assert wanted.fingerprint[:12] in page
    compared = ["compare", "sides", "--first", str(runs[0]), "--second", str(runs[1])]
    assert results.main([*options, *compared]) == 0
    sides = json.loads((out / "sides.json").read_text("utf-8"))
    assert str(tmp_path) not in json.dumps(sides)
    assert sides["command"].endswith("compare sides --first seed0 --second seed1")
    assert sides["result"]["fingerprint"] == wanted.fingerprint
    assert sides["result"]["split_hash"] == [wanted.split_hash]
    page = leaderboard(out)
    assert "small, seed 0, `patient" in page.partition("## Side by side")[2]
    assert "scored on" not in page
    told = json.loads((runs[1] / "config.json").read_text("utf-8"))
    told |= {"recipe": {"derive": "segmented"}, "scored_on": "reencoded"}
    (runs[1] / "config.json").write_text(json.dumps(told), encoding="utf-8")
    assert results.main([*options, *compared]) == 0
    assert "| small on segmented, scored on reencoded, seed 1, `patient" in leaderboard(out)
    (out / "sides.json").unlink()
    assert "## Side by side" not in leaderboard(out)
    (out / "mine.json").unlink()
    assert "small, seeds" not in leaderboard(out)


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    for text, said in (("{", "expected JSON"), ("[]", "expected a result"), ('{"kind": "run"}', "expected a result")):
        (tmp_path / "x.json").write_text(text, encoding="utf-8")
        with pytest.raises(CatalogError, match=said):
            read_results(tmp_path)
    (tmp_path / "papers.toml").write_text('[[paper]]\ndataset = "covid_ct"\n', encoding="utf-8")
    with pytest.raises(CatalogError, match="differs"):
        read_papers(tmp_path)


def test_an_error_is_told_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert results.main(["--out", str(tmp_path / "out"), "--cache-dir", str(tmp_path), "leaks", "phantom"]) == 1
    assert "covid-datasets build phantom" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_results_of_this_checkout() -> None:
    """Each names a build and a command, no place of a machine; what a leak is worth is what the page says."""
    found: dict[str, dict[str, Any]] = {each["name"]: each for each in read_results(ROOT / "results")}
    assert found
    page = (ROOT / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    for name, each in found.items():
        assert re.fullmatch(r"[0-9a-f]{64}(, [0-9a-f]{64})*", each["result"]["fingerprint"]), name
        assert each["command"].startswith(("python -m covid_datasets.", "covid-datasets "))
        assert not re.search(r"(?<![\w.])/(home|root|tmp|work|Users)/", json.dumps(each)), name
        assert f"results/{name}.json" in page
    leak = found["covid_ct-small-leaky-folds"]["result"]["differences"]["auc"]
    assert f"| {leak['value']:.3f} ({leak['low']:.3f} to {leak['high']:.3f}) |" in page
    assert leak["low"] > 0
    gain = found["covid_ct-leaks"]["result"]["differences"]["nearest neighbour of thumbnails"]["by row less by group"]
    assert gain["low"] > 0.1
    assert f"{gain['value']:.3f} ({gain['low']:.3f} to {gain['high']:.3f})" in page
