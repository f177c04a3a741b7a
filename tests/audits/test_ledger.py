"""The ledger: lists in the true layout of each kind, with planted leaks, read by the rules of the real entries."""

import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import Workbook

import covid_datasets
from covid_datasets.audits.ledger.lists import read_list, stem
from covid_datasets.audits.ledger.run import Result, check_result, published_result, run_entry, write_result
from covid_datasets.catalog.ledger import (
    Entry,
    ListFile,
    Reading,
    Rule,
    Sample,
    compiled,
    entry_names,
    ledger_folder,
    load_entry,
)
from covid_datasets.catalog.manifest import git_blob
from covid_datasets.cli import main
from covid_datasets.errors import (
    CatalogError,
    ChangedUpstreamError,
    DamagedFileError,
    IntegrityError,
    NotThereError,
    UnreadableError,
)
from covid_datasets.view.ledger import ledger_page, result_text


def tiny(name: str, folder: Path, files: Mapping[str, bytes]) -> Entry:
    """Take a real entry with its rules, and give it small lists in the layout of the true ones."""
    entry = load_entry(name)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    here = {file.path: replace(file, git_sha1=git_blob(files[file.path])) for file in entry.lists if file.path in files}
    lookups = tuple(
        replace(lookup, file=replace(lookup.file, git_sha1=git_blob(files[lookup.file.path])))
        for lookup in entry.lookups
    )
    return replace(entry, lists=tuple(here.values()), lookups=lookups)


def audited(name: str, folder: Path, files: Mapping[str, bytes]) -> Result:
    return run_entry(tiny(name, folder, files), files=folder, pictures=False)


def torn(result: Result, kind: str, variant: str = "") -> tuple[int, int, Mapping[str, int]]:
    """Say of one kind of evidence how many groups there are, how many lie in several parts, and in which."""
    found = next(each for each in result.variants if each.variant == variant)
    evidence = next(each for each in found.torn if each.kind == kind)
    return evidence.groups, evidence.straddling, evidence.between


def test_lists_of_covidx(tmp_path: Path) -> None:
    """Three fields or four, an id with a blank, a misspelt part, letters of fig1, unknown people of rsna and sirm."""
    film, other = "00436515-870c-4b36-a041-de91049b9ab4.png", "004cfa4b-6ed1-4b3e-a4a6-7b7b2c6f7f4d.png"
    train = (
        f"{film[:-4]} {film} normal\n"
        f"{other[:-4]} {other} negative rnsa\n"
        "ANON191 CR.1.2.840.1.png negative actmed\n"
        "COVID-00003a COVID-00003a.jpg positive fig1\n"
        "sirm 12 COVID(12).png positive sirm\n"
        "3 SARS-10.1148rg.242035193-g04mr34g0-Fig8a-day0.jpeg pneumonia\n"
        "a line that is none\n"
    )
    test = "ANON191 DX.1.2.840.2.png positive actmed\nCOVID-00003b COVID-00003b.jpg positive fig1\n"
    test += "ANON191 CR.1.2.840.1.png positive actmed\n"
    found = audited(
        "covidx",
        tmp_path,
        {"labels/train_COVIDx7B.txt": train.encode(), "labels/test_COVIDx7B.txt": test.encode()},
    )
    assert torn(found, "patient", "7B") == (3, 2, {"train and test": 2})
    assert torn(found, "name", "7B") == (8, 1, {"train and test": 1})
    part = found.variants[0].parts[0]
    assert (part.split, part.rows, part.patients, part.unknown) == ("train", 6, 3, 3)
    assert found.variants[0].contradicting == ("CR.1.2.840.1.png: negative and positive",)
    assert [(each.rows, each.unread, each.unread_lines) for each in found.inputs[:2]] == [
        (6, 1, ("a line that is none",)),
        (3, 0, ()),
    ]


def test_pictures_that_our_catalog_has_proof_of(tmp_path: Path) -> None:
    """16654_1_1.png of cohen is COVID-00045.png of fig1 turned: `catalogs/identities/` says so."""
    train, test = b"7 COVID-00045.png COVID-19 fig1\n", b"9 16654_1_1.png COVID-19 cohen\n"
    found = audited("covidx", tmp_path, {"labels/train_COVIDx4.txt": train, "labels/test_COVIDx4.txt": test})
    assert torn(found, "proven", "4") == (1, 1, {"train and test": 1})
    assert [each.path for each in found.inputs if not each.repository] == [
        "identities/covidx.tsv",
        "identities/cohen.tsv",
        "identities/figure1.tsv",
    ]


