"""What comes back: forms of ``split``, whole groups, chosen columns, fewer classes, and batches for training."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import collate, extras, group_folds, load_dataset, patient_subset
from covid_datasets.errors import MissingExtraError, UsageError
from covid_datasets.features import features_dict
from covid_datasets.load.form import Form
from covid_datasets.load.frameworks import as_numpy
from covid_datasets.load.selection import Picked, Selection
from covid_datasets.prepare.result import Built
from covid_datasets.splits.index import Index
from tests.small import SmallSources

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE", "ignore:.* have no label")


def load(small: SmallSources, name: Any = "phantom", split: Any = "all", **options: Any) -> Any:
    names = [name] if isinstance(name, str) else name
    configs = [small.build(each).config for each in names]
    config = configs[0] if len(configs) == 1 else None
    options.setdefault("framework", "numpy")
    options |= {"allow_missing": True, "offline": True}
    loaded: Any = load_dataset(name, config, split, cache_dir=small.cache, **options)
    return loaded


def ids(rows: Any) -> list[str]:
    return list(rows["sample_id"][:]) if hasattr(rows, "features") else [row["sample_id"] for row in rows]


# --- splits --------------------------------------------------------------------------------------------------------


def test_a_list_of_splits_gives_a_list(small: SmallSources) -> None:
    train, test = load(small, split=["train", "test"])
    assert (ids(train), ids(test)) == (ids(load(small, split="train")), ids(load(small, split="test")))
    assert [ids(part) for part in load(small, split=("test",))] == [ids(test)]


def test_splits_of_hugging_face_work(small: SmallSources) -> None:
    datasets = pytest.importorskip("datasets")
    wanted = ids(load(small, split="validation"))
    assert ids(load(small, split=datasets.Split.VALIDATION)) == wanted
    assert ids(load(small, split=datasets.ReadInstruction("validation"))) == wanted
    part = datasets.ReadInstruction("train", to=3, unit="abs") + datasets.ReadInstruction("test")
    assert ids(load(small, split=part)) == ids(load(small, split="train"))[:3] + ids(load(small, split="test"))
    streams = load(small, split=["train", "test"], framework="hf", streaming=True)
    assert [type(stream) for stream in streams] == [datasets.IterableDataset] * 2


# --- groups --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", ["hf", "numpy", "pandas"])
def test_every_row_names_its_group(small: SmallSources, framework: str) -> None:
    pytest.importorskip({"hf": "datasets"}.get(framework, framework))
    index = Index.read(small.build("covid_ct").path)
    wanted = dict(zip(index.texts("sample_id"), index.group_ids, strict=True))
    for scheme in ("patient", "fold-1-of-3"):
        for part in load(small, "covid_ct", None, framework=framework, scheme=scheme).values():
            names, groups = (list(column_of(part, name)) for name in ("sample_id", "group_id"))
            assert groups == [wanted[name] for name in names]


def column_of(part: Any, name: str) -> Any:
    return part.column(name).to_pylist() if hasattr(part, "column") else part[name]


def test_a_group_has_the_name_of_its_smallest_patient(small: SmallSources) -> None:
    rows = list(load(small, "covid_ct"))
    people: dict[str, set[str]] = {}
    for row in rows:
        people.setdefault(row["group_id"], set()).add(row["patient_id"] or row["sample_id"])
    assert all(name == min(members) for name, members in people.items())
    assert len(people) == small.build("covid_ct").groups


def test_the_groups_of_a_list_are_joint(small: SmallSources) -> None:
    names = ["covid_ct", "cohen"]
    joint = Index.join([small.build(name).path for name in names])
    wanted = dict(zip(joint.texts("sample_id"), joint.group_ids, strict=True))
    found = {row["sample_id"]: row["group_id"] for part in load(small, names, None).values() for row in part}
    assert found == wanted


def test_groups_are_no_part_of_a_build(small: SmallSources) -> None:
    datasets = pytest.importorskip("datasets")
    built = small.build("phantom")
    stored = datasets.load_from_disk(str(built.path))["train"]
    assert stored.features == datasets.Features.from_dict(features_dict())
    assert load(small, split=None, framework="hf")["train"].column_names == [*stored.column_names, "group_id"]


def selection(groups: list[str]) -> Selection:
    import numpy as np
    import pyarrow as pa

    built = Built("x", "1", "default", Path(), "", len(groups), None, {"train": len(groups)}, {}, 0, 0.0, False, "full")
    return Selection((built,), {"train": (np.arange(len(groups)),)}, (pa.array(groups),))


@pytest.mark.parametrize("groups", [list("aabbbcddde"), list("abcabcabca"), list("aaaaaaaaaa"), list("abcdefghij")])
@pytest.mark.parametrize("cut", [0, 13, 20, 50, 87, 100])
def test_shares_tear_no_group_apart_and_lose_none(groups: list[str], cut: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some shares are empty
        first, second = (
            [int(row) for part in selection(groups).range(spec) for row in part.rows]
            for spec in (f"train[:{cut}%]", f"train[{cut}%:]")
        )
    assert sorted(first + second) == list(range(10))
    assert not {groups[row] for row in first} & {groups[row] for row in second}
    if len(set(groups)) == len(groups):
        assert first == list(range(round(cut / 10)))


def test_rows_by_number_are_exact_and_an_empty_share_is_told(small: SmallSources) -> None:
    chosen = selection(list("aabbbcddde"))
    assert [row for part in chosen.range("train[:3]") for row in part.rows] == [0, 1, 2]
    with pytest.warns(UserWarning, match=r"split 'train\[:8%\]' is empty: patients stay whole"):
        assert sum(len(part.rows) for part in chosen.range("train[:8%]")) == 0


@pytest.mark.parametrize("framework", ["hf", "numpy", "pandas", "torch"])
def test_subsets_and_folds_work_on_what_is_loaded(small: SmallSources, framework: str) -> None:
    pytest.importorskip({"hf": "datasets"}.get(framework, framework))
    rows = load(small, "covid_ct", framework=framework)
    half = patient_subset(rows, 0.5)
    assert type(half) is type(rows)
    assert 0 < len(half) < len(rows)
    tested = Counter(int(row) for _, test in group_folds(rows, 3) for row in test)
    assert tested == Counter(range(len(rows)))


# --- columns and classes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", ["hf", "numpy", "pandas", "torch"])
def test_columns_are_those_that_were_asked_for(small: SmallSources, framework: str) -> None:
    pytest.importorskip({"hf": "datasets"}.get(framework, framework))
    part = load(small, split="train", framework=framework, columns=["label", "image", "group_id"])
    names = part.columns if framework == "pandas" else part.column_names
    assert list(names) == ["label", "image", "group_id"]
    if framework != "pandas":
        assert list(part[0]) == ["label", "image", "group_id"]
    if framework == "hf":
        assert len(repr(part)) < 100


def test_present_labels_are_those_that_occur_in_any_split(small: SmallSources) -> None:
    datasets = pytest.importorskip("datasets")
    whole, few = load(small, split=None, framework="hf"), load(small, split=None, framework="hf", labels="present")
    assert few["test"].features["label"] == datasets.ClassLabel(names=["no_finding", "covid19", "bacterial_pneumonia"])
    for split, part in whole.items():
        assert few[split].column_names == part.column_names
        by_name, names = few[split].features["label"].int2str, part.features["label"].int2str
        assert [by_name(label) for label in few[split]["label"]] == [names(label) for label in part["label"]]
    rows = load(small, labels="present", split="train")
    assert rows.label_names == ("no_finding", "covid19", "bacterial_pneumonia")
    assert [row["label"] for row in rows] == list(few["train"]["label"])
    pytest.importorskip("pandas")
    frame = load(small, labels="present", split="train", framework="pandas")
    assert list(frame["label"].cat.categories) == list(rows.label_names)


def test_a_task_has_two_classes(small: SmallSources) -> None:
    rows = load(small, "cohen", task="covid19_vs_rest")
    stored = load(small, "cohen")
    assert rows.label_names == ("rest", "covid19")
    named = [None if row["label"] is None else stored.label_names[row["label"]] for row in stored]
    assert [row["label"] for row in rows] == [None if name is None else int(name == "covid19") for name in named]
    assert None in named, "what is unknown is no rest"
    two = load(small, "cohen", task="covid19_vs_no_finding")
    assert two.label_names == ("no_finding", "covid19")
    assert [row["label"] for row in two] == [int(name == "covid19") for name in named if name in two.label_names]
    with pytest.raises(UsageError, match=r"expected classes that occur \(.*covid19.*\), found sars"):
        load(small, "cohen", task="sars_vs_rest")


@pytest.mark.filterwarnings("default:.* have no label")
def test_unknown_labels_are_told_once_with_what_keeps_the_others(small: SmallSources) -> None:
    with pytest.warns(UserWarning, match=r"cohen: 2 of 13 rows have no label \(None\); label=\[.*'covid19'.*\] keeps"):
        load(small, "cohen")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".* is INCOMPLETE")
        warnings.filterwarnings("ignore", ".* are of unknown patients")
        load(small, "cohen", label="covid19")
        load(small, "cohen", columns=["image", "age"])


def test_rows_lost_within_the_tolerance_are_told_in_one_line(small: SmallSources, monkeypatch: Any) -> None:
    from dataclasses import replace

    from covid_datasets.load import dataset

    built = replace(small.build("phantom"), lost=3)
    monkeypatch.setattr(dataset, "find_build", lambda *names, **options: built)
    with pytest.warns(UserWarning, match=r"phantom@1: 3 damaged or missing samples are left out.*report.md names them"):
        load(small)


# --- opening and training ------------------------------------------------------------------------------------------


def test_rows_with_videos_open_without_another_library(small: SmallSources) -> None:
    pytest.importorskip("datasets")
    seen = 0
    for part in load(small, "pocus", None, framework="hf").values():
        for row in part:
            seen += row["video"] is not None and len(row["video"]["bytes"]) > 0
    assert seen > 0


def test_what_opens_a_volume_is_asked_for_before_the_first_row(
    small: SmallSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datasets")
    pytest.importorskip("nibabel")
    config = small.build("mosmed", config="volumes").config
    options: dict[str, Any] = {"cache_dir": small.cache, "allow_missing": True, "offline": True}
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "nibabel" else find_spec(name))
    with pytest.raises(MissingExtraError, match=r"nibabel is not installed.*pip install 'covid_datasets\[volumes\]'"):
        load_dataset("mosmed", config, **options)
    assert len(load_dataset("mosmed", config, "all", columns=["patient_id", "label"], **options)) > 0


def test_batches_hold_what_is_unknown_and_images_of_any_size(small: SmallSources) -> None:
    torch = pytest.importorskip("torch")
    data = load(small, "cohen", framework="torch")
    (batch,) = torch.utils.data.DataLoader(data, batch_size=len(data), collate_fn=collate)
    assert list(batch) == data.column_names
    labels = [row["label"] for row in data]
    assert batch["label"].tolist() == [-100 if label is None else label for label in labels]
    assert [None if age != age else age for age in batch["age"].tolist()] == [row["age"] for row in data]
    assert [image.shape for image in batch["image"]] == [row["image"].shape for row in data]
    assert batch["sex"] == [row["sex"] for row in data]
    loss = torch.nn.functional.cross_entropy(torch.zeros(len(data), 28), batch["label"])
    assert loss.isfinite()
    alike = load(small, framework="torch", columns=["image", "label"], modality="CT")
    batch = next(iter(torch.utils.data.DataLoader(alike, batch_size=4, num_workers=2, collate_fn=collate)))
    assert batch["image"].shape == (4, 1, 192, 192)


def test_the_loop_of_the_page_about_training_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("datasets")
    monkeypatch.setenv("COVID_DATASETS_CACHE", str(tmp_path))
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "train.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) > 1
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert names["accuracy"] > 0.5


def test_numpy_rows_take_a_form(small: SmallSources) -> None:
    built = small.build("phantom")
    rows = as_numpy([Picked(built, load(small)._parts[0].rows, None)], Form(("sample_id",)))
    assert list(rows[0]) == ["sample_id"]
