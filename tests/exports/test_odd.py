"""Odd values of publishers and users: names that climb, formulas, unknown numbers, nothing at all."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from covid_datasets.exports.export import export
from covid_datasets.exports.features import feature_types, with_features, yaml_features
from tests.exports.outside import needs_outside, outside
from tests.exports.written import WRITTEN

FORMULA = '=HYPERLINK("http://evil")'
NAMES = ["../../etc/passwd", "a.b/c d.png", "A.B/C D.png", None, "", "größe\n", "x" * 500, "nul\0"]


@pytest.fixture
def odd() -> Any:
    from datasets import ClassLabel, Dataset, Features, Image, List, Value
    from PIL import Image as Pictures

    out = io.BytesIO()
    Pictures.new("I;16", (4, 3), 3000).save(out, "PNG")
    count = len(NAMES)
    images = [{"bytes": out.getvalue(), "path": f"../no/{number}"} for number in range(count)]
    features = Features(
        {
            "sample_id": Value("string"),
            "image": Image(),
            "masks": {"lung": Image(), "in fection": Image()},
            "views": List(Image()),
            "label": ClassLabel(names=["no", "yes, it is"]),
            "caption": Value("string"),
            "age": Value("float64"),
            "seen": Value("date32"),
            "scores": List({"name": Value("string"), "value": Value("float64")}),
        }
    )
    values = {
        "sample_id": NAMES,
        "image": images,
        "masks": [{"lung": images[0] if number % 2 else None, "in fection": None} for number in range(count)],
        "views": [[images[0]] * (number % 3) for number in range(count)],
        "label": [None, 0, 1] + [None] * (count - 3),
        "caption": [FORMULA, "\x1b]0;owned\x07", "two\nlines", None, "-1", "@x", "größe", ""],
        "age": [float("nan"), float("inf"), None, 1.5] + [2.0] * (count - 4),
        "seen": [date(2020, 3, 1)] * count,
        "scores": [[{"name": "a", "value": float("nan")}]] * count,
    }
    return Dataset.from_dict(values, features)


@pytest.mark.parametrize("format", WRITTEN)
def test_nothing_leaves_the_folder(format: str, odd: Any, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    done = export(odd, format, tmp_path / "deep" / "er" / "out")
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    ours = {name for name in found if "huggingface" not in name and "cache" not in name and "home" not in name}
    assert ours == {f"deep/er/out/{name}" for name in (*done.files, "manifest.json")}
    assert all(name.isascii() and name.isprintable() and len(name) < 200 for name in done.files)


def test_a_spreadsheet_runs_nothing_and_a_terminal_obeys_nothing(odd: Any, tmp_path: Path) -> None:
    export(odd, "folder", tmp_path / "out")
    text = (tmp_path / "out" / "train.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(NAMES)
    assert rows[0]["caption"] == f"'{FORMULA}"
    assert not any(cell.startswith(("=", "+", "@", "-")) for row in rows for cell in row.values())
    assert "\x1b" not in text
    assert [row["label_name"] for row in rows[:4]] == ["", "no", "yes, it is", ""]


def test_json_is_json(odd: Any, tmp_path: Path) -> None:
    export(odd, "webdataset", tmp_path / "out")
    with tarfile.open(tmp_path / "out" / "train-00000-of-00001.tar") as tar:
        texts = [tar.extractfile(member).read() for member in tar if member.name.endswith(".json")]  # type: ignore[union-attr]
    rows = [json.loads(text, parse_constant=pytest.fail) for text in texts]
    assert [row["sample_id"] for row in rows] == NAMES
    assert [row["age"] for row in rows[:4]] == [None, None, None, 1.5]


@needs_outside
def test_what_others_make_of_it(odd: Any, tmp_path: Path) -> None:
    export(odd, "webdataset", tmp_path / "tars")
    export(odd, "hf", tmp_path / "hf")
    export(odd, "folder", tmp_path / "folder")
    script = """
    import glob, json, sys
    import datasets, pandas, webdataset
    from PIL import Image
    tars, hf, folder, cache = sys.argv[1:]
    found = list(webdataset.WebDataset(glob.glob(f"{tars}/*.tar"), shardshuffle=False).decode())
    rows = datasets.load_dataset(hf, split="train", cache_dir=cache)
    frame = pandas.read_csv(f"{folder}/train.csv")
    print(json.dumps({
        "keys": len({row["__key__"] for row in found}),
        "classes": [row.get("cls") for row in found],
        "pixel": int(rows[0]["image"].getpixel((0, 0))),
        "labels": rows["label"][:],
        "views": [len(row) for row in rows["views"]],
        "deep": int(Image.open(f"{folder}/{frame['path'][1]}").getpixel((0, 0))),
        "names": frame["label_name"].fillna("").to_list(),
    }))
    """
    found = outside(script, tmp_path / "tars", tmp_path / "hf", tmp_path / "folder", tmp_path / "cache")
    labels = odd["label"][:]
    assert found["keys"] == len(NAMES)
    assert found["classes"] == labels
    assert found["labels"] == labels
    assert (found["pixel"], found["deep"]) == (3000, 3000)
    assert found["views"] == [number % 3 for number in range(len(NAMES))]
    assert found["names"] == [{None: "", 0: "no", 1: "yes, it is"}[label] for label in labels]


def test_yaml_says_what_hugging_face_would(odd: Any) -> None:
    types = feature_types(odd.features.arrow_schema)
    assert yaml_features(types) == odd.features._to_yaml_list()


def test_features_survive_the_schema(odd: Any) -> None:
    from datasets import Features

    schema = odd.features.arrow_schema
    again = with_features(list(schema), feature_types(schema))
    assert Features.from_arrow_schema(again) == odd.features


@pytest.mark.parametrize("format", WRITTEN)
def test_no_rows(format: str, odd: Any, tmp_path: Path) -> None:
    from covid_datasets.errors import UsageError

    if format == "hf":
        with pytest.raises(UsageError, match="opens no empty split"):
            export(odd.select([]), format, tmp_path / "out")
        return
    assert export(odd.select([]), format, tmp_path / "out").rows == 0
