"""A skeleton of each kind, of a real or a generated tree: the suite fails for it only where a placeholder is."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from covid_datasets.contribute.new import PLACEHOLDER, placeholders, write_skeleton
from covid_datasets.contribute.probe import probe
from covid_datasets.settings import Settings
from tests.checkout import Outcome, make_checkout, run_suite, write_pages
from tests.dicom import ct
from tests.metaimage import write_metaimage
from tests.nifti import nifti
from tests.sources import chest

pytestmark = pytest.mark.slow
FIGURE1 = (
    "https://github.com/agchung/Figure1-COVID-chestxray-dataset/archive/95bb569e55f4110d3b734c0f355340e04e16989a.zip"
)
ACTUALMED = (
    "https://github.com/agchung/Actualmed-COVID-chestxray-dataset/archive/27240dd8dec9454bc97f9f3c0c432ef434de2517.zip"
)
TABLE = "https://github.com/UCSD-AI4H/COVID-CT/raw/master/NonCOVID-CT-MetaInfo.csv"
WORKBOOK = "https://github.com/UCSD-AI4H/COVID-CT/raw/master/COVID-CT-MetaInfo.xlsx"
HONEST = {"test_no_placeholder_is_left", "test_some_files_are_what_somebody_expects"}
"""What nobody can pass who has not looked at the source."""


def write_trees(folder: Path) -> Mapping[str, tuple[str | None, str | None]]:
    """Generate a tree of each kind: id -> kind, and what to probe."""
    for series in ("P1/CT1", "P2/CT1"):
        (folder / "dicom" / series).mkdir(parents=True)
        for number in range(3):
            data = ct(np.full((16, 16), number, np.int16), (0.0, 0.0, float(number)))
            (folder / "dicom" / series / f"{number}.dcm").write_bytes(data)
    with zipfile.ZipFile(folder / "volumes.zip", "w") as archive:
        for number in range(3):
            archive.writestr(f"set/images/case_{number}.nii.gz", nifti(np.full((4, 8, 8), number, np.int16)))
    (folder / "meta").mkdir()
    for number in range(2):
        for ending in (".mha", ".mhd"):
            write_metaimage(folder / "meta" / f"{number}{ending}", np.full((4, 8, 8), number, np.int16))
    (folder / "films").mkdir()
    for number in range(5):
        (folder / "films" / f"{number}.jpg").write_bytes(chest(number, kind="JPEG"))
    rows = "".join(f"{number},{'F' if number % 2 else 'M'},{40 + number}\n" for number in range(5))
    (folder / "films.csv").write_text(f"film,sex,age\n{rows}", encoding="utf-8")
    return {
        "unseen": (None, None),
        "unseen_table": ("table", None),
        "unseen_dicom": ("dicom", None),
        "unseen_volumes": ("volumes", None),
        "by_hand": ("by-hand", None),
        "by_account": ("account", None),
        "card_only": ("card-only", None),
        "dicom_tree": (None, str(folder / "dicom")),
        "volumes_zip": (None, str(folder / "volumes.zip")),
        "metaimages": (None, str(folder / "meta")),
        "films": (None, str(folder)),
        "films_account": ("account", str(folder / "films")),
    }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("skeletons") / "covid_datasets")


@pytest.fixture(scope="module")
def real(request: pytest.FixtureRequest) -> Path | None:
    try:
        return request.getfixturevalue("mirror")  # type: ignore[no-any-return]
    except pytest.skip.Exception:
        return None


@pytest.fixture(scope="module")
def outcome(checkout: Path, real: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("trees")
    wanted = dict(write_trees(folder))
    (folder / "films.csv").rename(folder / "films" / "films.csv")
    wanted["films"] = (None, str(folder / "films"))
    if real:
        wanted |= {"figure1": (None, FIGURE1), "actualmed": (None, ACTUALMED)}
        wanted |= {"real_table": (None, TABLE), "real_workbook": (None, WORKBOOK)}
    settings = Settings(folder / "cache", str(real) if real else None, offline=real is None)
    for name, (kind, place) in wanted.items():
        write_skeleton(name, checkout, kind=kind, found=probe(place, settings=settings) if place else None)
    write_pages(checkout)
    return run_suite(checkout, wanted)


KINDS = ("unseen", "unseen_table", "unseen_dicom", "unseen_volumes", "by_hand", "by_account", "card_only")
PROBED = ("dicom_tree", "volumes_zip", "metaimages", "films", "films_account")
REAL = ("figure1", "actualmed", "real_table", "real_workbook")


@pytest.mark.parametrize("name", [*KINDS, *PROBED, *REAL])
def test_a_skeleton_fails_only_where_a_placeholder_is(
    name: str, outcome: Outcome, checkout: Path, real: Path | None
) -> None:
    if name in REAL and real is None:
        pytest.skip("no mirror of real files")
    failed = outcome.of(name)
    expected = {"test_no_placeholder_is_left"} if name == "card_only" else HONEST
    assert set(failed) == expected, "\n".join(f"{test}: {failed[test]}" for test in set(failed) - expected)
    for place in placeholders(name, checkout):
        assert place in failed["test_no_placeholder_is_left"]
    for test in failed:
        assert PLACEHOLDER in failed[test]
