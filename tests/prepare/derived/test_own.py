"""Anybody's function over a dataset: found by name, held to its contract, recorded, and never trusted."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import build_dataset, load_dataset
from covid_datasets.cli import main
from covid_datasets.errors import FunctionError, UsageError
from covid_datasets.load.rows import decoded
from covid_datasets.prepare.derived.asked import derivation
from covid_datasets.prepare.result import Built
from covid_datasets.transforms.derive import named
from tests.prepare.derived.chests import derived
from tests.processes import python, table_of

pytestmark = pytest.mark.filterwarnings("ignore:.*found nothing in")
HEAD = "import numpy as np\nfrom covid_datasets import Derived, derives\n\n"
GOOD = """
@derives({"mean": float, "words": list[str], "bright": bool, "size": int})
def look(sample, above=100):
    mask = (sample.pixels if sample.pixels.ndim == 2 else sample.pixels.max(axis=2)) > above
    columns = {"mean": float(sample.pixels.mean()), "words": [sample.row["sample_id"]], "size": sample.pixels.size}
    return Derived(columns={**columns, "bright": np.bool_(mask.any())}, masks={"heart": mask})
"""


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_dataset("phantom", "small", cache_dir=tmp_path_factory.mktemp("phantom"), num_proc=1)


@pytest.fixture
def source(phantom: Built, tmp_path: Path) -> Built:
    """A copy of the phantom, in a cache of the test's own."""
    place = tmp_path / "cache" / phantom.path.relative_to(phantom.path.parents[4])
    shutil.copytree(phantom.path, place)
    return Built.read(place)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Write a module into the working folder, as a user has it."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def put(name: str, code: str) -> str:
        (tmp_path / "work" / f"{name}.py").write_text(HEAD + textwrap.dedent(code))
        sys.modules.pop(name, None)
        named._found.cache_clear()
        return name

    yield put
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]
    named._found.cache_clear()


def test_a_function_makes_columns_and_masks(source: Built, write: Any) -> None:
    write("own_look", GOOD)
    found = derived(source, "own_look:look(above=120)")
    before, after = table_of(source).to_pylist(), table_of(found).to_pylist()
    assert [row["sample_id"] for row in before] == [row["sample_id"] for row in after]
    for old, new in zip(before, after, strict=True):
        pixels = decoded(old)["image"]
        assert new["mean"] == float(pixels.mean())
        assert (new["words"], new["size"]) == ([old["sample_id"]], pixels.size)
        mask = (pixels if pixels.ndim == 2 else pixels.max(axis=2)) > 120
        assert np.array_equal(decoded(new)["masks"]["heart"], mask)
        assert new["bright"] == bool(mask.any())
        assert new["image"] == old["image"]
    assert found.splits == source.splits
    by = found.view["derived_by"]
    assert (by["module"], by["name"], by["parameters"]) == ("own_look", "look", {"above": 120})
    assert by["sha256"] == found.view["parameters"]["by"]
    assert found.view["source"] == source.fingerprint
    assert by["sha256"] in found.report()


def test_a_changed_function_is_another_dataset(source: Built, write: Any) -> None:
    write("own_look", GOOD)
    first = derived(source, "own_look:look")
    assert derived(source, "own_look:look(above=100)").path == first.path, "the default, said or not"
    write("own_look", GOOD + "\n# changed\n")
    second = derived(source, "own_look:look")
    assert first.fingerprint != second.fingerprint
    assert first.content == second.content


def test_a_file_that_was_changed_since_it_was_imported_is_not_taken_for_what_runs(write: Any, tmp_path: Path) -> None:
    """In a notebook the old function would run, and the new file would be named as what ran."""
    write("own_look", GOOD)
    sys.path.append(str(tmp_path / "work"))
    importlib.import_module("own_look")
    file = tmp_path / "work" / "own_look.py"
    file.write_text(file.read_text().replace("> above", ">= above"))
    with pytest.raises(UsageError, match=r"own_look.py was changed since it was imported.*Next: start Python anew"):
        derivation(derive="own_look:look")
    write("own_look", GOOD)
    assert derivation(derive="own_look:look")
    file.write_text(file.read_text() + "\nHELP = 1\n")
    with pytest.raises(UsageError, match="changed since it was imported"):
        derivation(derive="own_look:look(above=1)")