def workbook(rows: list[list[object]]) -> bytes:
    book, file = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def test_lists_of_covid_ct(tmp_path: Path) -> None:
    """People come from a workbook whose names may lack an ending, articles from names; page 23 is nobody."""
    names = {
        "train": ["2020.02.10.20021584-p6-52%6.png", "kjr-21-e24-p5-29.png"],
        "val": ["2020.02.10.20021584-p23-53.png"],
        "test": ["PIIS0140673620303603%4.png", "kjr-21-e24-p23-31.png"],
    }
    files = {f"Data-split/COVID/{part}CT_COVID.txt": "\n".join(each).encode() + b"\n" for part, each in names.items()}
    files |= {f"Data-split/NonCOVID/{part}CT_NonCOVID.txt": b"71%0.jpg\n" for part in ("train", "val")}
    files["Data-split/NonCOVID/testCT_NonCOVID.txt"] = b"1331.png\n"
    files["Info/COVID-CT-MetaInfo.xlsx"] = workbook(
        [
            ["File name", "Patient ID"],
            ["2020.02.10.20021584-p6-52%6.png", "Patient 1"],
            ["2020.02.10.20021584-p23-53", "Patient 2"],
            ["PIIS0140673620303603%4", "Patient 180 "],
            ["kjr-21-e24-p5-29.png", "Patient 7"],
            ["kjr-21-e24-p23-31.png", "Patient 7"],
            [None, None],
        ]
    )
    files["Info/NonCOVID-CT-MetaInfo.csv"] = b",image name,patient id\n0,71%0.jpg,crawled_patient_71\n"
    found = audited("covid_ct", tmp_path, files)
    assert torn(found, "patient") == (5, 2, {"train and test": 1, "train and validation": 1})
    assert torn(found, "article") == (3, 2, {"train and validation": 1, "train and test": 1})
    assert torn(found, "name") == (7, 1, {"train and validation": 1})
    assert [part.unknown for part in found.variants[0].parts] == [0, 0, 1]


def test_trees_in_json(tmp_path: Path) -> None:
    """Folds of COVID-CTset: class, person, series, slices; what is in validation is in test."""
    train = {
        "covid": {"patient1": {"SR_2": ["IM00010.tif", "IM00011.tif"]}},
        "normal": {"patient9": {"SR_2": ["IM00001.tif"]}},
    }
    test = {"covid": {"patient2": {"SR_2": ["IM00010.tif"]}}, "normal": {"patient9": {"SR_2": ["IM00002.tif"]}}}
    validation = {"covid": {"patient2": {"SR_2": ["IM00010.tif"]}}, "normal": {"patient8": {}}}
    folder = "covid19_pipeline/data/covid_ctset"
    files = {
        f"{folder}/{part}1.json": json.dumps(tree).encode()
        for part, tree in (("train", train), ("test", test), ("validation", validation))
    }
    found = audited("covid_ctset", tmp_path, files)
    assert torn(found, "patient", "fold 1") == (3, 2, {"train and test": 1, "validation and test": 1})
    assert torn(found, "name", "fold 1") == (5, 1, {"validation and test": 1})
    example = next(each for each in found.variants[0].torn if each.kind == "patient").examples[0]
    assert (
        example == "patient2: validation 1 (covid/patient2/SR_2/IM00010.tif), test 1 (covid/patient2/SR_2/IM00010.tif)"
    )


def test_folds_of_videos(tmp_path: Path) -> None:
    """POCUS: fold, part, then names and classes side by side; people by the name without its ending."""
    fold = {
        "test": [["Cov-Atlas-Day+1.gif", "Reg-Youtube.mp4"], ["cov", "reg"]],
        "train": [["Cov-Atlas-Day+2.gif", "Cov_Butterfly_Consolidation.avi"], ["cov", "cov"]],
    }
    table = "Filename,Label,Patient ID / Name\nCov-Atlas-Day+1,COVID-19,35\nCov-Atlas-Day+2,COVID-19,35\n"
    table += "Reg-Youtube,regular,n/a\n"
    files = {"cross_val.json": json.dumps({"3": fold}).encode(), "data/dataset_metadata.csv": table.encode("cp1252")}
    found = audited("pocus_xception_lstm", tmp_path, files)
    assert torn(found, "patient", "fold 3") == (1, 1, {"train and test": 1})
    assert [(part.split, part.unknown, part.labels) for part in found.variants[0].parts] == [
        ("train", 1, {"covid": 2}),
        ("test", 1, {"covid": 1, "regular": 1}),
    ]


