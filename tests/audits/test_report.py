"""What comes out of an audit: text, JSON, a page, a split without leaks, and an exit code."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from covid_datasets import audit
from covid_datasets.audits.bonds import Bond
from covid_datasets.audits.removal import removals
from covid_datasets.audits.sample import Sample
from covid_datasets.cli import main
from tests.audits.cohort import Shot, cohort, scene, write_csv, write_files

ROOT = Path(__file__).resolve().parents[2]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def leaking(tmp_path: Path) -> tuple[Path, Path]:
    shots = cohort("same bytes")
    return write_files(tmp_path / "pictures", shots), write_csv(tmp_path / "my.csv", shots)


def test_the_exit_code_says_whether_there_is_a_leak(
    leaking: tuple[Path, Path], tmp_path: Path, capsys: Capture
) -> None:
    folder, table = map(str, leaking)
    assert main(["audit", folder, "--split", table]) == 0
    assert main(["audit", folder, "--split", table, "--fail-on-leak"]) == 5
    honest = str(tmp_path / "honest.csv")
    assert main(["audit", folder, "--split", table, "--fail-on-leak", "--no-leaks", honest]) == 5
    capsys.readouterr()
    assert main(["audit", folder, "--split", honest, "--fail-on-leak", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["leaks"], again["pairs"], again["rows"]) == (0, [], 6)


def test_json_is_one_object(leaking: tuple[Path, Path], capsys: Capture) -> None:
    folder, table = map(str, leaking)
    assert main(["audit", folder, "--split", table, "--level", "quick", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["leaks"] == 1
    (pair,) = found["pairs"]
    assert (
        pair.items()
        >= {
            "first": "p0.png",
            "second": "again.png",
            "kind": "same bytes",
            "score": 1.0,
            "splits": ["train", "test"],
            "patients": ["P0", "P9"],
        }.items()
    )
    assert found["removed"] == [
        {"name": "p0.png", "split": "train", "why": f"same bytes: {pair['evidence']}, as again.png in test"}
    ]
    assert found["splits"]["test"] == {"rows": 3, "patients": 3, "unknown": 0, "labels": {"a": 2, "b": 1}}
    assert (found["level"], found["rows"], found["pictures"]) == ("quick", 7, 7)


def test_the_level_and_its_reason_are_said(leaking: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, table = leaking
    assert "level quick: as asked for" in str(audit(folder, split=table, level="quick"))
    monkeypatch.setattr("covid_datasets.audits.weighed.MOST", 5)
    report = audit(folder, split=table)
    assert report.level == "quick"
    assert "7 pictures, more than 5; --level thorough finds" in str(report)


def test_without_opencv_the_quick_level_is_taken_and_the_thorough_one_says_what_to_install(
    leaking: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, table = leaking
    monkeypatch.setattr("covid_datasets.audits.weighed.is_installed", lambda module: False)
    monkeypatch.setattr("covid_datasets.extras.is_installed", lambda module: module != "cv2")
    report = audit(folder, split=table)
    assert report.level == "quick"
    assert "pip install 'covid_datasets[audit]'" in report.why
    with pytest.raises(Exception, match=r"pip install 'covid_datasets\[audit\]'"):
        audit(folder, split=table, level="thorough")


def test_two_labels_under_one_picture_are_told_in_one_part_too(tmp_path: Path) -> None:
    shots = cohort()
    shots.append(Shot("train", "twin.png", "b", "P9", shots[0].pixels))
    folder, table = write_files(tmp_path / "pictures", shots), write_csv(tmp_path / "my.csv", shots)
    report = audit(folder, split=table, level="quick")
    assert report.leaks == 0
    (pair,) = report.contradictions
    assert (pair.first, pair.second, pair.labels) == ("p0.png", "twin.png", ("a", "b"))
    assert "one picture, two labels: 1 pair" in str(report)


def test_labels_of_ours_that_can_both_be_true_are_no_contradiction(tmp_path: Path) -> None:
    shots = cohort()
    shots[0] = Shot("train", "p0.png", "sars", "P0", shots[0].pixels)
    shots.append(Shot("train", "twin.png", "viral_pneumonia", "P9", shots[0].pixels))
    folder, table = write_files(tmp_path / "pictures", shots), write_csv(tmp_path / "my.csv", shots)
    assert audit(folder, split=table, level="quick").contradictions == ()


def test_of_many_pictures_of_one_patient_each_is_in_a_pair_and_pairs_are_few() -> None:
    rows = [{"file": f"{number}.png", "split": "train", "patient": "P"} for number in range(500)]
    rows += [{"file": f"t{number}.png", "split": "test", "patient": "P"} for number in range(300)]
    report = audit(rows)
    assert {name for pair in report.pairs for name in (pair.first, pair.second)} == {row["file"] for row in rows}
    assert report.leaks == 799
    assert len(report.removed) == 500
    assert {gone.split for gone in report.removed} == {"train"}


def test_blank_pictures_prove_nothing(tmp_path: Path) -> None:
    blank = np.zeros((64, 64), np.uint8)
    for split in ("train", "test"):
        write_files(
            tmp_path,
            [Shot(split, f"{split}.png", "", "", blank), Shot(split, f"own-{split}.png", "", "", scene(len(split)))],
            lambda s: f"{s.split}/{s.name}",
        )
    assert audit(tmp_path, level="quick").leaks == 0


# --- the split without what leaks


def names(samples: list[Sample], bonds: list[Bond]) -> list[str]:
    return [samples[each.row].name for each in removals(samples, bonds)]


def test_training_loses_first_and_a_test_set_nothing() -> None:
    samples = [Sample(split + str(number), split) for split in ("train", "test", "validation") for number in range(2)]
    everybody = tuple(range(6))
    assert names(samples, [Bond("patient", everybody, everybody, "P")]) == [
        *("train0", "train1"),
        *("validation0", "validation1"),
    ]
    assert names(samples, [Bond("near-duplicate", (0,), (4,), "")]) == ["train0"]


def test_who_is_bound_only_to_somebody_who_goes_stays() -> None:
    samples = [Sample("a", "train"), Sample("b", "validation"), Sample("c", "test")]
    bonds = [Bond("near-duplicate", (0,), (1,), ""), Bond("near-duplicate", (1,), (2,), "")]
    assert names(samples, bonds) == ["b"]


def test_of_parts_that_mean_nothing_the_smaller_one_stays() -> None:
    samples = [Sample("a", "fold_1"), Sample("b", "fold_2"), Sample("c", "fold_2")]
    assert names(samples, [Bond("same bytes", (0, 1), (0, 1), "")]) == ["b"]


def test_the_csv_keeps_odd_names_and_runs_nothing(tmp_path: Path) -> None:
    odd = ["=cmd|x.png", "a,b.png", 'quo"te.png', "line\nbreak.png", "größe 胸部.png", "-3.png"]
    rows = [{"file": name, "split": "train", "patient": f"={name}"} for name in odd] + [{"file": "z", "split": "test"}]
    report = audit(rows)
    read = list(csv.DictReader(io.StringIO(report.no_leaks)))
    assert [row["file"].removeprefix("./") for row in read] == [*odd, "z"]
    assert not any(cell.startswith(("=", "-", "+", "@")) for row in read for cell in row.values())
    again = audit(report.save_no_leaks(tmp_path / "again.csv"))
    assert [sample.name.removeprefix("./") for sample in again.samples] == [*odd, "z"]


# --- the page


class Tags(HTMLParser):
    """Counts what a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "onerror", "style")]


