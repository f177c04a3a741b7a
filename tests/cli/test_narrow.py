"""A terminal that is narrower than any table needs: lines go on in the next one, and nothing is cut."""

import re

import pytest

from covid_datasets.cli import main


@pytest.mark.parametrize("columns", [1, 20, 40, 60])
def test_no_id_and_no_count_is_cut(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["list", "--modality", "CT", "--access", "open"]) == 0
    words = set(re.sub("\x1b[^m]*m", "", capsys.readouterr().out).split())
    assert {"ct_images_in_covid19", "411,529", "modalities", "patients", "access", "open"} <= words


@pytest.mark.parametrize("columns", [1, 30])
def test_no_count_of_a_split_is_cut(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["build", "phantom", "--config", "small"]) == 0
    capsys.readouterr()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["splits", "phantom", "--config", "small"]) == 0
    words = set(re.sub("\x1b[^m]*m", "", capsys.readouterr().out).split())
    assert {"validation", "14", "patients", "unknown", "groups"} <= words