def test_it_changes_while_it_is_built(source: Built, write: Any) -> None:
    """A worker that finds another function than the one that was asked for runs nothing."""
    write("own_look", GOOD)
    wanted = derivation(derive="own_look:look")
    write("own_look", GOOD + "\n# changed\n")
    assert wanted is not None
    with pytest.raises(UsageError, match="expected the function as it was when this began"):
        _ = wanted.made


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("None", r"phantom/\S+: own_bad:bad: expected Derived\(...\), found NoneType"),
        ("{'mean': 1.0}", "found dict"),
        ("Derived(columns={'meen': 1.0})", "columns: expected one of mean, found 'meen'. Did you mean 'mean'"),
        ("Derived(columns={'mean': '1'})", "column 'mean': expected float, found '1', a str"),
        ("Derived(columns={'mean': float('inf')})", "column 'mean': expected float, found inf"),
        ("Derived(columns={'mean': True})", "column 'mean': expected float, found True"),
        (
            "Derived(masks={'lungs': sample.pixels})",
            "masks: expected names of lung, .*found 'lungs'. Did you mean 'lung'",
        ),
        ("Derived(masks={'lung': np.zeros((3, 3), bool)})", r"mask 'lung': expected the shape of .*found \(3, 3\)"),
        ("Derived(masks={'lung': sample.pixels * 0.5})", "mask 'lung': expected whole numbers from 0 to 255"),
        ("Derived(masks={'lung': np.full(sample.pixels.shape, 256)})", "found int64 from 256 to 256"),
        ("Derived(pixels=sample.pixels * 0.5)", "pixels: expected uint8 or uint8"),
        ("Derived(pixels=sample.pixels[1:])", "pixels: expected the shape of the picture"),
        ("Derived(keep=np.ones((2, 2), bool))", "mask 'keep': expected the shape"),
        ("Derived(box=(0, 0, 1000, 10))", "box: expected one inside of"),
        ("Derived(box=(0, 0))", "box: expected left, top, width and height"),
        ("Derived(each=[{}, {}])", "each: expected columns of 1 rows, found 2"),
        ("Derived(told=['nothing'])", "told: expected words"),
    ],
)
def test_nonsense_is_refused_with_row_and_function(given: str, message: str, phantom: Built, write: Any) -> None:
    write("own_bad", f'@derives({{"mean": float}})\ndef bad(sample):\n    return {given}\n')
    with pytest.raises(FunctionError, match=message):
        derived(phantom, "own_bad:bad")
    assert not list(phantom.path.parent.glob("*.views/*"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("None", "counted: expected columns by name, found NoneType"),
        ("{'meen': 1.0}", "Did you mean 'mean'"),
        ("masks['heart']", "counted: expected columns of masks, found KeyError"),
    ],
)
def test_what_is_counted_is_checked_too(given: str, message: str, phantom: Built, write: Any) -> None:
    declared = f'{{"mean": float}}, counted=lambda masks: {given}'
    write(
        "own_bad", f"@derives({declared})\ndef bad(sample):\n    return Derived(masks={{'lung': sample.pixels > 9}})\n"
    )
    with pytest.raises(FunctionError, match=rf"phantom/\S+: own_bad:bad: .*{message}"):
        derived(phantom, "own_bad:bad")


RAISES = """
@derives({{"mean": float, "reasons": list[str]}}, tolerance={tolerance})
def picky(sample):
    if sample.row["sample_id"].endswith("CT-0"):
        raise ValueError("no first slices")
    return Derived(columns={{"mean": sample.pixels.mean()}})
"""


def test_rows_of_which_it_raises_are_listed(source: Built, write: Any) -> None:
    write("own_picky", RAISES.format(tolerance=0.5))
    found = derived(source, "own_picky:picky")
    rows = table_of(found).to_pylist()
    failed = [row for row in rows if row["sample_id"].endswith("CT-0")]
    assert 0 < len(failed) == found.view["failed"] < len(rows) == source.rows, "no row is dropped"
    assert all(row["mean"] is None and "no first slices" in row["reasons"][0] for row in failed)
    assert all(row["mean"] is not None for row in rows if row not in failed)
    assert "function failed" in found.report()
    write("own_picky", RAISES.format(tolerance=0.01))
    message = r"own_picky:picky raised for \d+ of 42 rows .*CT-0: ValueError: no first slices.*Next: mend the function"
    with pytest.raises(FunctionError, match=message):
        derived(source, "own_picky:picky")


def test_who_fails_for_each_row_is_stopped_soon(source: Built, write: Any) -> None:
    write("own_never", "@derives(tolerance=0.9)\ndef never(sample):\n    raise KeyError('no')\n")
    with pytest.raises(FunctionError, match=r"own_never:never raised for each of the first 8 rows.*KeyError: 'no'"):
        derived(source, "own_never:never")


def test_the_example_of_the_page_runs(source: Built, write: Any) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "derived.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n# my_module.py\n(.*?)```", page, re.DOTALL)
    write("own_example", example)
    found = derived(source, "own_example:brightness(above=200)")
    row = table_of(found).to_pylist()[0]
    assert row["bright"] == bool((decoded(row)["image"] > 200).any())


