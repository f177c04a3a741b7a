"""Sources and exports as MLCommons Croissant, opened by `mlcroissant` as its users would."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import covid_datasets
from covid_datasets.catalog.cards import load_card, names, readable_cards
from covid_datasets.cli import main
from covid_datasets.errors import NotBuiltError, UnknownDatasetError, UnknownVersionError
from covid_datasets.exports.croissant.check import check_croissant
from covid_datasets.exports.croissant.describe import croissant
from covid_datasets.exports.croissant.vocabulary import CROISSANT, RAI
from covid_datasets.exports.export import export
from covid_datasets.exports.exportable import Exportable
from tests.exports.outside import needs_outside, outside
from tests.exports.written import WRITTEN
from tests.small import SmallSources
from tests.tiny import CARD, VERSION, installed

needs_mlcroissant = pytest.mark.skipif(not find_spec("mlcroissant"), reason="mlcroissant is not installed")
STATES = [
    f"{card.id}@{version}" if version else card.id for card in readable_cards()[0] for version in card.versions or ("",)
]
UNKNOWN = {"$.creator", "$.datePublished"}
"""What nobody but the owner of data can say."""
KINDS = [("phantom", "small"), ("cohen", None), ("mosmed", "volumes"), ("mosmed", "slices"), ("pocus", "videos")]
KINDS += [("midrc_ricord_1a", None), ("hannover", None), ("jhu_csse", "time_series"), ("jhu_csse", "daily_reports")]

# Loads the first record of every record set of each description; then all records, and those of one split.
LOAD = """
import json, logging, sys, time
logging.disable(logging.WARNING)
import mlcroissant

found = {}
for path in sys.argv[1:]:
    dataset = mlcroissant.Dataset(path)
    found[path] = {"warnings": sorted(dataset.metadata.ctx.issues.warnings), "seconds": 0.0, "first": {}, "rows": {}}
    for records in dataset.metadata.record_sets:
        begun = time.monotonic()
        first = next(iter(dataset.records(records.id)))
        found[path]["seconds"] = max(found[path]["seconds"], time.monotonic() - begun)
        found[path]["first"][records.id] = {key: repr(value) for key, value in first.items()}
    if "samples" in found[path]["first"]:
        # A joined record set can be read once from a `Dataset`, and a filter changes the `Dataset` that it is asked of.
        for row in mlcroissant.Dataset(path).records("samples"):
            ids = found[path]["rows"].setdefault(row["samples/split"].decode(), [])
            ids.append(row.get("samples/sample_id", b"").decode())
        split = sorted(found[path]["rows"])[0]
        filtered = mlcroissant.Dataset(path).records("samples", filters={"samples/split": split})
        found[path]["filtered"] = [split, sum(1 for row in filtered)]
