"""What every source must fulfil, a test for each demand; `tests/conformance` holds what is done to its small tree.

``pytest tests/test_conformance.py tests/conformance -k my_source`` tells what is still missing.

A new source is in as soon as ``catalogs/<id>.toml`` exists; nothing here names one. A card that cannot be read fails
one test, its own. Of one without data (private, view-only, another name of a source) only the card is tested.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import pickle
import re
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import nullcontext
from dataclasses import fields
from functools import cache
from itertools import zip_longest
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pytest

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import choose, load_card, names, split_name
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.catalog.papers import papers_of
from covid_datasets.catalog.published import published_splits, read_identities
from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.contribute import pages
from covid_datasets.contribute.new import PLACEHOLDER, placeholders
from covid_datasets.errors import AccessRequired, IncompleteSourceError
from covid_datasets.features import features_dict
from covid_datasets.fetch.hosts import page_of
from covid_datasets.load.dataset import load_dataset
from covid_datasets.load.paper import check_count
from covid_datasets.load.splits import audit_build
from covid_datasets.load.stored import open_table
from covid_datasets.load.verify import verify
from covid_datasets.prepare.composed import builder_path, imported_builders
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.result import Built
from covid_datasets.raw.access import expected_tree
from covid_datasets.raw.check import check
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.encode import digest
from covid_datasets.schema import COLUMNS, CONTENT, File, Notice, Parts, Record
from covid_datasets.splits.assign import everybody as all_of
from covid_datasets.splits.index import Index
from covid_datasets.view.page import page
from tests.demands import (
    BROKEN,
    BUILDS,
    CARDS,
    PICTURES,
    ROOT,
    SOURCES,
    TABLES,
    differences,
    every_build,
    every_card,
    every_image_build,
    every_source,
    every_table,
    made_of,
    of_another_config,
    records_of,
)
from tests.small import SmallSources, forms_of, source_module

LONGEST_BUILDER = 160
"""Lines of a builder; a longer one does what the engine should do."""
HEAVY = {"torch", "tensorflow", "jax", "datasets", "pandas", "scipy", "skimage", "cv2", "monai", "SimpleITK", "nibabel"}
ENGINE_FLAGS = {"unknown_finding"}
"""Flags that mean the same in every source; all others are explained by a defect of the card."""

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")


# --- the four files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names())
def test_its_card_can_be_read(name: str) -> None:
    if name in BROKEN:
        pytest.fail(str(BROKEN[name]), pytrace=False)


@pytest.mark.parametrize("name", names())
def test_no_placeholder_is_left(name: str) -> None:
    if left := placeholders(name, ROOT):
        pytest.fail("\n".join([f"replace every {PLACEHOLDER}:", *left]), pytrace=False)


@every_source
def test_a_raw_tree_is_written(name: str) -> None:
    path = ROOT / "tests" / "sources" / f"{name}.py"
    assert path.exists(), "expected a module that writes the source's raw tree in its true layout"
    source = source_module(name)
    assert callable(source.write_unpacked), "expected write_unpacked(folder): the tree as the publisher lays it out"
    if "served" in forms_of(load_card(name)):
        assert callable(source.write_archives), "expected write_archives(folder): what its host serves, as a mirror"


@every_card
def test_its_page_is_up_to_date(name: str, card: Card) -> None:
    path = ROOT / "docs" / "sources" / f"{name}.md"
    assert path.exists(), "run: make docs"
    assert path.read_text(encoding="utf-8") == f"{pages.GENERATED}\n\n{page(card)}", "run: make docs"


@every_source
def test_the_builder_is_one_short_function(name: str) -> None:
    module = importlib.import_module(f"covid_datasets.builders.{name}")
    assert inspect.isgeneratorfunction(module.records), "expected records(raw) to be a generator"
    assert list(inspect.signature(module.records).parameters) == ["raw"]
    assert module.__doc__, "expected a docstring that says what the source is"
    lines = len(builder_path(name).read_text(encoding="utf-8").splitlines())
    assert lines < LONGEST_BUILDER, f"{lines} lines: move what other sources need too into the engine"


@every_source
def test_the_builder_imports_no_other_but_those_that_its_card_declares(name: str) -> None:
    imported = imported_builders(builder_path(name).read_text(encoding="utf-8"))
    declared = set(load_card(name).composed_of)
    assert imported == declared, f"composed_of on the card: expected {sorted(imported)}, found {sorted(declared)}"


@every_source
def test_the_engine_does_not_know_its_name(name: str) -> None:
    places = engine_strings().get(name, [])
    assert not places, f"{places}: what is special about a source belongs into its builder or its card"


@cache
def engine_strings() -> dict[str, list[str]]:
    """List the strings in the code of the engine, each with the files that it is in."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in (ROOT / "covid_datasets").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found[node.value].append(str(path.relative_to(ROOT)))
    return dict(found)