def test_pixels_may_be_new(source: Built, write: Any) -> None:
    write("own_new", "def invert(sample):\n    return Derived(pixels=255 - sample.pixels)\n")
    for old, new in zip(
        table_of(source).to_pylist(), table_of(derived(source, "own_new:invert")).to_pylist(), strict=True
    ):
        before, after = decoded(old), decoded(new)
        assert np.array_equal(after["image"], 255 - before["image"])
        assert new["sha256"] != old["sha256"]
        assert new["quality"] == old["quality"]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("own_look:lok", "own_look: expected a function 'lok', found none. Did you mean 'look'"),
        ("own_lok:look", "expected a module that can be imported, found ModuleNotFoundError"),
        ("own_look:look(abov=1)", "expected one of above, found 'abov'. Did you mean 'above'"),
        ("own_look:look(1)", "expected parameters by name"),
        ("own_look:look(above=open('x'))", "expected parameters by name with plain values"),
        ("own_look:HEIGHT", "expected a function, found int"),
        ("own_look:none", "expected a sample as its first argument"),
        ("own_look:more", "expected what, as in own_look:more"),
        (["lungs"], r"expected a name such as 'lungs', or module:function.*found \['lungs'\]"),
        ("own_look:", "expected a name such as 'lungs', or module:function"),
        ("https://example.org/x.py:f", "expected a name such as 'lungs', or module:function"),
        ("cropped(margin='x', side=1)", "expected one of margin, found 'side'"),
    ],
)
def test_what_cannot_be_run_is_said(typed: Any, message: str, write: Any, tmp_path: Path) -> None:
    write("own_look", GOOD + "\nHEIGHT = 1\ndef none():\n    pass\ndef more(sample, what):\n    pass\n")
    with pytest.raises(UsageError, match=message):
        load_dataset("phantom", "small", derive=typed, cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("{'label': str}", "found 'label', which is taken"),
        ("{'mean': dict}", "column 'mean': expected str, bool, int, float"),
        ("{'a b': str}", "found 'a b', which is taken, or is no name"),
        ("{}, tolerance=1.5", "tolerance: expected a share"),
    ],
)
def test_declarations_are_checked(declared: str, message: str, write: Any) -> None:
    write("own_said", f"@derives({declared})\ndef f(sample):\n    pass\n")
    with pytest.raises(UsageError, match=message):
        derivation(derive="own_said:f")


def test_an_installed_package_names_its_functions(source: Built, write: Any, tmp_path: Path) -> None:
    write("own_look", GOOD)
    info = tmp_path / "work" / "own_look-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-look\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[covid_datasets.derive]\nbrightness = own_look:look\n")
    (info / "RECORD").write_text("own_look.py,,\n")
    (info / "top_level.txt").write_text("own_look\n")
    sys.path.append(str(tmp_path / "work"))
    found = derived(source, "brightness")
    by = found.view["derived_by"]
    assert (by["package"], by["version"], by["name"]) == ("own-look", "1.2", "look")
    assert found.view["parameters"]["by"] == f"{by['sha256']} own-look 1.2"
    with pytest.raises(UsageError, match="Did you mean 'brightness'"):
        derivation(derive="brightnes")


def test_the_command_applies_a_function(
    source: Built, write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("own_look", GOOD)
    place = ["phantom", "--config", "small", "--cache-dir", str(tmp_path / "cache"), "--num-proc", "2"]
    assert main(["apply", "own_look:look", *place, "--set", "above=120", "--json"]) == 0
    built = json.loads(capsys.readouterr().out)
    assert built["fingerprint"] == derived(source, "own_look:look(above=120)").fingerprint
    assert main(["apply", "own_look:look", *place, "--image-size", "32"]) == 0
    assert (
        "mean, words, bright, size; nothing found in 0 rows, failed for 0; by own_look:look" in capsys.readouterr().out
    )
    assert main(["apply", "own_look:look", *place, "--set", "above"]) == UsageError.exit_code
    assert "expected NAME=VALUE" in capsys.readouterr().err


def test_the_program_finds_a_file_of_the_working_folder(source: Built, write: Any, tmp_path: Path) -> None:
    write("own_look", GOOD)
    code = (
        "import sys; sys.path = [p for p in sys.path if p]\n"
        "from covid_datasets.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    place = ["phantom", "--config", "small", "--cache-dir", str(tmp_path / "cache"), "--json"]
    done = python(code, "apply", "own_look:look", *place)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["view"]["derived_by"]["module"] == "own_look"
