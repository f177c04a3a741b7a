"""What the three builders say about their sources: small trees in true layout, the test mirror, the full real data.

``COVID_DATASETS_TEST_MIRROR`` (or ``../shared/mirror``) is a mirror with small real parts, ``COVID_DATASETS_TEST_REAL``
a folder with the complete trees ``covid_ct/`` and ``cohen/``; without them their tests are skipped.
"""

import csv
import importlib
import io
import os
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from PIL import Image

from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.errors import ColumnMissingError, IncompleteSourceError
from covid_datasets.load.stored import open_table
from covid_datasets.raw.kinds.archive import ManifestMount
from covid_datasets.raw.mounts import TreeMount
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import File, Made, Notice, Record
from tests.small import SmallSources
from tests.sources import cohen as cohen_source
from tests.sources import covid_ct as covid_ct_source

ROOT = Path(__file__).resolve().parents[2]
MIRROR = Path(os.environ.get("COVID_DATASETS_TEST_MIRROR", ROOT.parent / "shared" / "mirror"))
REAL = Path(os.environ.get("COVID_DATASETS_TEST_REAL", "/nonexistent"))
needs_mirror = pytest.mark.skipif(not (MIRROR / "github.com").is_dir(), reason="no COVID_DATASETS_TEST_MIRROR")
needs_real = pytest.mark.skipif(not (REAL / "cohen").is_dir(), reason="no COVID_DATASETS_TEST_REAL")


def build(name: str, raw: RawTree) -> tuple[dict[str, Record], list[Notice]]:
    found = list(importlib.import_module(f"covid_datasets.builders.{name}").records(raw))
    records = [item for item in found if isinstance(item, Record)]
    assert [record.sample_id for record in records] == sorted({record.sample_id for record in records})
    assert all(record.label in {None, *label_names()} for record in records)
    tied = load_card(name).patients.group in ("all", "near-duplicates")  # by the engine
    assert all(record.patient or record.ties or tied for record in records)
    return {record.sample_id: record for record in records}, [item for item in found if isinstance(item, Notice)]


def count(notices: list[Notice]) -> dict[str, int]:
    return dict(Counter(notice.kind for notice in notices))