# --- the card ------------------------------------------------------------------------------------------------------


@every_card
def test_the_card_says_what_it_is(card: Card) -> None:
    assert card.title.strip()
    assert len(card.summary.split()) >= 5, "expected one or two sentences"
    assert not (card.modalities and card.columns), "expected modalities, or the columns of a table"
    assert card.modalities or card.columns or not (card.resources or card.status), "only what nobody can get is unknown"
    assert card.task.strip()
    assert card.homepage.startswith("https://") or not card.resources, "only what is made on the spot has no homepage"


@every_card
def test_a_second_name_leads_to_a_source(card: Card) -> None:
    if card.same_as:
        planned = bool(load_card(split_name(card.same_as)[0]).status)
        refused = pytest.raises(AccessRequired, match="It is planned") if planned else nullcontext()
        with pytest.warns(UserWarning, match=f"{card.id} holds the same samples as"), refused:
            assert choose(card.id).card.has_data


@every_card
def test_the_card_says_what_to_cite(card: Card) -> None:
    assert card.citations
    keys = [citation.key for citation in card.citations]
    assert len(set(keys)) == len(keys)
    for citation in card.citations:
        assert citation.title.strip()
        assert all(author.strip() for author in citation.author)
        assert 2000 <= citation.year <= 2100
        assert not citation.doi.startswith("http"), "a DOI starts with 10."
        places = (citation.journal, citation.doi, citation.eprint, citation.url)
        assert any(places) or not card.resources, f"{citation.key}: where was it published?"


@every_card
def test_the_licence_is_stated_or_said_to_be_unknown(card: Card) -> None:
    licence = card.licence
    assert licence.terms.strip(), "expected the exact terms, or that none are stated"
    assert not re.search(r"\s", licence.spdx), "expected an SPDX id such as CC-BY-4.0, or nothing"
    assert licence.per_image or "per-image" not in (licence.redistribution, licence.commercial)


@every_card
def test_the_card_says_who_the_patient_is(card: Card) -> None:
    assert len(card.patients.how.split()) >= 3, "how is one person told from another?"
    assert card.patients.known == "all" or card.patients.warning, "unknown patients need a warning"


@every_source
def test_the_card_says_how_to_get_it(card: Card) -> None:
    assert card.access.kind == "open" or card.access.steps, "expected the exact steps"
    assert set(card.quotes) <= {name for name, other in CARDS.items() if other.patients.address}, (
        "whose pages are quoted?"
    )
    for resource in card.resources:
        urls = [copy.url for copy in resource.copies]
        assert len(set(urls)) == len(urls), resource.name
        for url in urls:
            parts = urlsplit(page_of(url))  # of a short form, what a person is sent to
            assert parts.scheme in ("https", "s3", "gs", "hf"), f"{url}: expected an encrypted connection"
            assert parts.hostname, url
            assert not parts.username, f"{url}: no credentials in a catalog"
            assert not re.search(r"\s", url), url


