"""`paper_table`: figures of papers recomputed from what is built, beside the stated ones, or why they are not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import covid_datasets.catalogs
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from covid_datasets import build_dataset, load_dataset, paper_table
from covid_datasets.catalog.cards import choose
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.catalog.papers import Count, Figure
from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.cli import main
from covid_datasets.errors import CatalogError, NotBuiltError, NotThereError, UnknownDatasetError, UnknownVersionError
from covid_datasets.load.paper import counted, judged
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.find import find_build
from covid_datasets.schema import COLUMNS
from tests.small import SmallSources
from tests.sources import chest

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
COMMIT = "b2f88601afa0ae6bccfe80aefc5e8724e05f1809"
ARCHIVE = f"github.com/ieee8023/covid-chestxray-dataset/archive/{COMMIT}.zip"
MIRRORS = [
    Path(os.environ.get(name, "/nonexistent")) for name in ("COVID_DATASETS_TEST_MIRROR", "COVID_DATASETS_MIRROR")
]
Write = Callable[..., None]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with one build; tests only look at it."""
    folder = tmp_path_factory.mktemp("papers")
    build_dataset("phantom", "small", cache_dir=folder, num_proc=1)
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Let the library see figures of a paper of `phantom`: ``write(what=(stated, count))``, and more."""
    folder, real = tmp_path / "catalogs", covid_datasets.catalogs.__path__
    shutil.copytree(catalog_folder(), folder)

    def write(head: str = 'config = "small"', /, **figures: tuple[float, str]) -> None:
        lines = ["[[paper]]", 'text = "a paper"', head]
        for what, (stated, count) in figures.items():
            lines += ["[[paper.figures]]", f'what = "{what}"', 'where = "table 1"', f"stated = {stated}"]
            lines += [f"count = {count}" if count else 'why = "Not published."']
        (folder / "papers" / "phantom.toml").write_text("\n".join(lines), encoding="utf-8")

    covid_datasets.catalogs.__path__ = [str(folder)]
    yield write
    covid_datasets.catalogs.__path__ = real


def found(table: pa.Table) -> dict[str, tuple[float | None, bool | None]]:
    return {row["what"]: (row["recomputed"], row["reproduces"]) for row in table.to_pylist()}


def rows_of(cache: Path) -> list[dict[str, Any]]:
    return list(load_dataset("phantom", "small", "all", framework="numpy", cache_dir=cache))


def test_each_form_counts_what_it_says(cache: Path, write: Write) -> None:
    rows = rows_of(cache)
    women = [row for row in rows if row["sex"] == "F"]
    ages = [row["age"] for row in rows if row["age"] is not None]
    coughing = [row for row in rows if row["symptoms"] and "cough" in row["symptoms"]]
    assert women, "of the phantom there are some"
    assert coughing
    write(
        rows=(len(rows), "{}"),
        wrong=(len(rows) + 1, "{}"),
        women=(len(women), '{ among.sex = ["F"] }'),
        people=(len({row["patient_id"] for row in women}), '{ form="distinct", of="patient_id", among.sex=["F"] }'),
        coughing=(len(coughing), '{ among.symptoms = ["cough", "chills"] }'),
        aged=(len(ages), '{ known = ["age"] }'),
        ageless=(len(rows) - len(ages), '{ unknown = ["age"] }'),
        oldest=(max(ages), '{ form = "maximum", of = "age" }'),
        youngest=(min(ages), '{ form = "minimum", of = "age" }'),
        mean=(round(sum(ages) / len(ages), 2), '{ form = "mean", of = "age" }'),
        nobody=(3, '{ form = "mean", of = "age", known = ["blood_type"], unknown = ["blood_type"] }'),
        untold=(5, ""),
    )
    answers = found(paper_table("phantom", cache_dir=cache))
    assert [what for what, (_, reproduces) in answers.items() if reproduces is False] == ["wrong"]
    assert [what for what, (number, _) in answers.items() if number is None] == ["nobody", "untold"]
    assert answers["wrong"] == (len(rows), False)


COUNTS = st.builds(
    Count,
    among=st.fixed_dictionaries(
        {},
        optional={
            "sex": st.lists(st.sampled_from(["F", "M"]), min_size=1).map(tuple),
            "modality": st.just(("CT",)),
            "symptoms": st.lists(st.sampled_from(["cough", "fever", "headache"]), min_size=1).map(tuple),
            "label": st.lists(st.sampled_from(["covid19", "no_finding", "sars"]), min_size=1).map(tuple),
        },
    ),
    known=st.lists(st.sampled_from(["age", "sex", "study_id", "masks.lung"]), unique=True, max_size=2).map(tuple),
    unknown=st.lists(st.sampled_from(["severity", "symptoms", "masks.infection"]), unique=True, max_size=2).map(tuple),
)


@given(count=COUNTS)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_count_is_what_a_loop_over_the_rows_counts(cache: Path, count: Count) -> None:
    table = open_table(find_build("phantom", "small", cache_dir=cache))
    rows = table.select([name for name in COLUMNS if name != "image"]).to_pylist()
    rows = [row | {f"masks.{name}": mask for name, mask in row["masks"].items()} for row in rows]

    def fits(row: dict[str, Any]) -> bool:
        row = row | {"label": None if row["label"] is None else label_names()[row["label"]]}
        held = {name: row[name] if isinstance(row[name], list) else [row[name]] for name in count.among}
        return (
            all(set(held[name]) & set(values) for name, values in count.among.items())
            and all(row[name] is not None for name in count.known)
            and all(row[name] is None for name in count.unknown)
        )

    chosen = [row for row in rows if fits(row)]
    choice = choose("phantom", "small")
    assert counted(table, count, choice) == len(chosen)
    people = replace(count, form="distinct", of="patient_id")
    assert counted(table, people, choice) == len({row["patient_id"] for row in chosen})
    ages = [row["age"] for row in chosen if row["age"] is not None]
    assert counted(table, replace(count, form="maximum", of="age"), choice) == max(ages, default=None)


def test_it_counts_in_the_tables_of_the_source_and_in_clinical_values(cache: Path, write: Write) -> None:
    rows = rows_of(cache)
    key, value = next(iter(json.loads(rows[0]["source_row"]).items()))
    same = [row for row in rows if str(json.loads(row["source_row"]).get(key)) == str(value)]
    warm = [row for row in rows if row["clinical"]["temperature_c"] is not None]
    write(
        cell=(len(same), f'{{ among = {{ "source_row.{key}" = ["{value}"] }} }}'),
        none=(0, '{ known = ["source_row.no such column"] }'),
        warm=(len(warm), '{ known = ["clinical.temperature_c"] }'),
    )
    assert {reproduces for _, reproduces in found(paper_table("phantom", cache_dir=cache)).values()} == {True}


@pytest.mark.parametrize(
    ("count", "said"),
    [
        ('{ known = ["agee"] }', "expected columns of phantom, found 'agee'"),
        ('{ known = ["clinical.fever"] }', "expected columns of phantom, found 'clinical.fever'"),
        ('{ known = ["masks"] }', "expected columns of phantom, found 'masks'"),
        ('{ known = ["masks.liver"] }', "expected columns of phantom, found 'masks.liver'"),
        ('{ known = ["age.years"] }', "expected columns of phantom, found 'age.years'"),
        ('{ known = ["source_row."] }', "expected columns of phantom, found 'source_row.'"),
        ('{ among.label = ["covid"] }', "label 'covid': expected one of .*Did you mean"),
        ('{ among.age = ["old"] }', "age=.*: expected values of type float64"),
        ('{ form = "mean", of = "sex" }', "expected a column of numbers, found 'sex'"),
        ('{ form = "maximum", of = "label" }', "expected a column of numbers, found 'label'"),
        ('{ form = "minimum", of = "source_row.number" }', "expected a column of numbers, found 'source_row.number'"),
        ('{ form = "distinct", of = "symptoms" }', "expected a column of single values, found 'symptoms'"),
        ('{ among.boxes = ["a"] }', "found one that holds more than a value"),
    ],
)
def test_a_count_of_what_is_not_there_is_refused(cache: Path, write: Write, count: str, said: str) -> None:
    write(all=(1, count))
    with pytest.raises(CatalogError, match=said):
        paper_table("phantom", cache_dir=cache)


def test_what_is_not_built_says_how_to_build_it(tmp_path: Path, cache: Path, write: Write) -> None:
    write(all=(1, "{}"))
    with pytest.raises(NotBuiltError, match="Make one: covid-datasets build phantom --config small"):
        paper_table("phantom", cache_dir=tmp_path / "empty")
    ours = '[[paper.figures]]\nwhat = "a"\nwhere = "b"\nstated = 1\ncount = {}\n'
    write(f'config = "small"\n{ours}[[paper]]\ntext = "of others"\ndataset = "pocus"', theirs=(1, "{}"))
    own, theirs = paper_table("phantom", cache_dir=cache).to_pylist()
    assert own["recomputed"] is not None
    assert (theirs["recomputed"], theirs["reproduces"]) == (None, None)
    assert theirs["why"] == "Not built (covid-datasets build pocus)."
    assert (theirs["dataset"], theirs["version"]) == ("pocus", "2021-02-25")


def test_unknown_names_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownDatasetError, match="Did you mean 'cohen'"):
        paper_table("cohn", cache_dir=tmp_path)
    with pytest.raises(UnknownVersionError, match="cohen has no version '1999'"):
        paper_table("cohen@1999", cache_dir=tmp_path)
    for name in ("phantom", "cohen@6a42423"):
        with pytest.raises(
            NotThereError, match=f"{name}: no figures of a paper are on record; they are for .*covid_ct"
        ):
            paper_table(name, cache_dir=tmp_path)


def test_a_build_that_lacks_samples_says_so(small: SmallSources, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(small.tree("covid_ct"), tree)
    next((tree / "CT_COVID").glob("kjr*29.png")).unlink()
    built = build_dataset("covid_ct", data_dir=tree, cache_dir=tmp_path, num_proc=1, allow_missing=True)
    assert (built.incomplete, built.lost) == (True, 1)
    first = paper_table("covid_ct", cache_dir=tmp_path).to_pylist()[0]
    assert (first["stated"], first["recomputed"], first["reproduces"]) == (349, 12, None)
    assert first["why"] == (
        "The build lacks 1 sample of the source; too few to make up for the difference, but tables may be "
        "missing as well."
    )


@pytest.mark.parametrize(
    ("lost", "incomplete", "stated", "form", "expected"),
    [
        (0, False, 10, "rows", True),
        (0, False, 11, "rows", False),
        (2, False, 10, "rows", None),  # the lost ones might count, too
        (2, False, 12, "rows", None),
        (2, False, 13, "rows", False),
        (2, False, 9, "rows", False),
        (2, False, 13, "mean", None),
        (2, True, 13, "rows", None),
        (0, True, 13, "rows", None),
    ],
)
def test_lost_samples_are_judged_by_what_they_could_change(
    cache: Path, lost: int, incomplete: bool, stated: float, form: Any, expected: bool | None
) -> None:
    built = replace(find_build("phantom", "small", cache_dir=cache), lost=lost, incomplete=incomplete)
    count = Count(form=form, of="" if form == "rows" else "age")
    reproduces, lacks = judged(Figure(what="a", where="b", stated=stated, count=count), built, 10.0)
    assert reproduces is expected
    assert bool(lacks) == bool(lost or incomplete)


def test_the_command_shows_them_side_by_side(small: SmallSources, capsys: pytest.CaptureFixture[str]) -> None:
    small.build("covid_ct")
    arguments = ["info", "covid_ct", "--paper", "--cache-dir", str(small.cache)]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "arXiv:2003.13865v3\nheld against covid_ct@2020-04-28\n" in text
    assert "images from MedPix" in text
    assert "What a text says in two ways:\n  463 images" in text
    assert "figures reproduce, " in text
    assert main([*arguments, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    first = answer["figures"][0]
    assert (first["stated"], first["recomputed"], first["reproduces"]) == (349, 13, None)
    assert first["why"] == "The build lacks files of the source, so this does not tell."
    assert first["counted"] == "rows where label is covid19"
    assert any("463" in each for each in answer["contradictions"])


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "covid_ct", "--paper", "--cache-dir", str(tmp_path)]) == 1
    assert "Make one: covid-datasets build covid_ct" in capsys.readouterr().err
    assert main(["info", "covid_ct", "--cache-dir", str(tmp_path)]) == 2
    assert "--cache-dir: expected with --paper" in capsys.readouterr().err


@pytest.mark.skipif(not any((each / ARCHIVE).is_file() for each in MIRRORS), reason=f"no mirror with {ARCHIVE}")
def test_the_first_paper_of_cohen_reproduces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the real table and pictures; a phantom stands in for each of the four pictures that public forks lack."""
    with zipfile.ZipFile(next(each / ARCHIVE for each in MIRRORS if (each / ARCHIVE).is_file())) as archive:
        archive.extractall(tmp_path / "raw")
    tree = tmp_path / "raw" / f"covid-chestxray-dataset-{COMMIT}"
    shutil.copytree(catalog_folder(), tmp_path / "catalogs")
    manifest, lines = tmp_path / "catalogs" / "manifests" / "cohen-b2f88601.tsv", []
    for number, line in enumerate(manifest.read_text(encoding="utf-8").splitlines()):
        path, _, sha256, _ = line.split("\t")
        if sha256 or (tree / path).exists():
            lines.append(line)
            continue
        picture = chest(number, mode="L", kind="PNG" if path.endswith("png") else "JPEG")
        (tree / path).write_bytes(picture)
        lines.append(f"{path}\t{len(picture)}\t{hashlib.sha256(picture).hexdigest()}\t")
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.setattr(covid_datasets.catalogs, "__path__", [str(tmp_path / "catalogs")])
    read_manifest.cache_clear()
    built = build_dataset("cohen@2020-03-25", data_dir=tree, cache_dir=tmp_path, num_proc=1)
    assert (built.rows, built.patients, built.lost) == (158, 84, 0)
    table = paper_table("cohen@2020-03-25", cache_dir=tmp_path).to_pylist()
    read_manifest.cache_clear()
    differing = {(row["what"], row["stated"], row["recomputed"]) for row in table if not row["reproduces"]}
    assert differing == {("frontal films of all findings", 122, 123), ("PA films with pneumonia", 97, 98)}


def test_a_table_without_images_is_counted_by_its_own_columns(small: SmallSources) -> None:
    built = small.build("jhu_csse")
    papers = small.catalog / "papers" / "jhu_csse.toml"
    head = '[[paper]]\ntext = "a paper"\n[[paper.figures]]\nwhat = "countries"\nwhere = "table 1"\nstated = 3\n'
    papers.write_text(head + 'count = { form = "distinct", of = "country" }\n', encoding="utf-8")
    try:
        [row] = paper_table("jhu_csse", cache_dir=small.cache).to_pylist()
        countries = set(open_table(built).column("country").to_pylist()) - {None}
        assert (row["recomputed"], row["counted"]) == (len(countries), "distinct country")
        papers.write_text(head + 'count.known = ["age"]\n', encoding="utf-8")
        with pytest.raises(CatalogError, match="expected columns of jhu_csse, found 'age'"):
            paper_table("jhu_csse", cache_dir=small.cache)
    finally:
        papers.unlink()
