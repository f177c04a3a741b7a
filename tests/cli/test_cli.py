"""The command line as its users meet it: answers on standard output, the rest on standard error, exit codes."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import covid_datasets
from covid_datasets import errors
from covid_datasets.catalog.cards import readable_cards
from covid_datasets.cli import main
from covid_datasets.errors import CovidDatasetsError
from tests.small import SmallSources
from tests.tiny import CARD, VERSION, installed

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "list",
    "info",
    "croissant",
    "check",
    "search",
    "build",
    "path",
    "splits",
    "overlaps",
    "ledger",
    "verify",
    "export",
    "mirror",
    "cache",
    "new",
    "figures",
)
SMALL = ("phantom", "--config", "small")
Capture = pytest.CaptureFixture[str]


def answer(capsys: Capture, *argv: str, code: int = 0) -> Any:
    """Run a command with --json; standard output must be one JSON value on one line."""
    assert main([*argv, "--json"]) == code
    output = capsys.readouterr().out
    assert output.count("\n") == 1
    return json.loads(output)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cache that holds a finished build; tests only look at it."""
    folder = tmp_path_factory.mktemp("built")
    covid_datasets.build_dataset("phantom", "small", cache_dir=folder, num_proc=1)
    return str(folder)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"example:\n  covid-datasets {command} " in capsys.readouterr().out