@every_source
def test_resources_are_pinned_or_said_not_to_be(card: Card) -> None:
    used = {name for version in card.versions.values() for name in version.resources}
    used |= {name for config in card.configs.values() for name in config.resources}
    assert used == {resource.name for resource in card.resources}, "every resource belongs to a version or a config"
    for resource in card.resources:
        if resource.manifest:
            assert len(read_manifest(resource.manifest)) > 0, resource.manifest
        if not (resource.sha256 or resource.md5 or resource.manifest):
            assert "no hash published" in page(card)
        if any(re.search(r"github\.com/[^/]+/[^/]+/archive/", copy.url) for copy in resource.copies):
            pinned = (resource.sha256, resource.md5, resource.size)
            assert not any(pinned), "GitHub packs its archives anew; no hash lasts"
        if len(resource.copies) > 1:
            assert resource.sha256 or resource.md5 or resource.manifest, "what proves that the copies are the same?"


@every_source
def test_what_the_card_expects_fits_together(card: Card) -> None:
    for version in card.versions.values():
        assert set(version.labels) <= set(label_names())
        assert version.images is None or sum(version.labels.values()) <= version.images
        assert version.images is None or version.patients is None or version.patients <= version.images
        assert 0 <= version.tolerance < 0.5
    assert all(config.summary.strip() for config in card.configs.values())
    assert set(card.features) <= {
        column for name in card.configs for column in card.choice(config=name).columns or COLUMNS
    }
    assert len({defect.id for defect in card.defects}) == len(card.defects)
    assert all(defect.what.strip() and defect.evidence.strip() for defect in card.defects)


@every_source
def test_figures_of_papers_are_counted_in_columns_that_exist(name: str, card: Card, small: SmallSources) -> None:
    for paper in papers_of(card):
        about = f"{paper.dataset or name}@{paper.version}" if paper.version else paper.dataset or name
        if load_card(paper.dataset or name).status:
            continue
        choice = choose(about, paper.config or None)
        keys = set[str]()
        for figure in paper.figures:
            if figure.count is not None:
                check_count(figure.count, choice)
                keys |= {
                    column.removeprefix("source_row.") for column in figure.count.columns if "source_row." in column
                }
        if keys and choice.card.id == name:
            built = small.build(name, config=paper.config or None)
            rows = open_table(built).column("source_row").to_pylist()
            lost = keys - {key for row in rows for key in json.loads(row)}
            assert not lost, f"catalogs/papers/{name}.toml: no row of {name} has {sorted(lost)}"


@every_source
def test_published_splits_and_identities_are_of_this_source(name: str, card: Card) -> None:
    full = published_splits(name)
    assert all(patient.startswith(f"{name}/") and patient != f"{name}/" for patient in full)
    flags = {flag for _, flags in read_identities(name).values() for flag in flags}
    assert flags <= {defect.flag for defect in card.defects}, "every flag is explained by a defect"


def test_there_is_no_file_of_no_source() -> None:
    known = {*SOURCES, *BROKEN}  # nobody can tell the files of a card that cannot be read from strays
    assert {path.stem for path in (ROOT / "builders").glob("*.py")} - {"__init__", *BROKEN} == {*SOURCES}
    assert {path.stem for path in (ROOT / "tests" / "sources").glob("*.py")} - {"__init__", *BROKEN} == {*SOURCES}
    for folder in ("splits", "identities", "papers"):
        assert {path.stem for path in (catalog_folder() / folder).glob("*.*")} <= known
    if not BROKEN:
        used = {resource.manifest for card in CARDS.values() for resource in card.resources}
        assert {path.name for path in (catalog_folder() / "manifests").glob("*.tsv")} <= used
        resources = [resource for card in CARDS.values() for resource in card.resources]
        listed = {name for resource in resources for name in (resource.listing, resource.members)}
        assert {path.name for path in (catalog_folder() / "listings").glob("*.tsv*")} <= listed