def folds_in_pickle(folds: list[dict[str, list[str]]], protocol: int) -> bytes:
    return pickle.dumps([{part: np.array(names) for part, names in fold.items()} for fold in folds], protocol)


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_in_a_pickle(tmp_path: Path, protocol: int) -> None:
    """Cases 10 and 29 have two volumes each; names of one array may be longer than those of the next."""
    folds = [
        {"train": ["coronacases_001"], "val": ["radiopaedia_10_85902_1", "radiopaedia_10_85902_3"]},
        {"train": ["radiopaedia_10_85902_1"], "val": ["radiopaedia_10_85902_3", "coronacases_001"]},
    ]
    path = "Task1/Task1_COVID_datasplit.pkl"
    found = audited("covid19_ct_seg", tmp_path, {path: folds_in_pickle(folds, protocol)})
    assert torn(found, "patient", "fold 0") == (2, 0, {})
    assert torn(found, "patient", "fold 1") == (2, 1, {"train and test": 1})
    assert [(part.split, part.rows) for part in found.variants[0].parts] == [("train", 1), ("test", 2)]


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was run",))


def test_nothing_in_a_pickle_is_run() -> None:
    data = pickle.dumps([Bomb(), {"train": np.array(["a", "b"])}], 3)
    rows = read_list(data, "folds.pkl", Reading(form="pickle")).rows
    assert [row["name"] for row in rows] == ["a", "b"]
    with pytest.raises(DamagedFileError, match=r"folds\.pkl"):
        read_list(data[:-20], "folds.pkl", Reading(form="pickle"))


def test_lists_of_ct_slices(tmp_path: Path) -> None:
    """Names of many sources in one list: whose a slice is, each form of a name tells."""
    train = "NCP_96_1328_0035.png 2 9 94 512 405\nvolume-covid19-A-0013_ct-12.png 2 0 0 512 512\n"
    train += "normal3_patient294_SR_2_IM00023.png 0 0 0 512 512\ncoronacases_001-100.png 2 1 2 3 4\n"
    validation = "CP_96_1329_0000.png 1 9 94 512 405\nradiopaedia_10_85902_3-5.png 2 1 2 3 4\n"
    test = "volume-covid19-A-0013_1_ct-12.png 2 0 0 512 512\nCOVIDCTMD-P012-IM0005.png 2 1 2 3 4\n"
    test += "who_knows.png 0 1 2 3 4\n"
    files = {
        f"splits/v1/{part}_COVIDx_CT-1.txt": text.encode()
        for part, text in (("train", train), ("val", validation), ("test", test))
    }
    found = audited("covidx_ct", tmp_path, files)
    assert torn(found, "patient", "1") == (6, 2, {"train and validation": 1, "train and test": 1})
    assert torn(found, "scan", "1") == (2, 0, {})
    assert [part.unknown for part in found.variants[0].parts] == [0, 0, 1]


def test_pairs_of_picture_and_mask(tmp_path: Path) -> None:
    row = b"tr_im/tr_im_0008.png tr_mask_new/tr_mask_0008.png\n"
    folder = "data/COVID-19-CT100"
    found = audited("covid19_ct100_jcs", tmp_path, {f"{folder}/train.txt": row, f"{folder}/test.txt": row})
    assert torn(found, "name") == (1, 1, {"train and test": 1})
    assert torn(found, "patient") == (0, 0, {}), "nobody is known, which is not nobody in both"


def test_listings_of_this_catalog() -> None:
    """The releases 1A and 1C of RICORD share 64 people: no download is needed to see that."""
    found = run_entry(load_entry("ricord_1a_1c"))
    assert torn(found, "patient") == (524, 64, {"1A and 1C": 64})
    check_result(found, published_result("ricord_1a_1c"))


