"""The check of Croissant files: whatever is deleted, misspelt or of another kind is reported with its place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import covid_datasets
from covid_datasets.errors import DamagedFileError, NotThereError
from covid_datasets.exports.croissant import check as module
from covid_datasets.exports.croissant.check import check_croissant
from covid_datasets.exports.croissant.describe import croissant
from covid_datasets.exports.croissant.exported import describe_export
from covid_datasets.exports.croissant.rules import RULES
from covid_datasets.exports.exportable import Exportable

Document = dict[str, Any]
ABC = "abcdefghijklmnopqrstuvwxyz"


def read_back(description: Document) -> Document:
    """Give a description as whoever reads the file has it."""
    found: Document = json.loads(json.dumps(description))
    return found


@lru_cache(maxsize=1)
def prohibiting() -> Document:
    return read_back(croissant("mosmed"))


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """The description of an export with files, splits, labels and a record set of many kinds of fields."""
    folder = tmp_path_factory.mktemp("cache")
    data = Exportable.of(covid_datasets.load_dataset("phantom", "small", framework="numpy", cache_dir=folder))
    files = {f"{split}-00000-of-00001.parquet": {"size": 10, "sha256": "ab" * 32} for split in data.splits}
    description = describe_export(data, "parquet", folder, files)
    assert check_croissant(description) == []
    return read_back(description)


@pytest.fixture(scope="module")
def card() -> Document:
    """The description of a source with everything that a card may say: files by hash, provenance, prohibitions."""
    description = read_back(croissant("covid_ct"))
    assert check_croissant(description) == []
    return description


def objects(value: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    """Walk over all objects that are nodes: not the context, and not the records of a record set."""
    if isinstance(value, list):
        for at, each in enumerate(value):
            yield from objects(each, f"{path}[{at}]")
    elif isinstance(value, dict):
        yield path, value
        for key, each in value.items():
            if key not in ("@context", "data"):
                yield from objects(each, f"{path}.{key}")


def at(document: Document, path: str) -> Any:
    """Find an object by the path that the check gives."""
    found: Any = document
    for part in path.removeprefix("$").replace("[", ".[").split("."):
        if part:
            found = found[int(part[1:-1])] if part.startswith("[") else found[part]
    return found


def places(document: Document) -> list[tuple[str, str]]:
    """List each key of each node; of fields that are alike, those of some."""
    seen: dict[tuple[str, ...], int] = {}
    found = []
    for path, node in objects(document):
        kind = (str(node.get("@type")), *sorted(node))
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= 2:
            found += [(path, key) for key in node]
    return found


@pytest.mark.parametrize("key", RULES["Dataset"].required)
@pytest.mark.parametrize("empty", [None, "", [], {}], ids=["deleted", "text", "list", "object"])
def test_each_required_key_is_missed(key: str, empty: Any, card: Document) -> None:
    document = copy.deepcopy(card)
    if empty is None:
        del document[key]
    else:
        document[key] = empty
    assert any(problem.path.startswith(f"$.{key}") for problem in check_croissant(document)), key


@pytest.mark.parametrize("which", ["card", "parquet"])
def test_each_misspelt_key_is_reported(which: str, request: pytest.FixtureRequest) -> None:
    """Swap two letters of every key of every kind of node: none of them is taken for a word of schema.org."""
    original: Document = request.getfixturevalue(which)
    count = 0
    for path, key in places(original):
        document = copy.deepcopy(original)
        node = at(document, path)
        wrong = f"{key[:-2]}{key[-1]}{key[-2]}" if key[-1] != key[-2] else f"{key}x"
        node[wrong] = node.pop(key)
        found = check_croissant(document)
        if key.startswith("@"):
            assert found or key in ("@id", "@type"), (path, key)
            continue
        assert any(problem.path == f"{path}.{wrong}" for problem in found), (path, wrong)
        count += 1
    assert count > 50


@pytest.mark.parametrize("which", ["card", "parquet"])
def test_each_dangling_reference_is_reported(which: str, request: pytest.FixtureRequest) -> None:
    original: Document = request.getfixturevalue(which)
    ids = {node["@id"] for _, node in objects(original) if len(node) > 1 and "@id" in node}
    references = [path for path, node in objects(original) if set(node) == {"@id"} and node["@id"] in ids]
    for path in references[:20]:
        document = copy.deepcopy(original)
        at(document, path)["@id"] += "x"
        assert [problem.path for problem in check_croissant(document)] == [path]
    assert references or which == "card"


def first(document: Document, kind: str) -> Any:
    return next(node for _, node in objects(document) if node.get("@type") == kind)


def field(document: Document, name: str) -> Any:
    return next(node for _, node in objects(document) if node.get("@id") == name and len(node) > 1)


def records(document: Document, name: str) -> Any:
    return next(each for each in document["recordSet"] if each["@id"] == name)


WRONG: list[tuple[str, Callable[[Document], Any], str]] = [
    ("no list of specifications", lambda d: d.update(conformsTo="http://mlcommons.org/croissant/1.1"), "RAI/1.0"),
    ("without the RAI", lambda d: d["conformsTo"].pop(), "$.conformsTo: expected a list with"),
    ("of no version", lambda d: d.update(conformsTo=["http://mlcommons.org/croissant/RAI/1.0"]), "the version of"),
    ("another type", lambda d: d.update({"@type": "sc:Dateset"}), "$.@type: expected Dataset, found 'sc:Dateset'"),
    ("a version that is a day", lambda d: d.update(version="2020-04-28"), "$.version: expected semantic versioning"),
    ("a version that is a number", lambda d: d.update(version=1.0), "$.version: expected semantic versioning"),
    ("a month too many", lambda d: d.update(datePublished="2020-13-01"), "$.datePublished: expected a date"),
    ("a day of no month", lambda d: d.update(datePublished="2020-02-30"), "$.datePublished: expected a date"),
    ("two names", lambda d: d.update(description=["a", "b"]), "$.description: expected one value, found a list of 2"),
    ("no address", lambda d: d.update(url="www.example.org"), "$.url: expected an address"),
    ("a licence in words", lambda d: d.update(license="CC BY 4.0"), "$.license: expected the address of a licence"),
    ("a creator in words", lambda d: d.update(creator="Ada"), "$.creator: expected an object of type Person"),
    ("a creator without a name", lambda d: d["creator"][0].pop("name"), "$.creator[0].name: expected a value"),
    ("a size that is a number", lambda d: first(d, "cr:FileObject").update(contentSize=10), "a size as text"),
    (
        "a short hash",
        lambda d: first(d, "cr:FileObject").update(sha256="ab"),
        "expected a sha256 in hexadecimal digits",
    ),
    ("no hash", lambda d: first(d, "cr:FileObject").pop("sha256"), ".sha256: expected the SHA-256 of the file"),
    (
        "a file of this machine",
        lambda d: first(d, "cr:FileObject").update(contentUrl="file:///a"),
        "an address, or a path",
    ),
    ("no file", lambda d: first(d, "cr:FileObject").pop("contentUrl"), ".contentUrl: expected a value"),
    ("no format", lambda d: first(d, "cr:FileSet").pop("encodingFormat"), ".encodingFormat: expected a value"),
    (
        "Parquet by another name",
        lambda d: first(d, "cr:FileSet").update(encodingFormat="application/vnd.apache.parquet"),
        "'application/x-parquet'",
    ),
    (
        "records of Arrow",
        lambda d: first(d, "cr:FileSet").update(encodingFormat="application/vnd.apache.arrow.file"),
        "a format that records can be read from",
    ),
    ("an id twice", lambda d: d["distribution"].append(dict(d["distribution"][0])), "an id of its own"),
    ("an id with a blank", lambda d: d["distribution"][0].update({"@id": "a b"}), "an id without blanks"),
    ("an unknown type", lambda d: field(d, "samples/age").update(dataType="sc:Flaot"), "did you mean 'sc:Float'?"),
    (
        "a class alone",
        lambda d: field(d, "samples/age").update(dataType="sc:Person"),
        "one type that says how values are read",
    ),
    ("a type without prefix", lambda d: field(d, "samples/age").update(dataType="Float"), "a type with a prefix"),
    ("no type", lambda d: field(d, "samples/age").pop("dataType"), ".dataType: expected a value"),
    ("no source", lambda d: field(d, "samples/age").pop("source"), ".source: expected where its values come from"),
    ("a source and a value", lambda d: field(d, "samples/age").update(value=1), "a source or a value, found both"),
    (
        "two sources",
        lambda d: field(d, "samples/age")["source"].update(fileObject={"@id": "x"}),
        "one of fileObject, fileSet",
    ),
    (
        "a source of another type",
        lambda d: field(d, "samples/age")["source"].update(fileSet={"@id": "labels"}),
        "which is a RecordSet",
    ),
    (
        "two extracts",
        lambda d: field(d, "samples/age")["source"]["extract"].update(jsonPath="x"),
        "one of fileProperty, column",
    ),
    (
        "a property of no file",
        lambda d: field(d, "samples/split")["source"]["extract"].update(fileProperty="path"),
        "one of fullpath",
    ),
    (
        "a regex without a group",
        lambda d: field(d, "samples/split")["source"]["transform"].update(regex="a"),
        "one capturing group",
    ),
    (
        "a regex that is none",
        lambda d: field(d, "samples/split")["source"]["transform"].update(regex="("),
        "a regular expression",
    ),
    ("a shape of no array", lambda d: field(d, "samples/age").update(arrayShape="-1"), ".isArray: expected true"),
    ("a shape in numbers", lambda d: field(d, "samples/flags").update(arrayShape=3.5), "a shape as text"),
    ("a key of another set", lambda d: records(d, "labels").update(key={"@id": "splits/name"}), "a field of 'labels'"),
    ("an enumeration without key", lambda d: records(d, "labels").pop("key"), ".key: expected the field that tells"),
    (
        "a record without a value",
        lambda d: records(d, "labels")["data"][1].pop("labels/name"),
        "a value for each field",
    ),
    ("records that are no list", lambda d: records(d, "labels").update(data={}), ".data: expected a list of records"),
    (
        "synthetic in words",
        lambda d: d.update({"rai:hasSyntheticData": "no"}),
        "$.rai:hasSyntheticData: expected true or false",
    ),
    (
        "two texts of one",
        lambda d: d.update({"rai:dataCollection": ["a", "b"]}),
        "$.rai:dataCollection: expected one text",
    ),
    ("a number for a text", lambda d: d.update({"rai:dataBiases": [1]}), "$.rai:dataBiases[0]: expected text, found 1"),
    ("a policy of no vocabulary", lambda d: d["usageInfo"][0].update({"@type": "odrl:Offr"}), "$.usageInfo[0].@type"),
    (
        "an unknown action",
        lambda d: d["usageInfo"][0]["odrl:permission"][0]["odrl:action"].update({"@id": "odrl:distribut"}),
        "did you mean 'distribute'?",
    ),
    ("a prefix that is not declared", lambda d: d["@context"].pop("rai"), "a prefix that @context declares"),
    (
        "a word that is not declared",
        lambda d: d["@context"].pop("recordSet"),
        "$.@context.recordSet: expected 'cr:recordSet'",
    ),
    ("a word of something else", lambda d: d["@context"].update(field="sc:field"), "$.@context.field: expected"),
    (
        "another vocabulary",
        lambda d: d["@context"].update({"@vocab": "https://example.org/"}),
        "$.@context.@vocab: expected",
    ),
    ("a wrong prefix", lambda d: d["@context"].update(cr="http://mlcommons.org/schema/"), "$.@context.cr: expected"),
    (
        "a context by address",
        lambda d: d.update({"@context": "http://mlcommons.org/croissant/1.1"}),
        "$.@context: expected an object",
    ),
]


@pytest.mark.parametrize(("change", "said"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
def test_what_is_wrong_is_said(change: Callable[[Document], Any], said: str, parquet: Document) -> None:
    document = copy.deepcopy(parquet)
    change(document)
    lines = [str(problem) for problem in check_croissant(document)]
    assert any(said in line for line in lines), lines


def test_everything_is_said_at_once(parquet: Document) -> None:
    document = copy.deepcopy(parquet)
    document |= {"version": "one", "url": "nowhere", "datePublished": "soon"}
    del document["name"]
    document["distribution"][0]["contentSize"] = 1
    found = {problem.path for problem in check_croissant(document)}
    assert found == {"$.version", "$.url", "$.datePublished", "$.name", "$.distribution[0].contentSize"}


def test_a_file_as_others_write_it_is_valid(parquet: Document) -> None:
    """The spellings of the specification's own examples: http, prefixes, single values in place of lists."""
    document = json.loads(json.dumps(parquet).replace("https://schema.org/", "http://schema.org/"))
    document["sc:name"] = document.pop("name")
    document["dct:conformsTo"] = document.pop("conformsTo")
    document["cr:citeAs"] = document.pop("citeAs", "x")
    document["creator"] = document["creator"][0]
    document["license"] = "https://creativecommons.org/licenses/by/4.0/"
    document["usageInfo"] = "https://example.org/terms"
    document["@type"] = ["http://schema.org/Dataset"]
    document["datePublished"] = "2020-05-01T10:00:00Z"
    field(document, "samples/split")["references"] = {"@id": "splits/name"}
    field(document, "samples/age")["dataType"] = ["sc:Float", "http://www.wikidata.org/entity/Q185836"]
    assert [str(problem) for problem in check_croissant(document)] == []


