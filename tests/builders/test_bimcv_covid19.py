"""What is special about BIMCV-COVID19: what a test, a name and a borrowed header do not say; iterations; two parts."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from covid_datasets.builders.bimcv_covid19 import records
from PIL import Image

from covid_datasets.errors import IncompleteSourceError
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.result import Built
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from tests.small import SmallSources
from tests.sources import bimcv_covid19 as source

FIRST, SCREEN = "sub-S03044_ses-E06138_run-1_bp-chest_vp-ap_cr.png", "sub-S03044_ses-E06790_run-1_bp-chest_vp-pa_dx.png"
BORROWED, LATERAL = (f"sub-S03427_ses-E06828_acq-{at}_run-1_bp-chest_vp-ll_dx.png" for at in (1, 2))
LAST = "bimcv_covid19@iterations-1-2-3"

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")


def rows(built: Built) -> dict[str, dict[str, Any]]:
    found = open_table(built).to_pylist()
    return {row["sample_id"].removeprefix("bimcv_covid19/"): row for row in found}


def pixels(row: Mapping[str, Any], column: str = "image") -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(row[column]["bytes"])))


def enumerated(tree: Path, version: str = "iteration-1", **options: bool) -> tuple[dict[str, Record], list[Notice]]:
    found = list(records(RawTree.of_folder(tree, version=version, options={"ct": False, **options})))
    told = [item for item in found if isinstance(item, Notice)]
    return {item.sample_id: item for item in found if isinstance(item, Record)}, told


@pytest.fixture
def tree(small: SmallSources, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small.tree("bimcv_covid19"), tmp_path / "tree"))


def test_a_test_is_no_label_and_has_fields_of_its_own(small: SmallSources) -> None:
    films = rows(small.build("bimcv_covid19"))
    first, second = films[FIRST], films[SCREEN]
    assert (first["label"], second["label"]) == (1, None), "the second report says 'unchanged', whatever the test says"
    assert first["clinical"]["rt_pcr_positive"] is True, "two days after; the negative one was three days before"
    assert json.loads(first["source_row"])["tests"] == (
        "2020-03-19 PCR negative; 2020-03-24 PCR positive; 2020-05-02 IGG positive"
    )


def test_two_tests_as_near_contradict(tree: Path, small: SmallSources, tmp_path: Path) -> None:
    table = tree / "covid19_posi/derivatives/EHR/sil_reg_covid.tsv"
    table.write_text(table.read_text("utf-8").replace("24.03.2020", "25.03.2020"), "utf-8")
    cache = tmp_path / "cache"
    with small.in_use():
        built = build_dataset("bimcv_covid19", data_dir=tree, cache_dir=cache, accept_licence=True, allow_missing=True)
    assert rows(built)[FIRST]["clinical"]["rt_pcr_positive"] is None


def test_views_are_those_that_were_seen(small: SmallSources) -> None:
    films = rows(small.build("bimcv_covid19"))
    assert (films[LATERAL]["view"], films[LATERAL]["flags"]) == ("lateral", [])
    assert films[BORROWED]["view"] is None, "somebody saw that it is frontal; name and borrowed header say lateral"
    assert films[BORROWED]["flags"] == ["view_misnamed", "no_sidecar"]
    misnamed = films["sub-S03582_ses-E07281_run-1_bp-chest_vp-ap_cr.png"]
    assert (misnamed["view"], misnamed["flags"]) == ("lateral", ["view_misnamed"])


def test_a_borrowed_header_says_who_and_when_and_no_more(small: SmallSources) -> None:
    films = rows(small.build("bimcv_covid19"))
    borrowed, own = films[BORROWED], films[LATERAL]
    assert (borrowed["age"], borrowed["sex"], borrowed["date"]) == (56, "M", "2020-03-22")
    assert (borrowed["spacing"], borrowed["value_range"], borrowed["manufacturer"]) == (None, None, None)
    assert (own["spacing"], own["manufacturer"]) == ([0.143, 0.143], "GE")
    broken = films[f"{source.NO_JSON}.png"]
    assert (broken["age"], broken["date"], broken["flags"]) == (71, None, ["no_sidecar"])


def test_stored_values_stay_and_are_shown_on_demand(small: SmallSources) -> None:
    films, shown = rows(small.build("bimcv_covid19")), rows(small.build("bimcv_covid19", config="shown_films"))
    said = "stored values of 12 bits; MONOCHROME1: small ones are white, not inverted; window (centre 2048, width 4096)"
    assert films[FIRST]["value_range"] == f"{said} not applied"
    assert films[FIRST]["flags"] == ["monochrome1"]
    stored, seen = pixels(films[FIRST]).astype(int), pixels(shown[FIRST]).astype(int)
    assert np.corrcoef(stored.ravel(), seen.ravel())[0, 1] < -0.99, "what was white is black now"
    assert int(seen.max()) > 4095, "spread over 16 bits"
    kept = pixels(shown[SCREEN])
    assert np.array_equal(kept, pixels(films[SCREEN])), "a photograph of a screen is not windowed again"
    assert shown[SCREEN]["quality_reasons"] == films[SCREEN]["quality_reasons"]
    assert "burned in information" in films[SCREEN]["quality_reasons"]
    assert "VOI LUT of 256 entries applied" in shown["sub-S03582_ses-E07281_run-1_bp-chest_vp-ap_cr.png"]["value_range"]


def test_a_day_of_birth_is_flagged_and_repeated_nowhere(small: SmallSources) -> None:
    row = rows(small.build("bimcv_covid19"))["sub-S03693_ses-E08061_run-1_bp-chest_vp-pa_dx.png"]
    assert row["flags"] == ["headers_may_identify"]
    assert "19561103" not in row["source_row"]


def test_outlines_are_drawn_and_kept(small: SmallSources) -> None:
    (row,) = rows(small.build("bimcv_covid19", config="outlined")).values()
    mask = np.asarray(Image.open(io.BytesIO(row["masks"]["ground_glass"]["bytes"])))
    assert (mask.shape, int(mask.sum())) == (pixels(row).shape, 31 * 41)
    assert "catéter" in json.loads(row["source_row"])["outlines"]


def test_outlines_of_another_form_are_kept_as_text(tree: Path) -> None:
    (path,) = tree.rglob("*_roi.xml")
    path.write_text('<?xml version="1.0"?><annotation><object/></annotation>', "utf-8")
    films, told = enumerated(tree, outlined=True)
    assert not films[FIRST].masks
    assert "<annotation>" in films[FIRST].source_row["outlines"]
    assert "outlines not read" in {notice.kind for notice in told}


def test_localizers_and_reformats_are_flagged_and_have_no_slices(small: SmallSources) -> None:
    volumes = rows(small.build("bimcv_covid19", config="volumes"))
    flags = {name.removesuffix(".nii.gz"): row["flags"] for name, row in volumes.items()}
    assert sorted(flags.values()) == [[], ["derived_series"], ["localizer"]]
    slices = rows(small.build("bimcv_covid19", config="slices"))
    assert {name.rpartition("/")[0] for name in slices} == {f"{[*source.VOLUMES][1]}.nii.gz"}
    assert {(row["kernel"], row["kvp"], row["slice_thickness_mm"]) for row in slices.values()} == {("B31s", 130.0, 5.0)}


def later(folder: Path, *, listed: bool = True) -> None:
    """Write iterations 1 to 3 and the negative part as their shares have them: other names of archives and tables."""
    posi = source.tables(("participant", "date", "test", "result"))
    renamed = {
        "derivatives/labels/labels_covid19_posi.tsv": "derivatives/labels/Labels_covid_123.tsv",
        "derivatives/EHR/sil_reg_covid.tsv": "derivatives/EHR/SIL_REG_COVID_POSI_iter123.txt",
    }
    inside = {f"covid19_posi/{renamed.get(path, path)}": data for path, data in posi.items()}
    people = {path: data for path, data in inside.items() if path.endswith("participants.tsv")}
    source.tgz(folder / "covid19_posi_metadata.tar.gz", people, listed=listed)
    source.tgz(
        folder / "covid19_posi_derivative.tar.gz", {p: d for p, d in inside.items() if p not in people}, listed=listed
    )
    for number in (1, 2):
        mine = {f"covid19_posi/{p}": d for p, d in source.files().items() if source.archive_of(p) == number}
        source.tgz(folder / f"covid19_posi_part{number}.tar.gz", mine, listed=listed)
    name = "sub-S04538_ses-E09003_acq-2_run-1_bp-chest_vp-pa_dx"
    labels = (
        b"\tPatientID\tReportID\tReport\tLabels\tLocalizations\n0\tsub-S04538\tses-E09003\t.\t\"['pneumonia']\"\t[]\n"
    )
    person = b"participant\tmodality_dicom\tbody_parts\tage\tgender\nsub-S04538\t['DX']\t[]\t[44]\tM\n"
    source.tgz(folder / "covid19_neg_metadata.tar.gz", {"covid19_neg/participants.tsv": person}, listed=listed)
    source.tgz(folder / "covid19_neg_derivative.tar.gz", {
        "covid19_neg/derivatives/labels/Labels_covid_NEG_JAN21.tsv": labels,
    }, listed=listed)  # fmt: skip
    source.tgz(folder / "covid19_neg_part1.tar.gz", {
        f"covid19_neg/{source.path_of(name)}.png": source.film(700, 12),
        f"covid19_neg/{source.path_of(name)}.json": b"<html>",
    }, listed=listed)  # fmt: skip
    (folder / "COVID19_POSI_v1.0.xlsx").write_bytes(source.review())
    (folder / "bimcv_negative_manualinfo.py").write_text(
        f'ENFORCE_LATERAL = {{\n    "{name}.png": "lateral",\n}}\n', "utf-8"
    )


@pytest.mark.parametrize("listed", [True, False])
def test_later_iterations_and_the_negative_part(small: SmallSources, tmp_path: Path, listed: bool) -> None:
    small.tree("bimcv_covid19")
    later(tmp_path / "data", listed=listed)
    with small.in_use():
        built = build_dataset(LAST, data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", accept_licence=True)
    films = rows(built)
    first, negative = films[FIRST], films["sub-S04538_ses-E09003_acq-2_run-1_bp-chest_vp-pa_dx.png"]
    assert len(films) == len(source.FILMS) + 1
    assert (first["label"], first["clinical"]["rt_pcr_positive"]) == (1, True), "the same under other names of tables"
    assert (negative["view"], negative["age"]) == ("lateral", 44)
    said = json.loads(negative["source_row"])
    assert (said["part"], said["tests"], negative["clinical"]["rt_pcr_positive"]) == ("negative", "", None)
    assert negative["label_raw"] == "pneumonia", "a negative test is no 'normal'"
    assert not built.incomplete


@pytest.mark.parametrize("listed", [True, False])
def test_a_truncated_archive_never_makes_a_whole_build(small: SmallSources, tmp_path: Path, listed: bool) -> None:
    small.tree("bimcv_covid19")
    later(tmp_path / "data", listed=listed)
    archive = tmp_path / "data/covid19_posi_part1.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-2000])
    how = "covid19_posi_part1.tar.gz"
    with small.in_use(), pytest.raises(IncompleteSourceError, match=how):
        build_dataset(LAST, data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", accept_licence=True)


@pytest.mark.parametrize("config", ["tests", "reports"])
def test_tables_of_later_iterations_need_no_images(small: SmallSources, tmp_path: Path, config: str) -> None:
    small.tree("bimcv_covid19")
    later(tmp_path / "data")
    for archive in (tmp_path / "data").glob("*part*.tar.gz"):
        archive.unlink()
    with small.in_use():
        built = build_dataset(LAST, config, data_dir=tmp_path / "data", cache_dir=tmp_path / "c", accept_licence=True)
    assert built.rows == len(source.TESTS if config == "tests" else source.REPORTS)


def test_packed_unpacked_with_and_without_lists_are_one_build(small: SmallSources, tmp_path: Path) -> None:
    small.tree("bimcv_covid19")
    prints = set()
    for form in ("listed", "packed"):
        later(tmp_path / form, listed=form == "listed")
        with small.in_use():
            built = build_dataset(LAST, data_dir=tmp_path / form, cache_dir=tmp_path / f"c{form}", accept_licence=True)
        prints.add(built.fingerprint)
    assert len(prints) == 1


def test_a_name_in_another_persons_folder_ties_both(tree: Path) -> None:
    film = next(tree.rglob(FIRST))
    there = tree / "covid19_posi/sub-S03427/ses-E06828/mod-rx"
    shutil.move(film, there / FIRST)
    films, told = enumerated(tree)
    assert (films[FIRST].patient, films[FIRST].ties) == ("sub-S03044", ("session:ses-E06828", "subject:sub-S03427"))
    assert films[LATERAL].ties == films[FIRST].ties
    assert "name contradicts its folder" in {notice.kind for notice in told}


def test_an_image_in_two_parts_is_one(tree: Path) -> None:
    shutil.copytree(tree / "covid19_posi/sub-S03044", tree / "covid19_neg/sub-S03044")
    shutil.copy(tree / "covid19_posi/participants.tsv", tree / "covid19_neg")
    films, told = enumerated(tree, version="iterations-1-2-3")
    assert films[FIRST].image is not None
    twice = [notice for notice in told if notice.kind == "file twice"]
    assert len(twice) == 2
    assert all("is used" in notice.what for notice in twice)