def by_hand(folder: Path) -> Entry:
    """An entry over the pictures of a small phantom, whose lists tear one person apart."""
    covid_datasets.build_dataset("phantom", "small", cache_dir=folder / "cache", num_proc=1)
    rows = covid_datasets.load_splits("phantom", config="small", cache_dir=folder / "cache").to_pylist()
    people: dict[str, list[str]] = {}
    for row in rows:
        people.setdefault(row["patient_id"], []).append(row["sample_id"].removeprefix("phantom/"))
    torn_apart = next(names for names in people.values() if len(names) > 1)
    kept = [name for names in people.values() for name in names if name != torn_apart[0]]
    lists = {"train.txt": kept, "test.txt": [torn_apart[0], "not-there.png"]}
    for name, names in lists.items():
        (folder / name).write_text("\n".join(names), encoding="utf-8")
    return Entry(
        id="by_hand",
        title="By hand",
        whose="others'",
        by="nobody",
        lists=tuple(
            ListFile(
                path=name,
                git_sha1=git_blob((folder / name).read_bytes()),
                repository="nobody/here",
                commit="0" * 40,
                fields={"split": name.removesuffix(".txt")},
            )
            for name in lists
        ),
        reading=Reading(form="lines", row="(?P<name>.{1,255})"),
        samples=(Sample(source="phantom", id="{name}", build="phantom", config="small"),),
    )


def test_lists_are_laid_over_a_build(tmp_path: Path) -> None:
    entry = by_hand(tmp_path)
    found = run_entry(entry, files=tmp_path, cache_dir=tmp_path / "cache")
    over = found.pictures[0]
    assert torn(found, "patient") == (0, 0, {}), "the lists alone know nobody"
    assert (over.absent, over.unlisted, over.in_several) == (1, 0, 0)
    assert over.audit["leaks"] is True
    assert next(each for each in over.audit["findings"] if each["kind"] == "patient")["straddling"] == 1
    assert "over phantom@" in result_text(entry, found)
    assert "by picture" in ledger_page([(entry, found)])
    check_result(run_entry(entry, files=tmp_path, pictures=False), found)  # what has no pictures is compared without

    twice = replace(over, audit={**over.audit, "leaks": False})
    with pytest.raises(IntegrityError, match=r"pictures\[0\]\.audit\.leaks: published False, found True"):
        check_result(found, replace(found, pictures=(twice,)))