def image_of(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


# --- covid_ct ---------------------------------------------------------------------------------------------------


@pytest.fixture
def covid_ct_tree(tmp_path: Path) -> Path:
    covid_ct_source.write(tmp_path / "tree")
    return tmp_path / "tree"


def test_covid_ct(covid_ct_tree: Path) -> None:
    raw = RawTree.of_folder(covid_ct_tree)
    records, notices = build("covid_ct", raw)
    assert len(records) == 19
    assert Counter(record.label for record in records.values()) == {"covid19": 13, "not_covid19": 6}
    assert count(notices) == {"file name completed": 5, "row without a file name": 1}
    assert all(isinstance(r.image, File) and raw.has(r.image.path) for r in records.values())
    first, second = records["2020.01.24.919183-p27-132.png"], records["2020.01.24.919183-p27-133.png"]
    assert first.patient == second.patient == "Patient 1"
    assert first.severity == second.severity == "Chest tightness"
    assert second.source_row["Severity"] == "same as above"
    assert first.ties == ("article:2020.01.24.919183",)
    assert first.doi == "10.1101/2020.01.24.919183"
    assert (first.sex, first.age, first.location, first.country) == ("M", 41.0, "Wuhan, China", "China")
    assert first.caption is not None
    assert first.caption.startswith("Figure 1.")
    assert first.official_split == "train"
    long = records[f"{covid_ct_source.LONG}.png"]
    assert (long.patient, long.sex, long.country, long.official_split) == ("Patient 180", "F", "China", "test")
    elsevier = records["PIIS0140673620303603%4.png"]
    assert elsevier.doi == "10.1016/S0140-6736(20)30360-3"
    assert elsevier.ties == ("article:PIIS0140673620303603",)
    assert elsevier.country is None
    assert records["2020.02.10.20021584-p6-52%10.png"].age is None
    assert records["2020.03.13.20035212-p23-163.png"].official_split == "validation"
    assert records["kjr-21-e24-p5-29.png"].ties == records["kjr-21-e24-p5-31.png"].ties == ("article:kjr-21-e24",)
    negative = records["71%0.jpg"]
    assert (negative.patient, negative.ties, negative.label_raw) == ("crawled_patient_71", (), "CT_NonCOVID")


def test_covid_ct_tells_the_course_of_the_illness_where_its_prose_does(covid_ct_tree: Path) -> None:
    records, _ = build("covid_ct", RawTree.of_folder(covid_ct_tree))
    since_onset = records["2020.01.24.919183-p27-132.png"]
    since_unsaid = records["2020.01.24.919183-p27-133.png"]
    assert (since_onset.offset_days, since_unsaid.offset_days) == (6, None)
    assert since_unsaid.source_row["Time"] == "day 6"
    assert records["2020.02.10.20021584-p6-52%6.png"].comorbidities == ("hypertension",)
    assert records[f"{covid_ct_source.LONG}.png"].comorbidities == (), "it says that there are none"
    assert since_onset.comorbidities is None, "it says nothing"
    course = records["2020.02.10.20021584-p6-52%10.png"]
    assert (course.symptoms, course.clinical, course.offset_days) == (("cough",), {"temperature_c": 37.4}, None)
    assert course.symptoms_raw == covid_ct_source.HISTORY
    assert records["2020.03.13.20035212-p23-152.png"].symptoms == ("fever", "cough")


def test_covid_ct_says_where_a_negative_is_from(covid_ct_tree: Path) -> None:
    records, _ = build("covid_ct", RawTree.of_folder(covid_ct_tree))
    assert (records["14.png"].flags, records["0.jpg"].flags) == (("from_medpix",), ("from_pmc",))
    assert not any(record.flags for record in records.values() if record.label == "covid19")


def test_covid_ct_does_not_believe_what_nobody_can_have(covid_ct_tree: Path) -> None:
    path = covid_ct_tree / "COVID-CT-MetaInfo.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book.active
    assert sheet is not None
    sheet["F2"], sheet["G2"] = "99.9 °C", "day 4000000000 after symptom onset"
    sheet["G3"] = "day 4-5 after admission"
    book.save(path)
    records, notices = build("covid_ct", RawTree.of_folder(covid_ct_tree))
    first, second = records["2020.01.24.919183-p27-132.png"], records["2020.01.24.919183-p27-133.png"]
    assert (first.clinical, first.offset_days, second.offset_days) == ({}, None, None)
    assert "temperature is '99.9', expected a number from 30 to 45; left unknown" in {each.what for each in notices}


def test_covid_ct_reports_what_does_not_match(covid_ct_tree: Path) -> None:
    (covid_ct_tree / "CT_COVID" / "2020.02.10.20021584-p6-52%6.png").unlink()
    (covid_ct_tree / "CT_NonCOVID" / "999.png").write_bytes(b"x")
    (covid_ct_tree / "Data-split/NonCOVID/valCT_NonCOVID.txt").unlink()
    test_list = covid_ct_tree / "Data-split/COVID/testCT_COVID.txt"
    test_list.write_text(test_list.read_text() + "unheard-of.png\n2020.01.24.919183-p27-132.png\n")
    table = covid_ct_tree / "NonCOVID-CT-MetaInfo.csv"
    table.write_text(table.read_text() + "6,0.jpg,crawled_patient_9\nbroken\n")
    records, notices = build("covid_ct", RawTree.of_folder(covid_ct_tree))
    assert count(notices) == {
        "file name completed": 5,
        "row without a file name": 1,
        "file not in the table": 1,
        "split list missing": 1,
        "listed but unknown": 1,
        "listed in two splits": 1,
        "row listed twice": 1,
        "broken row": 1,
    }
    assert "2020.02.10.20021584-p6-52%6.png" in records  # the engine counts it as missing
    assert (records["999.png"].patient, records["999.png"].ties) == (None, ("folder:CT_NonCOVID",))
    assert records["1%0.jpg"].official_split is None
    assert records["0.jpg"].patient == "crawled_patient_0"


def test_covid_ct_without_its_workbook(covid_ct_tree: Path) -> None:
    (covid_ct_tree / "COVID-CT-MetaInfo.xlsx").unlink()
    with pytest.raises(IncompleteSourceError, match=r"COVID-CT-MetaInfo\.xlsx"):
        build("covid_ct", RawTree.of_folder(covid_ct_tree))


def test_covid_ct_from_archives_and_from_a_copy_that_renames(tmp_path: Path) -> None:
    covid_ct_source.write_archives(tmp_path)
    base = tmp_path / "github.com/UCSD-AI4H/COVID-CT/raw/master"
    mounts = [TreeMount((str(base / f"Images-processed/{name}.zip"),)) for name in ("CT_COVID", "CT_NonCOVID")]
    records, _ = build("covid_ct", RawTree((*mounts, TreeMount((str(base),)))))
    assert len(records) == 19
    for path in sorted(base.glob("Images-processed/*.zip")):
        path.unlink()
    tree = tmp_path / "copy"
    covid_ct_source.write(tree)
    for path in [*tree.glob("CT_*/*%*")]:
        path.rename(path.with_name(path.name.replace("%", "_")))
    copies = [
        ManifestMount(TreeMount((str(tree),), rename=(("%", "_"),)), f"covid_ct-{name}.tsv")
        for name in ("ct_covid", "ct_noncovid")
    ]
    raw = RawTree((*copies, TreeMount((str(base),))))
    again, _ = build("covid_ct", raw)
    assert again.keys() == records.keys()
    assert again["1%0.jpg"].image == File("CT_NonCOVID/1%0.jpg")
    assert image_of(File("CT_NonCOVID/1%0.jpg").read(raw)).format == "JPEG"


@needs_mirror
def test_covid_ct_of_the_mirror() -> None:
    base = MIRROR / "github.com/UCSD-AI4H/COVID-CT/raw/master"
    mounts = [TreeMount((str(base / f"Images-processed/{name}.zip"),)) for name in ("CT_COVID", "CT_NonCOVID")]
    raw = RawTree((*mounts, TreeMount((str(base),))))
    records, notices = build("covid_ct", raw)
    there = [r for r in records.values() if isinstance(r.image, File) and raw.has(r.image.path)]
    assert len(records) == 746
    assert Counter(record.label for record in there) == {"covid19": 132, "not_covid19": 134}
    assert count(notices) == {"file name completed": 83, "row without a file name": 1}


@needs_real
def test_covid_ct_whole() -> None:
    raw = RawTree.of_folder(REAL / "covid_ct")
    records, notices = build("covid_ct", raw)
    rows = list(records.values())
    assert all(isinstance(row.image, File) and raw.has(row.image.path) for row in rows)
    assert Counter(row.label for row in rows) == {"covid19": 349, "not_covid19": 397}
    assert len({row.patient for row in rows if row.label == "covid19"}) == 213
    assert len({row.patient for row in rows if row.label == "not_covid19"}) == 171
    assert len({tie for row in rows for tie in row.ties}) == 58
    assert Counter((row.label, row.official_split) for row in rows) == {
        ("covid19", "train"): 191,
        ("covid19", "validation"): 60,
        ("covid19", "test"): 98,
        ("not_covid19", "train"): 234,
        ("not_covid19", "validation"): 58,
        ("not_covid19", "test"): 105,
    }
    assert Counter(row.sex for row in rows) == {None: 609, "M": 86, "F": 51}
    assert sum(row.age is not None for row in rows) == 157
    assert sum(row.doi is not None for row in rows) == 349
    assert Counter(flag for row in rows for flag in row.flags) == {"from_medpix": 195, "from_pmc": 202}
    assert sum(row.offset_days is not None for row in rows) == 43
    assert sum(row.symptoms is not None for row in rows) == 14
    assert [row.comorbidities for row in rows if row.comorbidities is not None] == [("hypertension",), ()]
    assert sum(bool(row.clinical) for row in rows) == 6
    assert count(notices) == {"file name completed": 83, "row without a file name": 1}


# --- cohen ------------------------------------------------------------------------------------------------------


@pytest.fixture
def cohen_tree(tmp_path: Path) -> Path:
    cohen_source.write(tmp_path / "tree")
    return tmp_path / "tree"


def test_cohen(cohen_tree: Path) -> None:
    raw = RawTree.of_folder(cohen_tree)
    records, notices = build("cohen", raw)
    assert len(records) == 13
    assert count(notices) == {
        "image not in the repository": 1,
        "file not in the table": 1,
        "row listed twice": 1,
        "impossible value": 2,
    }
    ards = records["auntminnie-b-2020_01_28_23_51_6665_2020_01_28_Vietnam_coronavirus.jpeg"]
    assert (ards.label, ards.label_raw, ards.view, ards.offset_days) == ("covid19", "COVID-19, ARDS", "lateral", -3)
    assert ards.license is None
    assert ards.survival is False
    both = records["000001-24.jpg"]
    assert (both.patient, both.ties) == ("285", ("patient:285", "patient:339"))
    assert both.masks == {"lung": File("annotations/lungVAE-masks/000001-24_mask.png")}
    assert both.severity_scores == {"geographic_extent": 2.7, "opacity": 2.0}
    hannover = records["b343e657.jpg"]
    assert hannover.clinical["po2_mmhg"] == 340.0
    assert "po2_saturation_percent" not in hannover.clinical
    assert hannover.flags == ("hannover_copy", "hannover_v1_label")
    assert (hannover.view, hannover.country, hannover.license) == ("AP supine", "Germany", "CC BY 3.0")
    normal = records["5083A6B7-8983-472E-A427-570A3E03DDEE.jpeg"]
    assert (normal.label, normal.modality, normal.view) == ("no_finding", "CT", "axial")
    assert normal.clinical == {"temperature_c": 37.8, "po2_saturation_percent": 98.0}
    assert normal.source_row["unnamed 28"] == "Credit to D?Ettorre E."
    assert records["7E335538-2F86-424E-A0AB-6397783A38D0.jpeg"].clinical == {}
    asked = records["2b327d8b7523701d3bfc55f6eaccbf_jumbo.jpeg"]
    assert (asked.label, asked.view, asked.date, asked.doi, asked.offset_days) == (None, None, None, None, None)
    assert asked.clinical == {}
    scraped = records["fig-b.PNG"]
    assert (scraped.patient, scraped.view, scraped.clinical) == ("311b", "coronal", {})


def test_cohen_reads_older_and_later_generations(cohen_tree: Path) -> None:
    table = cohen_tree / "metadata.csv"
    early = "Patientid,offset,sex,age,finding,survival,view,date,location, filename,doi, url,\n"
    early += "63, ,,,SARS-CoV-2,,PA,,,a.jpg,,u,\n"
    table.write_text(early + "1,,,,Moon dust,,CT,,,b.jpg,,u,\n,,,,SARS,,L,,,c.jpg,10.1/x,u,\n", encoding="utf-8")
    records, notices = build("cohen", RawTree.of_folder(cohen_tree))
    assert (records["a.jpg"].label, records["a.jpg"].modality) == ("covid19", "CXR")
    assert records["c.jpg"].ties == ("article:10.1/x",)
    assert {"unknown finding", "unknown value", "modality not stated"} <= count(notices).keys()
    late = "patientid,finding,RT_PCR_positive,view,modality,folder,filename,url,\n"
    late += f"1,Pneumonia/Viral/COVID-19,Y,AP semi erect,X-ray,images,a.jpg,{cohen_source.HANNOVER['url']},\n"
    late += "2,Pneumonia/Viral/Herpes ,Unclear,AP erect,X-ray,images,b.jpg,u,\n3,Moon dust,,PA,X-ray,images,c.jpg,u,\n"
    table.write_text(late, encoding="utf-8")
    records, notices = build("cohen", RawTree.of_folder(cohen_tree))
    assert [record.label for record in records.values()] == ["covid19", "herpes", None]
    assert [record.view for record in records.values()] == ["AP", "AP erect", "PA"]
    assert records["a.jpg"].clinical == {"rt_pcr_positive": True}
    assert records["a.jpg"].flags == ("hannover_copy",)
    assert records["c.jpg"].flags == ("unknown_finding",)
    assert records["c.jpg"].label_raw == "Moon dust"
    assert count(notices)["unknown finding"] == 1


def test_cohen_with_a_renamed_column(cohen_tree: Path) -> None:
    table = cohen_tree / "metadata.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("finding,", "findings,", 1), encoding="utf-8")
    with pytest.raises(ColumnMissingError, match=r"metadata\.csv: expected a column 'finding'.*'findings'"):
        build("cohen", RawTree.of_folder(cohen_tree))


def test_cohen_from_an_archive(tmp_path: Path) -> None:
    cohen_source.write_archives(tmp_path)
    resource = load_card("cohen").choice("2020-06-22").resources[0]
    path = tmp_path / resource.copies[0].url.removeprefix("https://")
    raw = RawTree((TreeMount((str(path),), root=resource.copies[0].root),))
    records, _ = build("cohen", raw)
    assert len(records) == 13
    assert image_of(records["000016.jpg"].image.read(raw)).format == "PNG"  # type: ignore[union-attr]


@needs_mirror
def test_cohen_of_the_mirror() -> None:
    resource = load_card("cohen").choice("2020-06-22").resources[0]
    path = MIRROR / resource.copies[0].url.removeprefix("https://")
    raw = RawTree((ManifestMount(TreeMount((str(path),), resource.copies[0].root), resource.manifest),))
    records, notices = build("cohen", raw)
    # Its archive has 71 pictures but no metadata.csv: nothing is known but that some are films.
    assert len(records) == 71
    assert {(r.patient, r.ties, r.label) for r in records.values()} == {(None, ("folder:images",), None)}
    assert Counter(r.modality for r in records.values()) == {None: 62, "CXR": 9}
    assert "table missing" in count(notices)


@needs_real
def test_cohen_whole() -> None:
    records, notices = build("cohen", RawTree.of_folder(REAL / "cohen"))
    rows = list(records.values())
    version = load_card("cohen").version("2020-06-22")[1]
    assert len(rows) == version.images == 725
    assert len({row.patient for row in rows} - {"63"}) == version.patients == 360, "63 is a bucket of unknown people"
    assert Counter(row.label for row in rows if row.label) == dict(version.labels)
    assert sum(row.label is None for row in rows) == 78
    assert Counter(row.modality for row in rows) == {"CXR": 662, "CT": 63}
    assert sum("lung" in row.masks for row in rows) == 202
    assert sum(bool(row.severity_scores) for row in rows) == 94
    assert sum(row.license is None for row in rows) == 240
    assert sum("hannover_v1_label" in row.flags for row in rows) == 92
    assert sum("po2_mmhg" in row.clinical for row in rows) == 53
    told = count(notices)
    assert told.pop("file not in the table") <= 13
    assert told.pop("mask without an image") == 3
    # Two numbers that nobody can have, and three days without a year.
    assert told == {"image not in the repository": 21, "row listed twice": 5, "impossible value": 5}


# --- identities and manifests -----------------------------------------------------------------------------------


@needs_real
@pytest.mark.parametrize("name", ["covid_ct", "cohen"])
def test_identities_name_real_samples_and_declared_flags(name: str) -> None:
    records, _ = build(name, RawTree.of_folder(REAL / name))
    with (catalog_folder() / "identities" / f"{name}.tsv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert {row["sample_id"] for row in rows} <= records.keys()


@pytest.mark.parametrize("name", ["covid_ct", "cohen"])
def test_identities_use_flags_that_the_card_explains(name: str) -> None:
    declared = {defect.flag for defect in load_card(name).defects} | {""}
    with (catalog_folder() / "identities" / f"{name}.tsv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert {row["flag"] for row in rows} <= declared
    assert all(row["evidence"] and (row["tie"] or row["flag"]) for row in rows)


def test_manifests_hold_what_the_cards_count() -> None:
    assert len(read_manifest("covid_ct-ct_covid.tsv")) == 349
    assert len(read_manifest("covid_ct-ct_noncovid.tsv")) == 397
    files = read_manifest("cohen-584034aa.tsv")
    assert sum(path.startswith("images/") for path in files) == 738
    assert sum(path.endswith("_mask.png") for path in files) == 205
    assert sum(not identity.sha256 for identity in files.values()) == 14
    first = read_manifest("cohen-b2f88601.tsv")
    assert sum(path.startswith("images/") for path in first) == 162
    assert sum(not identity.sha256 for identity in first.values()) == 4
    assert {path for path, identity in first.items() if identity.git_sha1 == getattr(files.get(path), "git_sha1", "")}


# --- phantom ----------------------------------------------------------------------------------------------------


def phantom(patients: int = 6, seed: int = 0) -> tuple[dict[str, Record], RawTree]:
    raw = RawTree((), options={"patients": patients, "seed": seed})
    return build("phantom", raw)[0], raw


def test_phantom_is_a_cohort() -> None:
    records, raw = phantom(24)
    version = load_card("phantom").version()[1]
    assert len(records) == version.images
    assert len({record.patient for record in records.values()}) == version.patients
    assert Counter(record.label for record in records.values()) == dict(version.labels)
    assert pickle.loads(pickle.dumps(records["P00000-S1-CT-0"])) == records["P00000-S1-CT-0"]
    for record in list(records.values())[:21]:
        assert isinstance(record.image, File | Made)
        image = np.asarray(image_of(record.image.read(raw)))
        lung, infection = (np.asarray(image_of(record.masks[name].read(raw))) for name in ("lung", "infection"))
        assert image.shape == lung.shape == infection.shape == ((192, 192) if record.modality == "CT" else (224, 224))
        assert set(np.unique(lung)) == {0, 255}
        assert 0.05 < (lung > 0).mean() < 0.5
        assert not (infection > lung).any()
        assert (infection.any()) == (record.label != "no_finding")
        healthy = (lung > 0) & (infection == 0)
        if infection.any():
            assert image[infection > 0].mean() > image[healthy].mean() + 20


def test_phantom_plants_duplicates_that_the_records_do_not_link() -> None:
    records, raw = phantom(6)
    planted = {record.source_row["planted"]: record for record in records.values() if record.source_row["planted"]}
    exact = planted["exact duplicate of P00002-S1-CT-0"]
    near = planted["near duplicate of P00001-S1-CT-0"]
    assert (exact.patient, near.patient) == ("P00005", "P00004")
    assert exact.ties == near.ties == ()
    assert exact.label == records["P00002-S1-CT-0"].label

    def data(record: Record) -> bytes:
        assert isinstance(record.image, File | Made)
        return record.image.read(raw)

    assert data(exact) == data(records["P00002-S1-CT-0"])
    one, other = data(near), data(records["P00001-S1-CT-0"])
    assert one != other
    pixels = [np.asarray(image_of(each).resize((32, 32)), float).ravel() for each in (one, other)]
    assert np.corrcoef(pixels)[0, 1] > 0.98


def test_phantom_bytes_are_the_same_everywhere() -> None:
    import hashlib

    records, raw = phantom(6)
    total = hashlib.sha256()
    for record in records.values():
        for reference in (record.image, *record.masks.values()):
            assert isinstance(reference, File | Made)
            total.update(reference.read(raw))
    assert total.hexdigest() == "56758c11fc01d0b7d6e48a78c4d67fd8328aa8d2de4a1595e2bbb1407a74f0c9"
    assert phantom(6, seed=1)[0]["P00000-S1-CT-0"].image != records["P00000-S1-CT-0"].image


def test_volumes_of_the_torrent_are_rows_of_the_same_table(small: SmallSources) -> None:
    volume = cohen_source.VOLUME
    row = open_table(small.build("cohen", config="volumes")).to_pylist()[0]
    assert row["volume"] == {"bytes": (small.tree("cohen") / volume).read_bytes(), "path": volume}
    assert (row["patient_id"], row["modality"], row["view"]) == ("cohen/22", "CT", "axial")
    assert row["label"] == label_names().index("covid19")
    assert row["image"] is None
    assert not row["value_range"].startswith("8-bit"), "that is said of the pictures"
    told = small.build("cohen").manifest()["notices"]
    assert [note["where"] for note in told if note["kind"] == "image not in the repository"] == [f"volumes/{volume}"]
