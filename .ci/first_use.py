"""What somebody does who has just installed the wheel, without any extra: `python -I first_use.py CACHE`."""

import importlib
import os
import pkgutil
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

os.environ |= {"COVID_DATASETS_CACHE": sys.argv[1], "COVID_DATASETS_OFFLINE": "1"}

import covid_datasets
from covid_datasets.errors import CovidDatasetsError, MissingExtraError

inside = Path(covid_datasets.__file__).parent
assert inside.is_relative_to(sys.prefix), f"{inside} is not what was installed"
assert metadata("covid_datasets")["Version"] == covid_datasets.__version__

# Every card is read and every builder imports: none needs an extra before it meets a file that does.
builders = {path.stem for path in (inside / "builders").glob("*.py")} - {"__init__"}
for row in covid_datasets.list_datasets().to_pylist():
    assert covid_datasets.info(row["id"]).has_data == row["data"] == (row["id"] in builders), row["id"]
for name in builders:
    assert importlib.import_module(f"covid_datasets.builders.{name}").records

# What does not import lacks a package that belongs to an extra.
lacking = set()
for module in pkgutil.walk_packages(covid_datasets.__path__, "covid_datasets.", onerror=lambda name: None):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except MissingExtraError as error:
            lacking.add(str(error).partition(" ")[0])
        except ModuleNotFoundError as error:
            lacking.add((error.name or "").partition(".")[0])
print("modules that need an extra need one of:", *sorted(lacking))
assert "covid_datasets" not in lacking


def command(*arguments: str, code: int = 0) -> str:
    """Run a command, and give all that it said."""
    done = subprocess.run(
        [sys.executable, "-I", "-m", "covid_datasets", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


assert "phantom" in command("list")
assert "CC0-1.0" in command("info", "phantom")
assert "rows" in command("build", "phantom", "--config", "small")
command("report", "phantom", "--config", "small", "-o", f"{sys.argv[1]}/report.html")
rows = covid_datasets.load_dataset("phantom", "small", "train", framework="numpy")
assert rows[0]["image"].ndim == 2, rows[0]["image"].shape
assert "pip install 'covid_datasets[browse" in command("browse", code=2)
try:
    covid_datasets.load_dataset("phantom", "small")
except CovidDatasetsError as error:
    said = str(error)
else:
    said = "nothing, so datasets is installed, and this is no environment without extras"
assert "pip install 'covid_datasets[hf]'" in said, said
print(f"{covid_datasets.__version__}: {len(builders)} builders, {len(rows)} rows of train")
