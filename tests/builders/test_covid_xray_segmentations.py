"""covid_xray_segmentations: crops that belong into their film, colours and no alpha, and outlines that are points."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from covid_datasets.errors import DamagedFileError
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Box, Notice, Record
from tests.builders.test_builders import build
from tests.sources import covid_xray_segmentations as source


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    source.write(tmp_path / "tree")
    return tmp_path / "tree"


def of(tree: Path) -> tuple[dict[str, Record], list[Notice]]:
    return build("covid_xray_segmentations", RawTree.of_folder(tree))


def mask_of(tree: Path, record: Record, name: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(record.masks[name].read(RawTree.of_folder(tree)))))


def test_a_crop_lies_in_its_place_on_a_picture_of_the_size_of_its_film(tree: Path) -> None:
    records, _ = of(tree)
    film = records["85E52EB3-56E9-4D67-82DA-DEA247C82886.jpeg"]
    with Image.open(tree / "images" / film.sample_id) as picture:
        size = picture.size
    right = mask_of(tree, film, "right_lung")
    assert right.shape == size[::-1]
    assert set(np.unique(right)) == {0, 1}, "the colour counts; alpha is 255 everywhere"
    rows, columns = np.nonzero(right)
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (30, 40, 120, 190)
    assert (mask_of(tree, film, "lung") == right | mask_of(tree, film, "left_lung")).all()


def test_two_outlines_of_one_lung_are_one_mask_and_two_boxes(tree: Path) -> None:
    record = of(tree)[0][source.TWICE]
    right = mask_of(tree, record, "right_lung")
    assert (right[200, 55], right[100, 70]) == (1, 1)
    assert [box.name for box in record.boxes or ()].count("right_lung") == 2


def test_without_one_lung_there_is_no_mask_of_both(tree: Path) -> None:
    record = of(tree)[0]["covid-19-pneumonia-12.jpg"]
    assert set(record.masks) == {"right_lung", "consolidation", "effusion"}


def test_what_has_no_name_among_masks_is_a_box(tree: Path) -> None:
    record = of(tree)[0]["ARDSSevere.png"]
    assert Box("nasogastric_tube", 121, 0, 5, 200) in (record.boxes or ())
    names = {box.name for box in record.boxes or ()}
    assert names >= {"airways", "endotracheal_tube"}
    assert "monitoring_probes" not in names, "its box is the whole film: a point that is not given"


def test_points_that_are_not_given_are_told(tree: Path) -> None:
    told = [notice for notice in of(tree)[1] if notice.kind == "outline without a mask"]
    assert [notice.what.split(":")[0] for notice in told] == [
        f"COVID-19 Monitoring Probes on {name}" for name in source.FILMS if name in source.PROBES
    ]
    assert all(notice.dropped for notice in told)


def test_the_prefix_of_a_class_is_no_diagnosis(tree: Path) -> None:
    records, _ = of(tree)
    assert records["SARS-10.1148rg.242035193-g04mr34g0-Fig8a-day0.jpeg"].label == "sars"
    assert records["ARDSSevere.png"].label == "ards"


def test_rows_of_pictures_that_only_cohen_has_are_told_once(tree: Path) -> None:
    records, notices = of(tree)
    assert set(records) == set(source.FILMS)
    told = [notice for notice in notices if notice.where == "metadata.csv"]
    assert [(notice.kind, notice.count) for notice in told] == [("row of a picture that is not here", 1)]


def test_a_crop_that_would_leave_its_film_is_an_error(tree: Path) -> None:
    text = (tree / "structure.csv").read_text(encoding="utf-8")
    (tree / "structure.csv").write_text(text.replace(",240x240,40,30,", ",240x240,230,30,", 1), encoding="utf-8")
    record = of(tree)[0]["85E52EB3-56E9-4D67-82DA-DEA247C82886.jpeg"]
    with pytest.raises(DamagedFileError, match="expected a crop inside of its image"):
        record.masks["right_lung"].read(RawTree.of_folder(tree))