def test_help_names_commands_and_exit_codes(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(f"    {command} " in text for command in COMMANDS)
    assert "7  no space" in text


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["nonsense"],
        ["build"],
        ["build", "phantom", "--num-proc", "0"],
        ["build", "phantom", "--verify", "none"],
        ["mirror", "phantom"],
        ["cache", "--clean", "everything"],
        ["list", "--modality", "MRI"],
    ],
)
def test_wrong_usage_is_2(argv: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    if argv:
        assert output.err.startswith("UsageError: ")
        assert "expected" in output.err or "required" in output.err
        assert re.search(r"[.?] Next: covid-datasets( [a-z]+)? --help\n$", output.err)
    else:
        assert "usage: covid-datasets" in output.err


def test_exit_codes_are_those_documented() -> None:
    documented = {1: "NotThereError", 2: "UsageError", 3: "AccessRequired", 4: "DownloadError"}
    documented |= {5: "IntegrityError", 6: "BuildError", 7: "NoSpaceError"}
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for code, name in documented.items():
        assert getattr(errors, name).exit_code == code
        assert f"\n| {code} | " in text


KINDS = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CovidDatasetsError)),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_a_message_and_its_code(
    kind: type[CovidDatasetsError], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise kind("what, where; next: this")

    monkeypatch.setattr("covid_datasets.prepare.engine.build_dataset", fail)
    assert main(["build", "phantom"]) == kind.exit_code
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == f"{kind.__name__}: what, where; next: this\n"

    assert main(["build", "phantom", "--json"]) == kind.exit_code
    output = capsys.readouterr()
    expected = {"error": kind.__name__, "message": "what, where; next: this", "exit_code": kind.exit_code}
    assert json.loads(output.out) == expected
    assert "what, where; next: this" in output.err


def test_interrupt_is_130(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("covid_datasets.prepare.engine.build_dataset", interrupt)
    assert main(["build", "phantom"]) == 130
    output = capsys.readouterr()
    assert output.out == ""
    assert "interrupted" in output.err


def test_a_bug_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("covid_datasets.prepare.engine.build_dataset", bug)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        main(["build", "phantom"])


def test_list(capsys: Capture) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "id",
        "title",
        "modalities",
        "images",
        "patients",
        "access",
        "versions",
    ]
    assert [line.split()[0] for line in lines[1:]] == [card.id for card in readable_cards()[0]]
    assert len({line.index("open") for line in lines if line.split()[0] in ("phantom", "covid_ct")}) == 1, "aligned"
    assert not any("\x1b" in line for line in lines)


@pytest.mark.parametrize(("columns", "versions"), [(80, False), (170, True)])
def test_a_source_is_one_line_of_a_terminal(
    columns: int, versions: bool, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["list"]) == 0
    head, *lines = re.sub("\x1b[^m]*m", "", capsys.readouterr().out).splitlines()
    assert head.split() == ["id", "title", "modalities", "images", "patients", "access", *["versions"] * versions]
    assert [line.split()[0] for line in lines] == [card.id for card in readable_cards()[0]]
    assert max(map(len, (head, *lines))) <= columns
    assert any("COVID-19 Image Data Collection" in line for line in lines) == versions


def test_list_says_what_is_loaded_in_its_place_or_not_yet(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def access() -> dict[str, list[str]]:
        assert main(["list"]) == 0
        return {line.split()[0]: line.split()[-2:] for line in capsys.readouterr().out.splitlines()}

    assert "alias" in access()["coronacases"]
    planned = CARD.replace('default_version = "1"', 'status = "planned"\ndefault_version = "1"') + VERSION
    with installed(tmp_path, monkeypatch, {"tiny": planned}):
        assert "planned" in access()["tiny"]


def test_list_filters(capsys: Capture) -> None:
    assert {row["id"] for row in answer(capsys, "list")} >= {"phantom", "covid_ct", "cohen"}
    assert "covid_ct" not in {row["id"] for row in answer(capsys, "list", "--modality", "CXR")}
    assert answer(capsys, "list", "--modality", "US", "--access", "defunct") == []


def test_info(capsys: Capture) -> None:
    assert main(["info", "covid_ct"]) == 0
    text = capsys.readouterr().out
    assert "## Licence" in text
    assert "@article{" in text
    card = answer(capsys, "info", "covid_ct")
    assert card["id"] == "covid_ct"
    assert card["versions"][card["default_version"]]["images"] == 746


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("name", ["cohen", "jhu_csse", "covidx"])
def test_a_page_in_a_terminal_is_whole(
    name: str, columns: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["info", name]) == 0
    plain = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["info", name]) == 0
    drawn = re.sub("\x1b\\[[^m]*m|\x1b]8;[^\x1b]*\x1b\\\\", "", capsys.readouterr().out)  # colours and links
    assert max(map(len, drawn.splitlines())) <= columns
    assert "# " in plain
    assert drawn.count("…") == plain.count("…")


def test_unknown_names_suggest_the_nearest(capsys: Capture) -> None:
    assert main(["info", "covidct"]) == 1
    assert "covid_ct" in capsys.readouterr().err
    assert answer(capsys, "path", "phantom@9", code=1)["error"] == "UnknownVersionError"
    assert answer(capsys, "path", "phantom", "--config", "nope", code=1)["error"] == "UnknownVersionError"


def test_build_then_path(capsys: Capture) -> None:
    assert main(["path", *SMALL]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "covid-datasets build phantom" in output.err

    built = answer(capsys, "build", *SMALL, "--num-proc", "1")
    wanted = {"id", "version", "config", "path", "fingerprint", "rows", "patients", "splits", "labels", "dropped"}
    assert built.keys() >= wanted | {"seconds"}
    assert (built["id"], built["config"], built["incomplete"]) == ("phantom", "small", False)
    assert sum(built["splits"].values()) == sum(built["labels"].values()) == built["rows"] > 0
    assert Path(built["path"], "dataset_dict.json").exists()

    assert main(["path", *SMALL]) == 0
    assert capsys.readouterr().out == f"{built['path']}\n"
    assert answer(capsys, "build", *SMALL)["fingerprint"] == built["fingerprint"]
    assert answer(capsys, "path", *SMALL) == {"path": built["path"], "fingerprint": built["fingerprint"]}


def test_build_for_people(cache: str, capsys: Capture) -> None:
    assert main(["build", *SMALL, "--cache-dir", cache]) == 0
    text = capsys.readouterr().out
    for fact in ("phantom@1 (small)", "fingerprint", "train ", "covid19 ", cache, "report.md"):
        assert fact in text
    assert "INCOMPLETE" not in text


def test_build_several(capsys: Capture) -> None:
    """Who is away over night wants all that can be had; the first error gives the exit code."""
    argv = ["build", "phantom", "covid_ct@1999", "mosmed", "--verify", "bytes", "--offline", "--num-proc", "1"]
    assert main(argv) == 1
    output = capsys.readouterr()
    assert output.out.count("fingerprint") == 1
    assert "covid_ct@1999: UnknownVersionError: " in output.err
    assert "mosmed: OfflineError: " in output.err
    assert output.err.endswith("2 of 3 sources were not built\n")
    built, unknown, offline = answer(capsys, *argv, code=1)
    assert (built["id"], unknown["error"], offline["exit_code"]) == ("phantom", "UnknownVersionError", 4)
    assert unknown["id"] == "covid_ct@1999"


def test_one_folder_is_of_one_source(capsys: Capture) -> None:
    assert main(["build", "phantom", "mosmed", "--data-dir", "/tmp"]) == 2
    assert "--data-dir: expected with one source, found 2" in capsys.readouterr().err


def test_cache_dir_wins_over_the_environment(tmp_path: Path, cache: str, capsys: Capture) -> None:
    assert answer(capsys, "path", *SMALL, "--cache-dir", cache)["path"].startswith(cache)
    assert answer(capsys, "path", *SMALL, "--cache-dir", str(tmp_path / "other"), code=1)["error"] == "NotBuiltError"


def test_offline_without_files_is_a_download_error(capsys: Capture) -> None:
    failure = answer(capsys, "build", "covid_ct", "--offline", code=4)
    assert failure["error"] == "OfflineError"
    assert "covid-datasets mirror" in failure["message"]


def test_incomplete_source(mirror: Path, capsys: Capture) -> None:
    """The mirror of real files is a part of the source: it builds only when asked, and says so."""
    assert answer(capsys, "build", "covid_ct", "--mirror", str(mirror), "--offline", code=5)["exit_code"] == 5
    argv = ("build", "covid_ct", "--mirror", str(mirror), "--offline", "--allow-missing")
    built = answer(capsys, *argv)
    assert built["incomplete"] is True
    assert 0 < built["rows"] < 746
    assert main([*argv]) == 0
    assert "INCOMPLETE" in capsys.readouterr().out


def test_splits(cache: str, capsys: Capture) -> None:
    assert main(["splits", *SMALL, "--cache-dir", cache]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["split", "rows", "patients", "unknown", "groups", "labels"]
    assert "no leak found" in "\n".join(lines)
    assert lines[-1].startswith("digest of this split: ")
    found = answer(capsys, "splits", *SMALL, "--cache-dir", cache)
    built = covid_datasets.find_build("phantom", "small", cache_dir=cache)
    assert {name: split["rows"] for name, split in found["splits"].items()} == dict(built.splits)
    assert found["scheme"] == "patient"
    assert lines[-1].endswith(found["digest"])
    assert found["builds"][0]["fingerprint"] == built.fingerprint


def test_the_joint_split_of_several(small: SmallSources, capsys: Capture) -> None:
    for name in ("covid_ct", "cohen"):
        small.build(name)
    place = ["--cache-dir", str(small.cache)]
    found = answer(capsys, "splits", "covid_ct", "cohen", *place, "--scheme", "patient(60/40, seed=1)")
    assert found["id"] == "covid_ct, cohen"
    assert [build["id"] for build in found["builds"]] == ["covid_ct", "cohen"]
    assert found["splits"].keys() == {"train", "test"}
    assert main(["splits", "covid_ct", "cohen", *place, "--scheme", "leave-cohen-out", "--fail-on-leak"]) == 0
    assert "test is all of cohen" in capsys.readouterr().out
    assert main(["splits", "covid_ct", "cohen", *place, "--propose"]) == 2
    assert main(["splits", "covid_ct", "cohen", *place, "--config", "default"]) == 2


def test_splits_are_published_into_a_checkout(small: SmallSources, capsys: Capture, tmp_path: Path) -> None:
    small.build("cohen")
    command = ["splits", "cohen", "--cache-dir", str(small.cache), "--publish", str(tmp_path)]
    assert main(command) == 1
    (tmp_path / "catalogs/splits").mkdir(parents=True)
    assert main(command) == 0
    assert (tmp_path / "catalogs/splits/SHA256SUMS").exists()
    assert "12 added, 0 moved" in capsys.readouterr().out
    found = answer(capsys, *command)
    assert found == {"published": {str(tmp_path / "catalogs/splits/cohen.csv"): {"added": 0, "moved": 0}}}


def test_splits_as_csv(cache: str, capsys: Capture) -> None:
    assert main(["splits", *SMALL, "--cache-dir", cache, "--csv", "--scheme", "fold-1-of-3"]) == 0
    output = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(output.out)))
    assert len(rows) == covid_datasets.find_build("phantom", "small", cache_dir=cache).rows
    assert rows[0].keys() >= {"sample_id", "patient_id", "group", "split", "label", "sha256", "pixel_hash", "phash"}
    assert {row["split"] for row in rows} == {"train", "validation", "test"}
    assert "fold-1-of-3" in output.err


@pytest.mark.parametrize("form", [[], ["--csv"], ["--json"]])
def test_a_leak_fails_where_that_is_asked_for(form: list[str], small: SmallSources, capsys: Capture) -> None:
    small.build("covid_ct")
    official = ["splits", "covid_ct", "--cache-dir", str(small.cache), "--scheme", "official", *form]
    assert main(official) == 0
    told = capsys.readouterr()
    assert main([*official, "--fail-on-leak"]) == 5
    assert capsys.readouterr() == told, "the answer is the same, only the code differs"
    assert main(["splits", "covid_ct", "--cache-dir", str(small.cache), *form, "--fail-on-leak"]) == 0


def test_a_proposal_is_no_audit(cache: str, capsys: Capture) -> None:
    assert main(["splits", *SMALL, "--cache-dir", cache, "--propose", "--fail-on-leak"]) == 2
    assert "--fail-on-leak: expected with a scheme to audit" in capsys.readouterr().err


def test_unknown_scheme(cache: str, capsys: Capture) -> None:
    failure = answer(capsys, "splits", *SMALL, "--cache-dir", cache, "--scheme", "patients", code=1)
    assert failure["error"] == "UnknownVersionError"


@pytest.mark.parametrize("options", [[], ["--pixels"]])
def test_verify(options: list[str], cache: str, capsys: Capture) -> None:
    assert main(["verify", *SMALL, "--cache-dir", cache, *options]) == 0
    assert "as built" in capsys.readouterr().out


@pytest.mark.parametrize("digits", [8, 20, 64])
def test_verify_holds_a_build_against_a_paper(digits: int, cache: str, capsys: Capture) -> None:
    fingerprint = covid_datasets.find_build("phantom", "small", cache_dir=cache).fingerprint
    verify = ["verify", *SMALL, "--cache-dir", cache, "--fingerprint"]
    assert main([*verify, fingerprint[:digits].upper()]) == 0
    assert f"fingerprint {fingerprint}\nthe same data" in capsys.readouterr().out
    assert answer(capsys, *verify, fingerprint[:digits])["fingerprint"] == fingerprint
    other = fingerprint[: digits - 1] + ("0" if fingerprint[digits - 1] != "0" else "1")
    assert main([*verify, other]) == 5
    assert f"fingerprint: expected {other}, found {fingerprint}: other data" in capsys.readouterr().err
    told = answer(capsys, *verify, other, code=5)
    problems = [f"fingerprint: expected {other}, found {fingerprint}: other data"]
    assert (told["ok"], told["problems"]) == (False, problems)


@pytest.mark.parametrize("digits", ["abc1234", "0123456x", "a" * 65, ""])
def test_what_is_no_fingerprint(digits: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["verify", "phantom", "--fingerprint", digits])
    assert stop.value.code == 2
    assert "expected a fingerprint of 8 to 64 hexadecimal digits, found" in capsys.readouterr().err


def test_a_loaded_dataset_knows_its_fingerprint(cache: str, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    built = covid_datasets.find_build("phantom", "small", cache_dir=cache)
    loaded = covid_datasets.load_dataset("phantom", "small", cache_dir=cache)
    told = f"phantom@1 (small), fingerprint {built.fingerprint}"
    assert loaded["train"].info.description.endswith(told)
    loaded["train"].filter(lambda row: row["modality"] == "CT").select(range(2)).save_to_disk(tmp_path / "part")
    assert datasets.load_from_disk(tmp_path / "part").info.description.endswith(told)


def test_verify_finds_a_changed_byte(tmp_path: Path, capsys: Capture) -> None:
    built = covid_datasets.build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    shard = sorted(built.path.glob("train/*.arrow"))[0]
    shard.chmod(0o644)
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    assert main(["verify", *SMALL, "--cache-dir", str(tmp_path)]) == 5
    assert "phantom/P" in capsys.readouterr().out
    report = answer(capsys, "verify", *SMALL, "--cache-dir", str(tmp_path), code=5)
    assert report["ok"] is False
    assert report["problems"]


def test_cache(cache: str, capsys: Capture) -> None:
    assert main(["cache", "--cache-dir", cache]) == 0
    assert "phantom@1" in capsys.readouterr().out
    (entry,) = answer(capsys, "cache", "--cache-dir", cache)
    assert (entry["kind"], entry["name"]) == ("build", "phantom@1")
    assert entry["bytes"] > 0
    assert answer(capsys, "cache", "covid_ct", "--cache-dir", cache) == []
    assert answer(capsys, "cache", "phantom", "--cache-dir", cache) == [entry]
    would = answer(capsys, "cache", "--clean", "prepared", "--dry-run", "--cache-dir", cache)
    assert would == {"bytes": entry["bytes"], "removed": False}


def test_mirror_of_a_mirror(mirror: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVID_DATASETS_MIRROR", str(mirror))
    monkeypatch.setenv("COVID_DATASETS_OFFLINE", "1")
    assert main(["mirror", "covid_ct", str(tmp_path / "copy")]) == 0
    assert "COVID_DATASETS_MIRROR=" in capsys.readouterr().out
    assert (tmp_path / "copy" / "SHA256SUMS").exists()
    files = answer(capsys, "mirror", "covid_ct", str(tmp_path / "copy"))
    assert {file["action"] for file in files} == {"kept"}


def test_as_a_program(tmp_path: Path) -> None:
    """One real process: the module runs, and its output is plain where it is no terminal."""
    command = [sys.executable, "-m", "covid_datasets", "info", "phantom"]
    done = subprocess.run(command, cwd=tmp_path, env=child_environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "phantom" in done.stdout


def test_an_encoding_without_all_letters_is_no_error() -> None:
    command = [sys.executable, "-m", "covid_datasets", "info", "pocus"]
    environment = child_environment() | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"Br\xe4ndle" in done.stdout


def test_a_reader_that_leaves_early_is_no_error(cache: str) -> None:
    command = [sys.executable, "-m", "covid_datasets", "splits", *SMALL, "--cache-dir", cache, "--csv"]
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            command, env=child_environment(), stdout=write, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(write)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is of Linux")
@pytest.mark.parametrize("form", ["--csv", "--json"])
def test_an_answer_that_finds_no_room_is_told(form: str, cache: str) -> None:
    command = [sys.executable, "-m", "covid_datasets", "splits", *SMALL, "--cache-dir", cache, form]
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            command, env=child_environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 7
    assert done.stderr == "NoSpaceError: the disk is full, and the output is cut; make room and repeat\n"


def test_rich_in_a_terminal(cache: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for argv in (["list"], ["info", "phantom"], ["splits", *SMALL, "--cache-dir", cache]):
        assert main(argv) == 0
        assert "phantom" in capsys.readouterr().out.lower()


def child_environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}