def test_a_lie_in_the_published_numbers_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run_entry(load_entry("ricord_1a_1c"))
    path = write_result(found, tmp_path)
    assert published_result("ricord_1a_1c", tmp_path) == found
    path.write_text(path.read_text("utf-8").replace('"straddling": 64', '"straddling": 0'), encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"torn\[0\]\.straddling: published 0, found 64"):
        check_result(found, published_result("ricord_1a_1c", tmp_path))
    with pytest.raises(IntegrityError, match="found none"):
        check_result(found, published_result("ricord_1a_1c", tmp_path / "nothing"))
    path.write_text("{", encoding="utf-8")
    with pytest.raises(CatalogError, match="expected JSON"):
        published_result("ricord_1a_1c", tmp_path)

    assert main(["ledger", "ricord_1a_1c", "--check"]) == 0
    assert "64 of 524 in several parts (1A and 1C 64; 438 rows)" in capsys.readouterr().out


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger"]) == 0
    assert all(name in capsys.readouterr().out + "".join(entry_names()) for name in entry_names())
    assert main(["ledger", "--json"]) == 0
    assert {each["entry"] for each in json.loads(capsys.readouterr().out)} == set(entry_names())
    assert main(["ledger", "ricord_1a_1c", "--json", "--lists-only", "-o", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["facts"] == load_entry("ricord_1a_1c").digest
    assert (tmp_path / "ricord_1a_1c.json").read_bytes() == (ledger_folder() / "ricord_1a_1c.json").read_bytes()
    for wrong, code in ((["--check"], 2), (["ricord"], 1)):
        assert main(["ledger", *wrong]) == code
    command = ["ledger", "covid_ct", "--cache-dir", str(tmp_path / "empty"), "-o", str(tmp_path)]
    assert main(command) == 2
    assert "covid_ct is not built here" in capsys.readouterr().err


def test_lists_come_from_their_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are downloaded by their address at GitHub, a mirror answers for it, and other bytes are refused."""
    entry = tiny(
        "covid19_ct100_jcs",
        tmp_path,
        {f"data/COVID-19-CT100/{part}.txt": b"a.png b.png\n" for part in ("train", "test")},
    )
    root = tmp_path / "mirror" / "github.com" / entry.repository / "raw" / entry.commit / "data" / "COVID-19-CT100"
    root.mkdir(parents=True)
    for part in ("train", "test"):
        (root / f"{part}.txt").write_bytes(b"a.png b.png\n")
    monkeypatch.setenv("COVID_DATASETS_MIRROR", str(tmp_path / "mirror"))
    found = run_entry(entry, cache_dir=tmp_path / "cache")
    assert torn(found, "name") == (1, 1, {"train and test": 1})
    (root / "test.txt").write_bytes(b"c.png d.png\n")
    with pytest.raises(ChangedUpstreamError, match=r"test\.txt: expected git blob .{40}, found"):
        run_entry(entry, cache_dir=tmp_path / "cache")
    with pytest.raises(UnreadableError, match=r"train\.txt"):
        run_entry(entry, files=tmp_path / "nowhere", cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(
    ("data", "reading", "told"),
    [
        (b"{", Reading(form="json", levels=("split", "name")), "expected JSON"),
        (b"[" * 100_000, Reading(form="json", levels=("split", "name")), "expected JSON"),
        (b'{"train": "a.png"}', Reading(form="json", levels=("split", "patient", "name")), "at the level 'patient'"),
        (b"a,b\n1,2\n", Reading(form="table", columns={"name": "file"}), "expected the column 'file'"),
        (b"\x81\xff", Reading(form="lines", row=".*"), "UTF-8 or cp1252"),
        (b"not a pickle", Reading(form="pickle"), "expected a pickle"),
    ],
)
def test_lists_that_are_none(data: bytes, reading: Reading, told: str) -> None:
    with pytest.raises(DamagedFileError, match=f"list: .*{told}"):
        read_list(data, "list", reading)


def test_long_lines_are_told_and_not_read() -> None:
    read = read_list(b"a" * 2_000 + b"\nb.png\n", "list", Reading(form="lines", row="(?P<name>.{1,255})"))
    assert ([row["name"] for row in read.rows], len(read.unread)) == (["b.png"], 1)


def test_entries_that_cannot_be(tmp_path: Path) -> None:
    good = (ledger_folder() / "covid19_ct100_jcs.toml").read_text("utf-8")
    for old, new, told in (
        ('title = "', 'titel = "', "titel"),
        ("git_sha1 = ", 'git_sha1 = "" # ', "git_sha1"),
        ("commit = ", 'commit = "main" # ', "commit"),
        ("form = ", 'id = "x"\nform = ', "id"),
        ("row = ", "row = '(' # ", "regular expression"),
        ("row = ", "# ", "reading.row"),
    ):
        (tmp_path / "wrong.toml").write_text(good.replace(old, new), encoding="utf-8")
        with pytest.raises(CatalogError, match=told):
            load_entry("wrong", tmp_path)
    with pytest.raises(NotThereError, match="expected one of wrong, found 'right'"):
        load_entry("right", tmp_path)


@pytest.mark.parametrize("name", entry_names())
def test_every_entry_has_the_result_of_its_facts(name: str) -> None:
    """No row without a result, and none of other facts: run `covid-datasets ledger ID -o catalogs/ledger`."""
    entry, result = load_entry(name), published_result(name)
    assert result is not None
    assert (result.entry, result.facts) == (name, entry.digest)
    read = {(each.path, each.git_sha1) for each in result.inputs}
    assert {(file.path, file.git_sha1) for file in (*entry.lists, *(each.file for each in entry.lookups))} <= read
    assert sum(part.rows for variant in result.variants for part in variant.parts) > 0
    assert bool(result.pictures) == bool(entry.built)
    assert (ledger_folder() / f"{name}.json").read_text("utf-8") == result.to_text(), "written by hand"


def test_no_result_without_an_entry() -> None:
    assert sorted(path.stem for path in ledger_folder().glob("*.json")) == entry_names()


def test_names_without_an_ending() -> None:
    names = ("volume-covid19-A-0003_ct.nii.gz", "2020.03.12.20034686-p17", "x/Cov-Atlas+(44).gif", "a.MPEG", ".png")
    assert [stem(name) for name in names] == ["volume-covid19-A-0003_ct", names[1], "Cov-Atlas+(44)", "a", ""]


def test_a_rule_takes_a_part_of_a_long_text() -> None:
    """What is longer than any name is cut first, so that no form is kept busy, and then fits none."""
    rule = Rule(field="patient", form="(?P<who>[a-z]{1,9})_[a-z]{1,2000}", to="{who}")
    assert rule.apply({"name": "ab_" + "c" * 999}) == "ab"
    assert compiled(rule.form).fullmatch("ab_" + "c" * 1_022)
    assert rule.apply({"name": "ab_" + "c" * 9_999}) == "ab", "cut to 1,024 characters"