@every_source
def test_a_check_finds_its_tree_whole_and_an_empty_folder_lacking(
    name: str, card: Card, small: SmallSources, tmp_path: Path
) -> None:
    found = check(name, small.tree(name))
    assert (found.ok, found.missing, found.damaged, found.extra) == (True, (), (), ()), str(found)
    assert f"covid-datasets build {name} --data-dir" in str(found)
    assert check(name, tmp_path).ok == all(resource.optional for resource in card.choice().every_resource)


@every_source
def test_what_only_a_user_can_fetch_is_asked_for_in_full(name: str, card: Card, tmp_path: Path) -> None:
    """In the first config of a source that is not open, and in each that needs a file that nobody serves."""
    asked = [] if card.access.kind in ("open", "web") else [next(iter(card.configs))]
    choices = [card.choice(config=config) for config in card.configs]
    asked += [each.config for each in choices if not all(part.copies or part.optional for part in each.resources)]
    for choice in (card.choice(config=config) for config in dict.fromkeys(asked)):
        with pytest.raises(AccessRequired) as error:
            build_dataset(name, choice.config, cache_dir=tmp_path, offline=True, accept_licence=True)
        text = str(error.value)
        assert expected_tree(choice) in text
        assert f"covid-datasets check {name} --data-dir FOLDER" in text
        flat = " ".join(text.split())
        steps = card.access.steps or [step for part in choice.resources if not part.copies for step in part.steps]
        assert all(" ".join(step.split()) in flat for step in steps)


# --- the records ---------------------------------------------------------------------------------------------------


