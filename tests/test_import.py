"""Importing is cheap and does nothing, and what is installed is what is in the folders."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "tensorflow", "datasets", "pandas", "pyarrow", "numpy", "rich", "fsspec", "PIL", "openpyxl"}


def modules_after(statement: str, home: Path) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    environment = {"HOME": str(home), "COVID_DATASETS_CACHE": str(home / "cache"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=home, env=environment, capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "statement",
    [
        "import covid_datasets",
        "import covid_datasets; covid_datasets.info('phantom')",
        "from covid_datasets.cli.parser import make_parser; make_parser()",
    ],
)
def test_import_is_cheap_and_leaves_no_files(statement: str, tmp_path: Path) -> None:
    assert not modules_after(statement, tmp_path) & HEAVY
    assert list(tmp_path.iterdir()) == []


def test_public_names_exist() -> None:
    import covid_datasets

    assert covid_datasets.__all__
    for name in covid_datasets.__all__:
        assert getattr(covid_datasets, name) is not None, name
    assert set(covid_datasets.__all__) <= set(dir(covid_datasets))


def test_unknown_name_is_an_attribute_error() -> None:
    import covid_datasets

    with pytest.raises(AttributeError, match="no_such_name"):
        covid_datasets.no_such_name  # noqa: B018


def test_no_public_function_has_the_name_of_a_package() -> None:
    """Importing a package puts its name into its parent, in place of the function."""
    import covid_datasets

    assert not {path.parent.name for path in (ROOT / "covid_datasets").glob("*/__init__.py")} & set(
        covid_datasets.__all__
    )


def test_every_package_is_installed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    inside = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "covid_datasets").rglob("__init__.py")}
    assert set(settings["packages"]) == inside | {"covid_datasets.builders", "covid_datasets.catalogs"}


def test_data_is_found() -> None:
    from covid_datasets.catalog.folder import catalog_folder

    assert (catalog_folder() / "phantom.toml").exists()
    assert (catalog_folder() / "manifests").is_dir()
    assert (catalog_folder() / "listings").is_dir()
