"""Build the wheel and the sdist, and use the wheel where nothing else is: `python .ci/release.py [FOLDER]`.

The wheel is built from the sdist, so that both are whole. FOLDER, if given, keeps them.
"""

import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = ("covid_datasets", "builders", "catalogs")
MADE = {"PKG-INFO", "setup.cfg"}  # by setuptools, beside covid_datasets.egg-info


def main(out: Path, work: Path) -> None:
    """Build into `out`, and check in `work`, which is outside the checkout."""
    tools, user = (_environment(work / name) for name in ("tools", "user"))
    _pip(tools, "--requirement", ROOT / ".ci/release.txt")
    subprocess.run([tools.with_name("cffconvert"), "--validate", "--infile", ROOT / "CITATION.cff"], check=True)
    _run(tools, "build", "--outdir", out, ROOT)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    _run(tools, "twine", "check", "--strict", wheel, sdist)
    compare(wheel, sdist)
    _pip(user, wheel)
    _run(user, "pip", "check")
    subprocess.run([user, "-I", ROOT / ".ci/first_use.py", work / "cache"], cwd=work, check=True)


def compare(wheel: Path, sdist: Path) -> None:
    """Hold the names in both against what git tracks: nothing is left out, nothing else is in."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        print(f"The names in both were not compared, because git does not list those of {ROOT}: {listed.stderr}")
        return
    tracked = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    installed = {_place(name) for name in tracked if name.startswith(tuple(f"{top}/" for top in INSTALLED))}
    with zipfile.ZipFile(wheel) as archive:
        _same(wheel.name, installed, {name for name in archive.namelist() if ".dist-info/" not in name})
    with tarfile.open(sdist) as archive:
        held = {member.name.partition("/")[2] for member in archive if member.isfile()}
    _same(sdist.name, tracked, {name for name in held - MADE if not name.startswith("covid_datasets.egg-info/")})


def _place(name: str) -> str:
    """Say where a file of the checkout lies in the wheel."""
    return name if name.startswith("covid_datasets/") else f"covid_datasets/{name}"


def _same(archive: str, expected: set[str], found: set[str]) -> None:
    if expected != found:
        sys.exit(
            f"{archive}: expected the files that git tracks. Missing: {sorted(expected - found)}; not tracked: "
            f"{sorted(found - expected)}. Next: look at package-data in pyproject.toml (wheel) and MANIFEST.in (sdist)"
        )


def _environment(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _pip(python: Path, *what: Path | str) -> None:
    _run(python, "pip", "install", "--quiet", "--disable-pip-version-check", *what)


def _run(python: Path, *command: Path | str) -> None:
    print("+", *command, flush=True)
    subprocess.run([python, "-m", *command], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        main(Path(sys.argv[1]).resolve() if sys.argv[1:] else work / "dist", work)
