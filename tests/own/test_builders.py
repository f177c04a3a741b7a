"""Builders from outside of the package: run where a call, the environment or an installed package names them."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

import covid_datasets as cd
from covid_datasets import OwnData
from covid_datasets.catalog.outside import GROUP, VARIABLE
from covid_datasets.cli import main
from covid_datasets.errors import BuildError, CatalogError, NotThereError, UnknownDatasetError
from tests.own.test_folders import build, fill

BUILDER = """
from covid_datasets.read.series import series_parts
from covid_datasets.schema import File, Part, Parts, Record


def parts(raw, path):
    import numpy as np
    for number in range(2):
        yield Part(str(number), f"{path}/{number}", np.full((8, 8), number * 9 + len(path), np.uint8))


def records(raw):
    for path in raw.paths("*.png"):
        yield Record(sample_id=path, image=File(path), modality="CT", patient=path[:1], label="covid19")
        yield Record(sample_id=f"of {path}", image=Parts(path, parts, (path,), (path,)), patient=path[:1])
"""
CARD = """
title = "A ward"
summary = "Films of one ward."
seed_names = []
modalities = ["CT"]
task = "classification"
homepage = ""
default_version = "1"

[[citations]]
key = "ward"
title = "A ward"
author = ["Somebody"]
year = 2024

[licence]
spdx = ""
terms = "Ask the ward."
redistribution = "no"
commercial = "no"

[access]
kind = "request"
steps = ["Ask the ward."]

[patients]
known = "all"
how = "The first letter of a name."

[versions.1]
resources = ["files"]

[[resources]]
name = "files"
kind = "tree"
steps = ["Ask the ward."]
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write the two files of a source, and a folder for it."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "my_ward.py").write_text(BUILDER)
    (folder / "my_ward.toml").write_text(CARD)
    fill(tmp_path / "data", ("a1.png", "b1.png"))
    return folder / "my_ward.py"


def test_a_builder_that_the_call_names_reads_a_folder(source: Path, tmp_path: Path) -> None:
    built = cd.build_dataset(OwnData(tmp_path / "data", builder=source), num_proc=2)  # workers find its functions
    assert (built.id, built.rows, built.patients) == ("own.data", 6, 2)
    source.write_text(BUILDER.replace('"covid19"', '"no_finding"'))
    assert build(OwnData(tmp_path / "data", builder=source)).labels["no_finding"] == 2


def test_a_source_is_named_by_the_path_of_its_builder(source: Path, tmp_path: Path) -> None:
    assert cd.info(source).title == "A ward"
    built = build(str(source), data_dir=tmp_path / "data")
    assert (built.id, built.rows) == ("my_ward", 6)
    assert cd.find_build(source).path == built.path


def test_the_environment_names_builders(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownDatasetError):
        cd.info("my_ward")
    monkeypatch.setenv(VARIABLE, str(source))
    assert "my_ward" in cd.list_datasets().column("id").to_pylist()
    assert build("my_ward", data_dir=tmp_path / "data").rows == 6
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none.py"))
    with pytest.raises(NotThereError, match=r"expected Python files.*none\.py"):
        cd.info("my_ward")


def test_a_package_announces_sources(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = source.parent.rename(tmp_path / "ward_sources")
    (package / "__init__.py").touch()
    about = tmp_path / "ward_sources-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ward-sources\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[{GROUP}]\nmy_ward = ward_sources.my_ward\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [point.name for point in metadata.entry_points(group=GROUP)] == ["my_ward"]
    assert cd.info("my_ward").title == "A ward"
    assert "ward_sources.my_ward" not in sys.modules  # nothing is imported before it is built
    assert build("my_ward", data_dir=tmp_path / "data").rows == 6
    (about / "entry_points.txt").write_text(f"[{GROUP}]\nphantom = ward_sources.my_ward\n")
    with pytest.warns(UserWarning, match="'phantom' is the id of another source"):
        cd.list_datasets()
    assert cd.info("phantom").title != "A ward"


def test_what_is_wrong_with_a_builder_is_said(source: Path, tmp_path: Path) -> None:
    name = OwnData(tmp_path / "data", builder=source)
    source.write_text("1 / 0")
    with pytest.raises(BuildError, match=r"my_ward\.py: expected one that can be imported: ZeroDivisionError"):
        build(name)
    source.write_text("x = 1")
    with pytest.raises(BuildError, match="expected a function records"):
        build(name)
    source.with_suffix(".toml").unlink()
    with pytest.raises(CatalogError, match=r"expected its card .*my_ward\.toml"):
        cd.info(source)
    with pytest.raises(CatalogError, match="another's"):
        cd.info(tmp_path / "phantom.py")
    with pytest.raises(NotThereError, match="expected a Python file"):
        build(OwnData(tmp_path / "data", builder=tmp_path / "none.py"))


def test_commands_take_own_data(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fill(tmp_path / "w", ("pos/P1/1.png", "neg/P2/1.png"))
    options = [str(folder), "--patient-level", "1", "--finding", "pos=covid19"]
    assert main(["check", *options]) == 0
    assert main(["build", *options, "--num-proc", "1"]) == 0
    assert "2 patients" in capsys.readouterr().out
    for command in ("path", "verify", "splits"):
        assert main([command, *options]) == 0
    assert main(["splits", *options, "--json"]) == 0
    assert main(["info", str(folder)]) == 0
    assert main(["path", str(folder)]) == 1  # without options it is another build
    assert main(["build", "phantom", "--patient-level", "1"]) == 2
    assert main(["build", str(folder), "--finding", "pos"]) == 2
    assert "expected SAID=CLASS" in capsys.readouterr().err