@every_build
def test_enumerating_reads_no_picture(
    name: str, config: str, small: SmallSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.tree(name)
    read = RawTree.read

    def read_tables_only(raw: RawTree, path: str) -> bytes:
        assert not path.lower().endswith(PICTURES), f"{path}: records() yields references, workers read pixels"
        return read(raw, path)

    monkeypatch.setattr(RawTree, "read", read_tables_only)
    assert records_of(name, config, small.tree(name))


@every_build
def test_records_are_the_same_each_time(
    name: str, config: str, small: SmallSources, found: list[Record | Notice]
) -> None:
    """Also in another process, where sets have another order; and nothing heavy is loaded for it."""
    assert_same(found, records_of(name, config, small.tree(name)))
    again, modules = records_elsewhere(name, config, small)
    assert_same(found, again)
    assert not modules & HEAVY, "a builder imports what it needs in the function that runs in a worker"


def records_elsewhere(name: str, config: str, small: SmallSources) -> tuple[list[Record | Notice], set[str]]:
    """List what a builder yields in a process of its own, and the modules that were loaded for it."""
    choice = load_card(name).choice(config=config)
    given = (str(small.tree(name)), choice.version, config, dict(choice.form.options))
    code = f"""
import pickle, sys
import covid_datasets.catalogs
covid_datasets.catalogs.__path__ = [{str(small.catalog)!r}]
from covid_datasets.builders.{name} import records
from covid_datasets.raw.tree import RawTree
folder, version, config, options = {given!r}
found = list(records(RawTree.of_folder(folder, version=version, config=config, options=options)))
loaded = {{module.partition(".")[0] for module in sys.modules}}
sys.stdout.buffer.write(pickle.dumps((found, loaded)))
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "2020"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    again: tuple[list[Record | Notice], set[str]] = pickle.loads(done.stdout)
    return again


def assert_same(found: list[Record | Notice], again: list[Record | Notice]) -> None:
    """Say which item is the first that is not the same, and in what."""
    for number, (first, second) in enumerate(zip_longest(found, again)):
        if first != second:
            what = [f"item {number} is {first}", f"and then {second}"]
            if isinstance(first, Record) and isinstance(second, Record) and first.sample_id == second.sample_id:
                pairs = [(each.name, getattr(first, each.name), getattr(second, each.name)) for each in fields(first)]
                what = [f"{first.sample_id}: {name} is {one}, and then {two}" for name, one, two in pairs if one != two]
            pytest.fail("\n".join(what), pytrace=False)


@every_build
def test_ids_are_unique(found: list[Record | Notice]) -> None:
    ids = [item.sample_id for item in found if isinstance(item, Record)]
    assert ids
    assert [sample for sample, count in Counter(ids).items() if count > 1] == []


@every_build
def test_flags_and_official_splits_are_on_the_card(config: str, card: Card, found: list[Record | Notice]) -> None:
    records = [item for item in found if isinstance(item, Record)]
    flags = {flag for record in records for flag in record.flags}
    assert flags <= {defect.flag for defect in card.defects} | ENGINE_FLAGS
    official = {record.official_split for record in records} - {None}
    choice = card.choice(config=config)
    split = card.official_split if choice.form.official_split and not choice.columns else None
    assert official == set(split.names if split else ())
    assert {record.modality for record in records} <= {*card.modalities, None}


@every_build
def test_references_lead_to_files(name: str, small: SmallSources, found: list[Record | Notice]) -> None:
    raw = RawTree.of_folder(small.tree(name))
    for record in (item for item in found if isinstance(item, Record)):
        for reference in (record.content, *record.masks.values(), *record.volume_masks.values()):
            assert not isinstance(reference, File) or raw.has(reference.path), reference
            assert not isinstance(reference, Parts) or all(map(raw.has, reference.files)), reference


# --- the build -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "config", "form"), [(*build, form) for build in BUILDS for form in forms_of(SOURCES[build[0]])]
)
def test_it_builds_from(name: str, config: str, form: str, small: SmallSources) -> None:
    card = load_card(name)
    whole = form != "served" or all(resource.copies for resource in card.choice(config=config).resources)
    if not whole and card.config(config)[1].subset:
        pytest.skip("chosen by a file that only its user has: nobody serves it")
    built = small.build(name, form, config)
    assert built.rows > 0
    if whole:
        unpacked = small.build(name, config=config)
        assert built.fingerprint == unpacked.fingerprint, differences(unpacked, built)
    assert {kind for kind in kinds(built) if kind == "extra file" or "damaged" in kind} == set()


@every_build
def test_any_number_of_workers_builds_the_same(
    name: str, config: str, built: Built, small: SmallSources, tmp_path: Path
) -> None:
    again = small.build_anew(name, "packed", tmp_path / "other", config=config, num_proc=2)
    assert again.fingerprint == built.fingerprint, differences(built, again)
    assert again.path != built.path


@every_build
def test_a_part_of_the_source_is_marked_incomplete(
    name: str, config: str, built: Built, card: Card, small: SmallSources, tmp_path: Path
) -> None:
    version = card.version()[1]
    whole = version.images is None or built.config != next(iter(card.configs))
    if whole or built.rows >= (version.images or 0) * (1 - version.tolerance):
        assert not built.incomplete
        return
    assert built.incomplete
    assert "INCOMPLETE" in built.report()
    with pytest.raises(IncompleteSourceError, match=f"{name}@"):
        small.build_anew(name, "unpacked", tmp_path, config=config, allow_missing=False)


@every_image_build
def test_nothing_is_lost_silently(name: str, built: Built, found: list[Record | Notice], small: SmallSources) -> None:
    notices = built.manifest()["notices"]
    records = {item.sample_id: item for item in found if isinstance(item, Record)}
    samples = {sample.removeprefix(f"{name}/") for sample in Index.read(built.path).texts("sample_id")}
    of_parts = {record for record, item in records.items() if isinstance(item.image, Parts)}
    kept = {whole if (whole := sample.rpartition("/")[0]) in of_parts else sample for sample in samples}
    assert kept <= records.keys()
    dropped = sum(notice["count"] for notice in notices if notice["dropped"])
    assert len(records.keys() - kept) <= built.dropped == dropped
    assert built.rows == len(samples) == sum(built.splits.values()) == sum(built.labels.values())
    rows = table(built).select([*CONTENT, "masks", "volume_masks"]).to_pylist()
    told = {row[kind]["path"] for row in rows for kind in CONTENT if row[kind]}
    told |= {mask["path"] for row in rows for kind in ("masks", "volume_masks") for mask in row[kind].values() if mask}
    made = made_of(found, small.tree(name))
    told |= {file for path in told & made.keys() for file in made[path]}
    told |= {notice["where"] for notice in notices}
    given = Counter(whole if (whole := sample.rpartition("/")[0]) in of_parts else sample for sample in samples)
    for name_, parts in ((key, item.image) for key, item in records.items() if isinstance(item.image, Parts)):
        lacking = {path for path in parts.files if path not in told}
        assert len(lacking) <= given[name_], f"{parts.path}: {len(lacking)} files are neither told nor in a part"
        told |= lacking
    tree = small.tree(name)
    here = (path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.name.lower().endswith(PICTURES))
    pictures = {path for path in here if not of_another_config(name, built.config, path)}
    counted = Counter[str]()  # pictures that a notice counts by the folder of the part that they are in
    for notice in notices:
        counted[notice["where"]] += notice["count"] if notice["where"].endswith("/") else 0
    untold = Counter(f"{path.split('/')[0]}/" for path in pictures - told)
    subset = load_card(name).config(built.config)[1].subset
    lost = f"neither a row, a mask, named in a notice nor counted by one: {sorted(pictures - told)[:10]}"
    assert subset or untold == +counted, lost
    assert all(notice["where"] in built.report() for notice in notices[:10])


@every_image_build
def test_ids_are_global(name: str, built: Built) -> None:
    rows = table(built).select(["dataset", "sample_id", "patient_id", "study_id"]).to_pylist()
    assert len({row["sample_id"] for row in rows}) == len(rows) == built.rows
    for row in rows:
        assert row["dataset"] == name
        assert row["sample_id"].startswith(f"{name}/")
        assert row["patient_id"] is None or row["patient_id"].startswith(f"{name}/")
        assert row["study_id"] is None or row["study_id"].startswith(f"{name}/")


@every_image_build
def test_unknown_patients_are_not_one_each(card: Card, built: Built) -> None:
    """Unknown people are in groups that can be defended; an id for each picture would only look patient-disjoint.

    So no row is a group of its own in a source that knows no patients, unless its card says that only near-duplicates
    are kept together; where some are known, at least two rows of the others share a group. A small tree shows it: it
    has two rows in each of its groups. A copy of what another source has in another split is with that one.
    """
    rows = table(built).select(["sample_id", "patient_id", "patient_known"]).to_pylist()
    copies = published_splits(card.id).keys() if card.patients.group == "all" else set()  # of what is elsewhere
    copies = copies - {all_of(card.id)}
    unknown = Counter(row["patient_id"] for row in rows if not row["patient_known"] and row["patient_id"] not in copies)
    for row in rows:
        assert row["patient_known"] or row["patient_id"] != row["sample_id"], row
        assert row["patient_id"] or card.patients.group == "near-duplicates", row
    assert invented_groups(card, built) == ""
    alone = sorted(str(group) for group, count in unknown.items() if count == 1)
    if card.patients.known == "none" and card.patients.group != "near-duplicates":
        assert not alone, f"groups of a single row, such as {alone[:3]}: what else is of these people?"
    everybody = not unknown and card.patients.known == "some"  # in a config of those who are known
    one = card.patients.group != "all" or len(unknown) == 1 or everybody
    assert one, f"the card says one group, found {sorted(unknown)[:3]}"
    assert len(alone) < 2 or len(alone) < len(unknown) or card.patients.group == "near-duplicates", (
        "every row of an unknown patient is a group of its own"
    )


@every_image_build
def test_only_known_patients_are_counted(built: Built) -> None:
    rows = table(built).select(["patient_id", "patient_known"]).to_pylist()
    known = {row["patient_id"] for row in rows if row["patient_known"]}
    assert built.patients == (len(known) or None)
    assert built.groups == len(set(Index.read(built.path).groups))


@every_image_build
def test_the_card_and_the_rows_agree_on_who_is_known(card: Card, built: Built) -> None:
    known = set(table(built).column("patient_known").to_pylist())
    assert known <= {"all": {True}, "some": {True, False}, "none": {False}}[card.patients.known]


@every_image_build
def test_patients_never_straddle_splits(built: Built) -> None:
    report = audit_build(built, "patient")
    assert not report.leaks, str(report)
    places: dict[str, set[str]] = {}
    index = Index.read(built.path)
    for patient, split in zip(index.texts("patient_id"), index.texts("split"), strict=True):
        places.setdefault(patient, set()).add(split)
    assert {patient for patient, splits in places.items() if len(splits) > 1} == set()


@every_image_build
def test_the_official_split_is_audited(card: Card, built: Built) -> None:
    schemes = [audit["scheme"] for audit in built.manifest()["audits"]]
    split = card.official_split if card.choice(config=built.config).form.official_split else None
    assert schemes == (["patient", "official"] if split else ["patient"])
    if split:
        assert set(audit_build(built, "official").rows) == set(split.names)


@every_image_build
def test_published_folds_are_schemes(card: Card, built: Built) -> None:
    split = card.official_split
    for fold in split.folds if split and card.choice(config=built.config).form.official_split else ():
        report = audit_build(built, f"official-{fold}")
        assert set(report.rows) <= set(split.names if split else ())
        assert sum(report.rows.values()) > 0, f"no row's source_row says its split in {fold}"


@every_image_build
def test_labels_are_of_the_taxonomy(built: Built) -> None:
    labels = {label for label in table(built).column("label").to_pylist() if label is not None}
    assert labels <= set(range(len(label_names())))
    assert set(built.labels) <= {*label_names(), "unlabelled"}


@every_image_build
def test_labels_are_given(card: Card, built: Built) -> None:
    """A source without labels says so on its card: ``label = "none: ..."`` under [features]."""
    unlabelled = set(built.labels) == {"unlabelled"}
    assert unlabelled == card.features.get("label", "").startswith("none:"), (
        'no row has a label; where that is so, the card says label = "none: ..." under [features]'
        if unlabelled
        else "the card says that there are no labels, but rows have some"
    )


@every_image_build
def test_columns_are_those_of_all_sources(built: Built) -> None:
    datasets = pytest.importorskip("datasets")
    opened = datasets.load_from_disk(str(built.path))
    assert {split: part.num_rows for split, part in opened.items()} == dict(built.splits)
    for part in opened.values():
        assert part.features == datasets.Features.from_dict(features_dict())
    assert opened.num_rows == {split: len(part.with_format(None)["sample_id"][:]) for split, part in opened.items()}
    for part in opened.values():
        for row in part.select(range(min(3, part.num_rows))):
            assert row["image"] is None or min(row["image"].size) > 0, "datasets decodes the image"
            assert row["video"] is None or row["video"]["bytes"], "the bytes of a video"


@every_image_build
def test_what_a_sample_shows_is_the_original_bytes(name: str, built: Built, small: SmallSources) -> None:
    raw = RawTree.of_folder(small.tree(name))
    for row in table(built).select([*CONTENT, "sha256"]).to_pylist():
        for shown in (row[kind] for kind in CONTENT if row[kind] is not None):
            assert digest(shown["bytes"]) == row["sha256"]
            assert not raw.has(shown["path"]) or raw.read(shown["path"]) == shown["bytes"]


@every_image_build
def test_the_quality_of_every_image_is_known(built: Built) -> None:
    columns = ["sample_id", "sha256", "quality", "quality_reasons", "width", "height", "pixel_hash", "phash"]
    for row in table(built).select(columns).to_pylist():
        if not row["sha256"]:
            continue
        assert row["quality"] in ("good", "questionable", "poor"), row
        assert (row["quality"] == "good") == (row["quality_reasons"] == []), row
        assert min(row["width"], row["height"]) > 0
        assert (len(row["pixel_hash"]), len(row["phash"])) == (32, 64)


@every_build
def test_a_finished_build_verifies(built: Built) -> None:
    report = verify(built.path, pixels=True)
    assert report.ok, report.problems
    assert report.rows == built.rows


@every_image_build
def test_what_is_loaded_travels(name: str, built: Built, small: SmallSources) -> None:
    """Builds and rows go to workers by pickle."""
    assert pickle.loads(pickle.dumps(built)) == built
    rows = load_dataset(
        name, built.config, split="all", framework="numpy", cache_dir=small.cache, allow_missing=True, offline=True
    )
    copy = pickle.loads(pickle.dumps(rows))
    assert [row["sample_id"] for row in copy] == [row["sample_id"] for row in rows]
    assert len(copy) == built.rows


@every_table
def test_a_table_has_the_columns_of_its_card(name: str, card: Card, built: Built) -> None:
    datasets = pytest.importorskip("datasets")
    opened = datasets.load_from_disk(str(built.path))
    assert {split: part.num_rows for split, part in opened.items()} == dict(built.splits) == {"train": built.rows}
    assert built.columns == card.choice(config=built.config).columns
    assert opened["train"].features == datasets.Features.from_dict(features_dict(built.columns))
    assert [str(kind) for kind in table(built).schema.types] == [
        str(kind) for kind in opened["train"].data.schema.types
    ]


@every_table
def test_no_record_of_a_table_is_lost_silently(name: str, built: Built, found: list[Record | Notice]) -> None:
    notices = built.manifest()["notices"]
    index = Index.read(built.path)
    records = {f"{name}/{item.sample_id}" for item in found if isinstance(item, Record)}
    lost = records - set(index.texts("sample_id"))
    assert set(index.texts("sample_id")) <= records
    assert len(lost) <= built.dropped == sum(notice["dropped"] for notice in notices)
    assert sum(index.table.column("rows").to_pylist()) == built.rows == table(built).num_rows
    assert all(notice["where"] in built.report() for notice in notices[:10])


@every_table
def test_rows_of_a_table_travel(name: str, built: Built, small: SmallSources) -> None:
    assert pickle.loads(pickle.dumps(built)) == built
    rows = load_dataset(
        name, built.config, split="all", framework="numpy", cache_dir=small.cache, allow_missing=True, offline=True
    )
    assert list(pickle.loads(pickle.dumps(rows))) == list(rows) == table(built).to_pylist()


def test_all_sources_load_as_one(small: SmallSources) -> None:
    pytest.importorskip("datasets")
    images = sorted({*SOURCES} - TABLES)
    for name in images:
        small.build(name)
    loaded = load_dataset(images, cache_dir=small.cache, allow_missing=True)
    people = {split: set(part["patient_id"]) for split, part in loaded.items()}
    for split, part in loaded.items():
        assert list(part.features) == [*COLUMNS, "group_id"]
        assert not any(people[split] & people[other] for other in people if other != split)
    assert {dataset for part in loaded.values() for dataset in part["dataset"]} == set(images)


def invented_groups(card: Card, built: Built) -> str:
    """Say what is wrong where nobody knows the patients, and yet most rows are a group of their own."""
    groups = Counter(table(built).column("patient_id").to_pylist())
    alone = sum(count == 1 for group, count in groups.items() if group is not None)
    if card.patients.known != "none" or alone * 2 <= built.rows:
        return ""
    return (
        f"{alone:,} of {built.rows:,} rows are a group of their own, though nobody knows the patients: an id for each "
        "picture only looks patient-disjoint. Expected the narrowest group that can be defended, as patients.group says"
    )


def table(built: Built) -> pa.Table:
    return open_table(built)


def kinds(built: Built) -> set[str]:
    return {notice["kind"] for notice in built.manifest()["notices"]}