def test_a_file_of_the_version_before_is_valid(parquet: Document) -> None:
    """Its context lacks later words; hashes may be base64; an enumeration says which field is its name."""
    document = copy.deepcopy(parquet)
    document["conformsTo"][0] = "http://mlcommons.org/croissant/1.0"
    for name in ("containedIn", "isArray", "arrayShape"):
        del document["@context"][name]
    document["distribution"] += [
        {"@type": "cr:FileObject", "@id": "a.zip", "contentUrl": "https://example.org/a.zip", "md5": f"{'A' * 22}==",
         "encodingFormat": "application/zip"},
        {"@type": "cr:FileSet", "@id": "inside", "containedIn": {"@id": "a.zip"}, "encodingFormat": "text/csv",
         "includes": "*.csv"},
    ]  # fmt: skip
    labels = json.loads(json.dumps(records(document, "labels")).replace("labels/name", "labels/word"))
    labels["field"][1]["equivalentProperty"] = "sc:name"
    document["recordSet"][document["recordSet"].index(records(document, "labels"))] = labels
    assert [str(problem) for problem in check_croissant(document)] == []


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1.5, "", "x", [], [[]], {}, [None], {"@id": 5}, {"@type": 7}, {"@id": "x"}, [{}], "a:b"]
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_value_stops_the_check(data: st.DataObject) -> None:
    """Whatever stands wherever, the check ends with a list."""
    document = copy.deepcopy(prohibiting())
    for _ in range(data.draw(st.integers(1, 3))):
        path, key = data.draw(st.sampled_from([(p, k) for p, node in objects(document) for k in node]))
        at(document, path)[key] = copy.deepcopy(data.draw(ODD))  # else one that is drawn again may hold itself
    for problem in check_croissant(document):
        assert problem.path.startswith("$")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected JSON in UTF-8"),
        (b"\xff\xfe", "expected JSON in UTF-8"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b'{"a": ' * 100_000, "expected JSON in UTF-8"),
        (b'{"name": "x"', "expected JSON in UTF-8"),
    ],
    ids=["empty", "bytes", "nan", "deep", "cut"],
)
def test_a_file_that_is_no_json(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(DamagedFileError, match=said):
        check_croissant(tmp_path / "x.json")


def test_files_that_are_not_there_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(NotThereError):
            check_croissant(path)
    (tmp_path / "x.json").write_text("[1, 2]")
    assert [str(problem) for problem in check_croissant(tmp_path / "x.json")] == [
        "$: expected one JSON object, found [1, 2]"
    ]
    monkeypatch.setattr(module, "MAX_BYTES", 2)
    with pytest.raises(DamagedFileError, match="at most 2 bytes"):
        check_croissant(tmp_path / "x.json")


def test_a_key_that_is_there_twice(card: Document, tmp_path: Path) -> None:
    """JSON keeps the last one, so the first is lost without a word."""
    (tmp_path / "x.json").write_text(json.dumps(card)[:-1] + ', "name": "again"}', encoding="utf-8")
    assert [str(problem) for problem in check_croissant(tmp_path / "x.json")] == [
        "$: expected each key once in its object, found 'name' again"
    ]
