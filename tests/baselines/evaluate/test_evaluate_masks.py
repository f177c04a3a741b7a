"""Masks are scored by image and by patient, beside what is trivial; a table that is not of the build is refused."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covid_datasets import evaluate_masks, load_dataset, train
from covid_datasets.baselines.evaluate.overlap import Counts, overlap
from covid_datasets.baselines.evaluate.units import Units
from covid_datasets.cli import main
from covid_datasets.errors import PredictionsError, UsageError
from tests.baselines.quick import QUICK as CLASSES

needs_torch = pytest.mark.skipif(
    not all(map(find_spec, ("torch", "safetensors", "scipy"))), reason="needs the extra baselines"
)


@pytest.fixture(scope="module")
def drawn(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("masks") / "run"
    changes: dict[str, Any] = {"width": 0.05, "image_size": 32, "epochs": 1}
    options: dict[str, Any] = {"changes": changes, "filters": {"modality": "CT"}, "cache_dir": cohort}
    train("phantom", folder, "segment-small", scheme="patient(50/25/25)", device="cpu", **options)
    return folder


@needs_torch
def test_a_run_stands_beside_the_classical_and_the_trivial(drawn: Path, cohort: Path) -> None:
    found = evaluate_masks(drawn, cache_dir=cohort)
    lungs = {name: each.by_patient["dice lung"].value for name, each in found.beside.items()}
    assert lungs["classical"] > lungs["one mask"] > lungs["nothing"] == 0
    nothing = found.beside["nothing"].by_patient
    assert nothing["volume bias infection"].value == -1
    rates = []
    rows = load_dataset("phantom", framework="numpy", cache_dir=cohort, scheme="patient(50/25/25)", modality="CT")[
        "test"
    ]
    for patient in {row["patient_id"] for row in rows}:
        lung, ill = (
            sum(int((row["masks"][name] > 0).sum()) for row in rows if row["patient_id"] == patient)
            for name in ("lung", "infection")
        )
        rates.append(100 * ill / lung)
    assert nothing["rate error"].value == pytest.approx(np.mean(rates))
    assert found.patients == len(rates)
    assert found.rows == len(rows)
    text = str(found)
    assert "dice infection" in text
    assert "one mask for" not in text
    assert json.loads(json.dumps(found.to_json()))["network"]["by_image"]["dice lung"]["value"] is not None


@needs_torch
def test_the_command_scores_a_run_that_draws(drawn: Path, cohort: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(drawn), "--cache-dir", str(cohort), "--alone", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["masks"] == ["lung", "infection"]
    assert found["beside"] == {}
    assert main(["evaluate", str(drawn), "--cache-dir", str(cohort), "--dataset", "phantom"]) == 2


Rows = list[dict[str, str]]


def lost(rows: Rows) -> None:
    rows.pop()


def twice(rows: Rows) -> None:
    rows.append(rows[-1])


def foreign(rows: Rows) -> None:
    rows[-1]["sample_id"] = "phantom/nobody"


def easier(rows: Rows) -> None:
    rows[-1]["lung_true"] = rows[-1]["lung_both"]


def unlike(rows: Rows) -> None:
    rows[-1]["lung_both"] = str(int(rows[-1]["lung_true"]) + 1)


def unknown(rows: Rows) -> None:
    for kind in ("true", "drawn", "both"):
        rows[-1][f"infection_{kind}"] = ""


def alone(rows: Rows) -> None:
    rows[-1]["group"] = "of its own"


@needs_torch
@pytest.mark.parametrize("damage", [lost, twice, foreign, easier, unlike, unknown, alone])
def test_a_table_that_is_not_of_the_build_is_refused(
    drawn: Path, cohort: Path, tmp_path: Path, damage: Callable[[Rows], None]
) -> None:
    shutil.copytree(drawn, tmp_path / "run")
    path = tmp_path / "run" / "predictions.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    damage(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    with pytest.raises(PredictionsError, match="expected"):
        evaluate_masks(tmp_path / "run", cache_dir=cohort, beside=False)


@needs_torch
def test_a_run_that_tells_classes_is_refused(cohort: Path, tmp_path: Path) -> None:
    changes = CLASSES | {"epochs": 1}
    run = train(
        "phantom", tmp_path / "run", scheme="patient(50/25/25)", device="cpu", changes=changes, cache_dir=cohort
    )
    with pytest.raises(UsageError, match="expected a run that draws masks, found one that tells classes"):
        evaluate_masks(run.path, cache_dir=cohort)


def test_a_pixel_that_nobody_is_to_be_tested_on_counts_nowhere() -> None:
    labels = np.array([[0, 1], [255, 2]], np.uint8)
    assert overlap(labels, np.ones((2, 2), bool)) == (2, 3, 2)
    assert overlap(labels, np.zeros((2, 2), bool)) == (2, 0, 0)


cells = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)).map(
    lambda each: (each[0], each[1], min(each))
)


@given(st.lists(st.tuples(st.sampled_from("abc"), cells, st.none() | cells), min_size=1, max_size=8))
def test_patients_are_the_sums_of_their_images(lines: list[Any]) -> None:
    rows = [
        Counts(str(number), who, who, "test", "", {"lung": lung} | ({} if ill is None else {"infection": ill}))
        for number, (who, lung, ill) in enumerate(lines)
    ]
    found = Units.of([rows], ["lung", "infection"], by_patient=True)
    for unit, who in enumerate(found.groups):
        for mask in ("lung", "infection"):
            known = [row.pixels[mask] for row in rows if row.patient == who and mask in row.pixels]
            true, said, both = (sum(each[at] for each in known) for at in range(3))
            expected = 2 * both / (true + said) if true else np.nan
            assert found.values[f"dice {mask}"][unit] == pytest.approx(expected, nan_ok=True)
            expected = (said - true) / true if true else np.nan
            assert found.values[f"volume bias {mask}"][unit] == pytest.approx(expected, nan_ok=True)