def test_the_page_shows_pairs_and_trusts_no_name(tmp_path: Path) -> None:
    name = "<script>alert(1)\u202egnp.exe\n'\"><img src=x onerror=alert(2)>.png"  # a name has no slash
    shots = cohort("same bytes")
    shots[0] = Shot("train", name, "<b>a</b>", "P<0>", shots[0].pixels)
    folder, table = write_files(tmp_path / "pictures", shots), write_csv(tmp_path / "my.csv", shots)
    report = audit(folder, split=table, level="quick")
    assert report.leaks == 1
    text = report.save_html(tmp_path / "leaks.html").read_text(encoding="utf-8")
    seen = Tags()
    seen.feed(text)
    assert not {"script", "b", "iframe", "link", "a"} & set(seen.tags)
    assert seen.tags.count("img") == 4, "the pair as a leak, and again as a contradiction"
    assert all(source.startswith("data:image/jpeg;base64,") for source in seen.sources)
    assert "\\u202e" in text
    assert "\u202e" not in text
    assert "P&lt;0&gt;" in text
    assert "picture:again.png" in text
    assert not re.search(r"https?://", text), "it needs no network"
    shown = report._repr_html_()
    assert shown.startswith("<iframe sandbox ")
    assert shown.count("<") == 2, "what is inside is text until the frame reads it, and that runs nothing"
    assert "data:image" not in shown.partition("srcdoc")[2].replace("img-src data:", "")


def test_nothing_half_written_is_left(leaking: tuple[Path, Path], tmp_path: Path, capsys: Capture) -> None:
    folder, table = map(str, leaking)
    before = {path.name for path in tmp_path.iterdir()}
    assert main(["audit", folder, "--split", table, "--html", str(tmp_path / "no" / "such.html")]) == 1
    assert main(["audit", folder, "--split", table, "--html", str(tmp_path)]) == 2
    assert "expected a folder to write it into" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == before


def test_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, "docs/audit.md", "exec"), {})
    assert (tmp_path / "leaks.html").exists()


def test_the_guide_names_every_key_of_the_json() -> None:
    text = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    found = audit([{"file": "a", "split": "train"}, {"file": "b", "split": "test"}]).to_json()
    assert [key for key in found if f"`{key}`" not in text and key not in ("what", "scheme")] == []