print(json.dumps(found))
"""


def nodes(value: Any) -> list[dict[str, Any]]:
    """List all objects of a description, at whatever depth."""
    if isinstance(value, list):
        return [node for each in value for node in nodes(each)]
    return [value, *nodes(list(value.values()))] if isinstance(value, dict) else []


@pytest.mark.parametrize("name", STATES)
def test_every_state_of_every_source_is_valid(name: str) -> None:
    assert check_croissant(croissant(name)) == []


@needs_mlcroissant
@pytest.mark.parametrize("name", names())
def test_mlcroissant_takes_every_source(name: str, tmp_path: Path) -> None:
    import mlcroissant

    path = tmp_path / "croissant.json"
    assert main(["croissant", name, "-o", str(path)]) == 0
    dataset = mlcroissant.Dataset(path)
    assert dataset.metadata.ctx.issues.report() == ""
    for records in dataset.metadata.record_sets:
        assert next(iter(dataset.records(records.id)))


@pytest.mark.parametrize("name", names())
def test_a_description_says_what_the_card_says(name: str) -> None:
    card, found = load_card(name), croissant(name)
    assert found["conformsTo"] == [CROISSANT, RAI]
    assert found["name"] == name
    assert card.title in found["alternateName"]
    text = json.dumps(found, ensure_ascii=False)
    for stated in (card.licence.terms, *(each.what for each in card.defects), card.patients.warning):
        assert json.dumps(stated.strip(), ensure_ascii=False)[1:-1] in text
    assert found["rai:hasSyntheticData"] is card.responsible.synthetic
    resources = card.choice().resources if card.versions else ()
    urls = {copy.url for resource in resources for copy in resource.copies}
    given = [node.get("contentUrl") for node in nodes(found)] + [node.get("@id") for node in nodes(found)]
    assert {url for url in given if isinstance(url, str) and "://" in url} <= urls | {
        load_card(other).homepage for other in names()
    }, "no address that no card states"


def test_a_planned_source_is_described_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = CARD.replace('default_version = "1"', 'status = "planned"\ndefault_version = "1"') + VERSION
    with installed(tmp_path, monkeypatch, {"tiny": planned}):
        assert croissant("tiny")["distribution"][0]["description"].startswith("It is planned: ")


def test_what_is_alike_is_said_with_what_nobody_knows_of_it() -> None:
    biases = croissant("medseg")["rai:dataBiases"]
    alike = {each["name"] for each in croissant("medseg")["prov:alternateOf"]}
    assert "cohen" in alike
    assert "covid19_ct_seg" not in alike
    assert any(said.startswith("sirm: ") and said.endswith("has seen them.") for said in biases)
    assert next(said for said in biases if said.startswith("covid19_ct_seg: Unknown")).endswith(" are of Radiopaedia.")


def test_only_the_phantom_is_synthetic() -> None:
    assert [name for name in names() if croissant(name)["rai:hasSyntheticData"]] == ["phantom"]


def test_provenance_tells_derived_from_alike() -> None:
    found = croissant("covidx")
    derived = {entity["name"] for entity in found["prov:wasDerivedFrom"]}
    assert {"cohen", "figure1", "actualmed", "hannover"} <= derived
    cohen = croissant("cohen")
    assert {entity["name"] for entity in cohen["prov:wasDerivedFrom"]} == {"eurorad", "hannover", "radiopaedia", "sirm"}
    assert {"covid_ct", "covidx"} <= {entity["name"] for entity in cohen["prov:alternateOf"]}
    hannover = next(entity for entity in cohen["prov:wasDerivedFrom"] if entity["name"] == "hannover")
    assert hannover["@id"] == load_card("hannover").homepage
    assert "82 images of 46 patients" in hannover["description"]


def test_nothing_in_common_is_no_provenance() -> None:
    """The card of POCUS says of two sources that they have nothing in common with it."""
    assert load_card("pocus").overlaps
    assert not {"prov:wasDerivedFrom", "prov:alternateOf"} & croissant("pocus").keys()


@pytest.mark.parametrize(
    ("name", "permitted", "prohibited", "duo"),
    [
        ("hannover", ["use", "distribute", "commercialize"], [], ["DUO_0000004"]),
        ("mosmed", [], ["distribute", "commercialize", "derive"], ["DUO_0000046"]),
        ("midrc_ricord_1a", ["use", "distribute"], ["commercialize"], ["DUO_0000046"]),
        ("cohen", [], [], []),
        ("covid_ct", [], ["distribute"], []),
    ],
)
def test_usage_is_what_the_licence_allows(
    name: str, permitted: list[str], prohibited: list[str], duo: list[str]
) -> None:
    policy, *terms = croissant(name)["usageInfo"]

    def actions(key: str) -> list[str]:
        return [rule["odrl:action"]["@id"].removeprefix("odrl:") for rule in policy.get(key, [])]

    assert actions("odrl:permission") == permitted
    assert actions("odrl:prohibition") == prohibited
    assert [term["termCode"] for term in terms] == duo


def test_a_build_is_told_too(tmp_path: Path) -> None:
    before = croissant("phantom", "small", cache_dir=tmp_path)
    built = covid_datasets.build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    after = croissant("phantom", "small", cache_dir=tmp_path)
    assert "identifier" not in before
    assert after["identifier"]["value"] == built.fingerprint
    assert f"{built.rows} rows" in after["description"]
    splits = next(records for records in after["recordSet"] if records["@id"] == "splits")
    assert {row["splits/name"]: row["splits/rows"] for row in splits["data"]} == built.splits
    assert check_croissant(after) == []


def test_own_data_is_described_when_it_is_built(tmp_path: Path) -> None:
    from PIL import Image

    for patient in ("a", "b"):
        (tmp_path / "ward" / patient).mkdir(parents=True)
        Image.new("L", (64, 64), ord(patient)).save(tmp_path / "ward" / patient / "film.png")
    with pytest.raises(NotBuiltError):
        croissant(tmp_path / "ward")
    covid_datasets.build_dataset(tmp_path / "ward", num_proc=1)
    found = croissant(tmp_path / "ward")
    assert {problem.path for problem in check_croissant(found)} == UNKNOWN
    assert found["license"][0]["description"] == "Its owner knows."


@pytest.mark.parametrize(
    ("name", "config", "error"),
    [
        ("cohn", None, UnknownDatasetError),
        ("cohen@nine", None, UnknownVersionError),
        ("cohen", "nine", UnknownVersionError),
    ],
)
def test_a_wrong_name_is_said(name: str, config: str | None, error: type[Exception]) -> None:
    with pytest.raises(error):
        croissant(name, config)


def test_the_command_writes_prints_and_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "croissant.json"
    assert main(["croissant", "cohen"]) == 0
    printed = capsys.readouterr().out
    assert main(["croissant", "cohen", "-o", str(path)]) == 0
    assert path.read_text(encoding="utf-8") == printed
    assert json.loads(printed) == croissant("cohen")
    capsys.readouterr()
    assert main(["croissant", "--check", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: valid Croissant\n"
    path.write_text(printed.replace('"license"', '"licence"').replace('"creator"', '"creater"'), encoding="utf-8")
    assert main(["croissant", "--check", str(path)]) == 5
    lines = capsys.readouterr().out.splitlines()
    assert {line.split(":")[0] for line in lines[:-1]} == {"$.license", "$.licence", "$.creator", "$.creater"}
    assert main(["croissant", "--check", str(path), "--json"]) == 5
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], len(answer["problems"])) == (False, 4)
    assert main(["croissant", "--check", str(path), "-o", "x"]) == 2


def stored_rows(rows: Any, split: str) -> list[dict[str, Any]]:
    return [row for batch in Exportable.of(rows).splits[split].batches() for row in batch.to_pylist()]


@pytest.fixture
def exported(small: SmallSources, tmp_path: Path) -> dict[Path, dict[str, list[str]]]:
    """Every kind of source as Parquet, some in other forms: folder -> split -> ids of its rows."""
    found = {}
    for name, config in KINDS:
        built = small.build(name, config=config)
        rows = covid_datasets.load_dataset(
            name, built.config, cache_dir=small.cache, data_dir=small.tree(name), allow_missing=True, framework="numpy"
        )
        ids = {split: [row.get("sample_id", "") for row in stored_rows(rows, split)] for split in rows}
        for form in ("parquet", "hf", "folder", "originals") if name == "phantom" else ("parquet",):
            folder = tmp_path / f"{name}-{config}-{form}"
            export(rows, form, folder)
            found[folder] = ids
    return found


@needs_outside
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_records_load_from_every_export_without_this_library(exported: dict[Path, dict[str, list[str]]]) -> None:
    files = {folder / "croissant.json": ids for folder, ids in exported.items()}
    for path in files:
        assert check_croissant(path) == [], path
    found = outside(LOAD, *files)
    for path, ids in files.items():
        one = found[str(path)]
        assert one["warnings"] == []
        assert one["seconds"] < 60
        assert set(one["first"]) >= {"splits", "samples"}
        assert {split: rows for split, rows in one["rows"].items() if rows} == {
            s: rows for s, rows in ids.items() if rows
        }


@needs_outside
def test_values_are_those_that_are_stored(small: SmallSources, tmp_path: Path) -> None:
    """16-bit Hounsfield values, masks and null labels come as they are, and no picture is decoded."""
    small.build("mosmed", config="slices")
    rows = covid_datasets.load_dataset(
        "mosmed", "slices", cache_dir=small.cache, data_dir=small.tree("mosmed"), framework="numpy"
    )
    export(rows, "parquet", tmp_path / "out")
    first = outside(LOAD, tmp_path / "out" / "croissant.json")[str(tmp_path / "out" / "croissant.json")]["first"]
    split = first["samples"]["samples/split"][2:-1]
    stored = stored_rows(rows, split)[0]
    assert first["samples"]["samples/image"] == repr(stored["image"]["bytes"])
    assert first["samples"]["samples/label"] == repr(stored["label"])
    assert first["samples"]["samples/spacing"] == repr(stored["spacing"])
    assert first["samples"]["samples/patient_known"] == repr(stored["patient_known"])
    assert repr(stored["masks"]["lung"] and stored["masks"]["lung"]["bytes"]) in first["samples"]["samples/masks"]


@pytest.mark.parametrize("form", WRITTEN)
def test_every_export_has_a_description_of_its_files(form: str, tmp_path: Path) -> None:
    rows = covid_datasets.load_dataset("phantom", "small", framework="numpy")
    done = export(rows, form, tmp_path / "out")
    path = tmp_path / "out" / "croissant.json"
    assert check_croissant(path) == []
    assert "croissant.json" in done.files
    found = json.loads(path.read_text(encoding="utf-8"))
    for node in found["distribution"]:
        if node["@type"] == "cr:FileObject":
            known = done.files[node["contentUrl"]]
            assert (node["sha256"], node["contentSize"]) == (known["sha256"], f"{known['size']} B")
    assert export(rows, form, tmp_path / "out").files == done.files, "the same export is the same bytes"


def test_a_changed_file_of_an_export_is_found(tmp_path: Path) -> None:
    rows = covid_datasets.load_dataset("phantom", "small", framework="numpy")
    export(rows, "parquet", tmp_path / "out")
    shard = next((tmp_path / "out").glob("train-*.parquet"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    next((tmp_path / "out").glob("test-*.parquet")).unlink()
    found = [str(problem) for problem in check_croissant(tmp_path / "out" / "croissant.json")]
    assert any(".sha256: expected" in line for line in found)
    assert any("expected a file beside the description" in line for line in found)
    assert len(found) == 2


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_joined_sources_are_told_apart(small: SmallSources, tmp_path: Path) -> None:
    for name in ("cohen", "hannover"):
        small.build(name)
    rows = {}
    for name in ("cohen", "hannover"):
        given: dict[str, Any] = {"cache_dir": small.cache, "data_dir": small.tree(name), "allow_missing": True}
        rows[name] = covid_datasets.load_dataset(name, split="train", **given)
    export(rows, "parquet", tmp_path / "out")
    found = json.loads((tmp_path / "out" / "croissant.json").read_text(encoding="utf-8"))
    assert check_croissant(tmp_path / "out" / "croissant.json") == []
    assert found["name"] == "cohen-hannover"
    assert [entity["name"] for entity in found["prov:wasDerivedFrom"]][:2] == ["cohen", "hannover"]
    assert any(text.startswith("hannover: ") for text in found["rai:dataLimitations"] + found["rai:dataBiases"])
    assert {creator["name"] for creator in found["creator"]} >= {"Joseph Paul Cohen"}


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"x": [1, None], "label": ["a", None]}),
        pa.table({"split": ["a"], "a b": [1.5], "ü/%": [[1, 2]], "deep": [[[1], [2, 3]]]}),
        pa.table({"when": pa.array([0], pa.timestamp("s")), "day": pa.array([0], pa.date32()), "nothing": pa.nulls(1)}),
        pa.table(
            {
                "boxes": [[{"name": "a", "x": 1.0}, {"name": "b", "x": None}]],
                "empty": pa.array([[]], pa.list_(pa.int8())),
            }
        ),
    ],
    ids=["nulls", "names", "times", "structs"],
)
def test_tables_of_anybody(table: pa.Table, tmp_path: Path) -> None:
    export({"train": table}, "parquet", tmp_path / "out")
    path = tmp_path / "out" / "croissant.json"
    assert {problem.path for problem in check_croissant(path)} == UNKNOWN
    if find_spec("mlcroissant"):
        import mlcroissant

        first = next(iter(mlcroissant.Dataset(path).records("samples")))
        assert first.keys() >= {"samples/split"} or first.keys() >= {"samples/file_split"}


def test_a_large_export_is_read_shard_by_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What refers to the splits is joined, and for that everything is read: beyond a size nothing refers."""
    from covid_datasets.exports.croissant import exported as module

    rows = covid_datasets.load_dataset("phantom", "small", framework="numpy")
    for limit, refers in ((1 << 30, True), (1, False)):
        monkeypatch.setattr(module, "JOINED_BYTES", limit)
        export(rows, "parquet", tmp_path / str(limit))
        found = json.loads((tmp_path / str(limit) / "croissant.json").read_text(encoding="utf-8"))
        samples = next(records for records in found["recordSet"] if records["@id"] == "samples")
        assert ("references" in samples["field"][0]) == refers
