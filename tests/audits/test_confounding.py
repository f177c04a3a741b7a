"""`confounding` as its users call it, on wards where it is known what tells the label."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

from covid_datasets import Confounding, OwnData, confounding, extras
from covid_datasets.audits.confounding import LIMIT, TRAITS
from covid_datasets.audits.traits.auc import INTERVAL
from covid_datasets.audits.traits.look import SIDE
from covid_datasets.audits.traits.predict import LEAST_GROUPS, TREES
from covid_datasets.audits.traits.report import ALL, PIXELS, Predicted
from covid_datasets.audits.traits.told import KINDS
from covid_datasets.catalog.confounded import LIMIT as WARNED
from covid_datasets.cli import main
from covid_datasets.errors import MissingExtraError, NotBuiltError, UsageError
from covid_datasets.prepare.engine import build_dataset
from tests.audits.conftest import as_png, by_container, film, ward

pytest.importorskip("sklearn")
Ward = tuple[OwnData, Path]


def row(found: Confounding, trait: str, scheme: str = "5 folds", kind: str = "") -> Predicted:
    rows = [each for each in found.found if (each.trait, each.scheme) == (trait, scheme)]
    return next(each for each in rows if not kind or each.kind == kind)


def test_what_tells_the_label_is_found_without_a_pixel(confounded: Ward) -> None:
    own, cache = confounded
    found = confounding(own, cache_dir=cache, pixels=False)
    assert (found.rows, found.groups, found.classes) == (80, 40, {"covid19": 40, "no_finding": 40})
    for trait in ("container", "extension", "header", ALL):
        assert row(found, trait).auc == 1.0, trait
        assert row(found, trait).low == 1.0, trait
    assert row(found, "container").vanishes
    assert row(found, "size").why == "the same in all rows"
    assert "is told" in found.verdict
    assert "learned nothing else" in str(found)


def test_normalised_pixels_no_longer_tell_it(confounded: Ward) -> None:
    own, cache = confounded
    found = confounding(own, cache_dir=cache, traits=["container", "mean", "detail"])
    left = row(found, PIXELS, kind="pixels normalised")
    assert left.auc is not None
    assert left.low is not None
    assert left.low <= 0.5
    assert not left.vanishes


def test_where_nothing_tells_it_the_interval_holds_guessing(plain: Ward) -> None:
    own, cache = plain
    found = confounding(own, cache_dir=cache, pixels=False)
    together = row(found, ALL)
    assert together.low is not None
    assert together.high is not None
    assert together.low <= 0.5 <= together.high
    assert "nothing of the label is told" in found.verdict
    assert "learned nothing else" not in str(found)


def test_brightness_that_follows_the_label_vanishes_when_normalised(tmp_path: Path) -> None:
    def darker(picture: Image.Image, path: Path, ill: bool, person: int) -> None:
        as_png(picture.point([value * (2 if ill else 3) // 4 for value in range(256)]), path, ill, person)

    own = ward(tmp_path / "ward", tmp_path / "cache", darker)
    found = confounding(own, cache_dir=tmp_path / "cache", traits=["mean"])
    before, after = (row(found, "mean", kind=f"pixels {stage}").auc for stage in ("stored", "normalised"))
    assert before is not None
    assert after is not None
    assert before > 0.8 > 0.7 > after


def test_the_source_alone_tells_it_in_a_list(tmp_path: Path) -> None:
    """Two wards, one of the ill and one of the healthy: as chest X-rays of COVID-19 and of children were joined."""
    cache, wards = tmp_path / "cache", []
    for number, finding in enumerate(("covid", "normal")):
        folder = tmp_path / f"ward{number}"
        for person in range(12):
            home = folder / finding / f"p{number}{person}"
            home.mkdir(parents=True)
            film(100 * person + number).save(home / "a.png")
        wards.append(OwnData(folder, patient_level=1))
        build_dataset(wards[-1], cache_dir=cache, num_proc=1)
    found = confounding(wards, cache_dir=cache, pixels=False)
    assert row(found, "source").auc == 1.0
    told = [(each.value, each.label, each.rows, each.share) for each in found.told if each.trait == "source"]
    assert told == [("own.ward0", "covid19", 12, 1.0), ("own.ward1", "no_finding", 12, 1.0)]
    assert found.label_table.num_rows == len(found.told)
    assert "source and label" in str(found)


def test_of_few_groups_nothing_is_said(tmp_path: Path) -> None:
    own = ward(tmp_path / "ward", tmp_path / "cache", by_container, people=8)
    found = confounding(own, cache_dir=tmp_path / "cache")
    assert {each.auc for each in found.found} == {None}
    assert "nothing can be said" in found.verdict
    assert found.summary["auc"] is None
    assert found.told, "what values come with what labels is counted all the same"


def test_of_one_group_or_one_class_nothing_is_said(tmp_path: Path, confounded: Ward) -> None:
    folder = tmp_path / "one" / "covid"
    folder.mkdir(parents=True)
    for number in range(3):
        film(number).save(folder / f"{number}.png")
    one = OwnData(tmp_path / "one")
    build_dataset(one, cache_dir=tmp_path / "cache", num_proc=1)
    found = confounding(one, cache_dir=tmp_path / "cache")
    assert found.groups == 1
    assert "there is one class" in found.verdict
    own, cache = confounded
    of_ill = confounding(own, cache_dir=cache, pixels=False, label="modality")
    assert of_ill.rows == 0
    assert "no row has a label" in of_ill.verdict


def test_rows_without_a_label_are_left_out_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "ward"
    for person in range(3):
        home = folder / "who knows" / f"q{person}"
        home.mkdir(parents=True)
        film(9_000 + person).save(home / "0.png")
    own = ward(folder, tmp_path / "cache", by_container, people=24)
    found = confounding(own, cache_dir=tmp_path / "cache", pixels=False, traits=["container"])
    assert found.rows == 48
    assert "3 of 51 rows have no label, and are left out." in found.notes
    assert row(found, "container").auc == 1.0


def test_people_whom_nobody_knows_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "ward"
    for number in range(6):
        home = folder / ("covid" if number % 2 else "normal")
        home.mkdir(parents=True, exist_ok=True)
        film(number).save(home / f"{number}.png")
    own = OwnData(folder, group="near-duplicates")
    build_dataset(own, cache_dir=tmp_path / "cache", num_proc=1)
    found = confounding(own, cache_dir=tmp_path / "cache", pixels=False)
    (note,) = [each for each in found.notes if "nobody knows the patient" in each]
    assert note.startswith("own.ward: of 6 rows nobody knows the patient.")
    assert "scores on these splits are too good" in note


def test_a_published_split_is_learned_and_predicted_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "ward"
    for person in range(60):
        ill = person % 2 == 0
        home = folder / ("train" if person < 36 else "test") / ("covid" if ill else "normal") / f"p{person:03d}"
        home.mkdir(parents=True)
        by_container(film(person), home / "0", ill, person)
    film(77).save(folder / "test" / "covid" / "p000.jpg")
    (folder / "test" / "covid" / "p000").mkdir()
    (folder / "test" / "covid" / "p000.jpg").rename(folder / "test" / "covid" / "p000" / "1.jpg")
    own = OwnData(folder, patient_level=1)
    build_dataset(own, cache_dir=tmp_path / "cache", num_proc=1)
    found = confounding(own, cache_dir=tmp_path / "cache", pixels=False, traits=["container"])
    assert {each.scheme for each in found.found} == {"5 folds", "official"}
    assert row(found, "container", "official").auc == 1.0
    assert "official: 1 group in train and in test: this split does not keep people apart." in found.notes
    alone = confounding(own, cache_dir=tmp_path / "cache", pixels=False, traits=["container"], scheme="official")
    assert {each.scheme for each in alone.found} == {"official"}
    assert row(alone, ALL, "official") == row(found, ALL, "official")


def test_every_number_is_the_same_every_time(confounded: Ward) -> None:
    own, cache = confounded
    one, other = (confounding(own, cache_dir=cache, traits=["compression", "mean"]) for _ in range(2))
    assert one == other
    assert one.found


def test_the_summary_is_one_row_to_stand_beside_a_model(confounded: Ward) -> None:
    own, cache = confounded
    found = confounding(own, cache_dir=cache, pixels=False, traits=["container", "compression"])
    summary = found.summary
    assert (summary["auc"], summary["low"], summary["high"]) == (1.0, 1.0, 1.0)
    assert summary["scheme"] == "5 folds"
    assert "container" in summary["traits"]
    assert summary["model"].startswith(ALL)
    assert json.loads(json.dumps(found.to_json()))["summary"] == summary
    table = found.table
    assert table.num_rows == len(found.found)
    assert dict(table.column("classes").to_pylist()[0]).keys() <= {"covid19", "no_finding"}


def test_other_columns_can_be_the_label_and_no_trait_of_themselves(plain: Ward) -> None:
    own, cache = plain
    found = confounding(own, cache_dir=cache, label="quality", pixels=False)
    assert found.label == "quality"
    by_mode = confounding(own, cache_dir=cache, label="pixel_mode", pixels=False)
    assert "mode" not in {each.trait for each in by_mode.found}


def test_rows_can_be_chosen(confounded: Ward) -> None:
    own, cache = confounded
    few = confounding(own, cache_dir=cache, limit=50, pixels=False, traits=["container"])
    assert few.rows == 50
    assert "50 of 80 rows are looked at, chosen by a hash of their ids; limit= takes more." in few.notes
    ill = confounding(own, cache_dir=cache, pixels=False, traits=["mode"], label="covid19_vs_rest")
    assert (ill.label, ill.classes) == ("covid19_vs_rest", {"covid19": 40, "rest": 40})
    only = confounding(own, cache_dir=cache, traits=["mode", "container"], pixels=False)
    assert {each.trait for each in only.found} == {"container", "mode", ALL}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"label": "labl"}, "Did you mean 'label'?"),
        ({"label": "age"}, "expected a column of few values"),
        ({"traits": ["contaner"]}, "Did you mean 'container'?"),
        ({"traits": "mode"}, "expected a list such as"),
        ({"traits": []}, "expected a list such as"),
        ({"limit": 0}, "expected a number of rows above 0"),
        ({"label": "covid_vs_rest"}, "found 'covid'"),
        ({"modalty": "CT"}, "Did you mean 'modality'?"),
    ],
)
def test_what_is_asked_for_wrongly_is_told(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError) as told:
        confounding("phantom", **arguments)  # type: ignore[arg-type]
    assert words in str(told.value)


def test_the_guide_names_every_trait_and_its_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "confounding.md").read_text(encoding="utf-8")
    table = text[text.index("## What is looked at") : text.index("## How a number is made")]
    assert set(TRAITS) <= set(re.findall(r"`(\w+)`", table))
    assert set(KINDS) <= set(re.findall(r"^\| (\w+) \|", table, re.MULTILINE))
    told = [f"image_size={SIDE}", f"an AUC of {WARNED}", f"Fewer than {LEAST_GROUPS} groups", f"{TREES} trees"]
    assert [each for each in (*told, f"{LIMIT:,} rows") if each not in text] == []
    assert f"from {INTERVAL[0]:g} to {INTERVAL[1]:g}" in text
    monkeypatch.setenv("COVID_DATASETS_CACHE", str(tmp_path))
    exec(text.split("```python\n")[1].split("```")[0], {})
    assert "nothing can be said" in capsys.readouterr().out  # eight people of each class are few


def test_nothing_is_built_for_it(tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match="covid-datasets build phantom"):
        confounding("phantom", cache_dir=tmp_path)


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda module: module != "sklearn")
    with pytest.raises(MissingExtraError, match=r"pip install 'covid_datasets\[audit\]'"):
        confounding("phantom", cache_dir=tmp_path)


def test_it_loads_nothing_heavy_before_it_is_asked() -> None:
    import subprocess

    code = "import sys, covid_datasets; covid_datasets.confounding; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"sklearn", "scipy", "pandas"} & set(done.stdout.split())


def test_the_command_says_what_the_function_says(
    tmp_path: Path, confounded: Ward, capsys: pytest.CaptureFixture[str]
) -> None:
    own, cache = confounded
    argv = ["confounding", str(own.place), "--patient-level", "1", "--no-pixels", "--cache-dir", str(cache)]
    argv += ["--traits", "container", "extension"]
    found = confounding(own, cache_dir=cache, pixels=False, traits=["container", "extension"])
    assert main(argv) == 0
    assert capsys.readouterr().out == f"{found}\n"
    assert main([*argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(found.to_json()))
    assert main([*argv, "--csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("trait,kind,scheme,auc,low,high")
    assert len(lines) == len(found.found) + 1
    assert main([*argv, "--where", "modality=CT", "--where", "modality=US"]) == 0
    assert "no row has a label" in capsys.readouterr().out
    assert main([*argv, "--where", "modality"]) == 2
    assert "expected COLUMN=VALUE" in capsys.readouterr().err
    assert main([*argv, "--traits", "nonsense"]) == 2
