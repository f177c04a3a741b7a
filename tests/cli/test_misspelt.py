"""A word that no command knows: the answer names it, what was expected, and the word that was meant."""

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import covid_datasets
from covid_datasets.cli import main
from covid_datasets.cli.parser import make_parser
from covid_datasets.settings import VARIABLES, Settings

Capture = pytest.CaptureFixture[str]


def commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = (each for each in make_parser()._actions if isinstance(each, argparse._SubParsersAction))
    return dict(found.choices)


COMMANDS = commands()


def slips(word: str) -> Iterator[str]:
    """A letter twice, two letters changed about, a letter left out: of the middle, as people do."""
    at = len(word) // 2
    yield word[:at] + word[at] + word[at:]
    yield word[:at] + word[at + 1] + word[at] + word[at + 2 :] if at + 1 < len(word) else word + "s"
    yield word[:at] + word[at + 1 :]
    yield word.replace("_", "-") if "_" in word else word.upper()


def told(capsys: Capture, parse: Callable[[list[str]], object], *argv: str) -> str:
    with pytest.raises(SystemExit) as stop:
        parse(list(argv))
    output = capsys.readouterr()
    assert (stop.value.code, output.out) == (2, "")
    assert output.err.startswith("UsageError: ")
    assert output.err.count("\n") == 1, output.err
    return output.err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_every_command_is_found_again(name: str, capsys: Capture) -> None:
    known = [each for each in COMMANDS[name]._option_string_actions if each.startswith("--")]
    for option in known:
        for slip in slips(option):
            if any(each.startswith(slip) for each in known):  # the beginning of an option, which is enough
                continue
            # Without the arguments that it needs: the slip is told, and not that these are missing.
            text = told(capsys, COMMANDS[name].parse_args, f"{slip}=1", "--json")
            assert f"expected one of {', '.join(sorted(known))}, found {slip!r}. Did you mean {option!r}?" in text
            assert text.endswith(f" Next: covid-datasets {name} --help\n")


def test_every_command_is_found_again(capsys: Capture) -> None:
    parse = make_parser().parse_args
    for command in COMMANDS:
        assert f"Did you mean {command!r}?" in told(capsys, parse, command.upper(), "phantom")
        for slip in set(slips(command)) - set(COMMANDS):
            text = told(capsys, parse, slip, "phantom", "--no-such-option")  # the first thing that is wrong
            assert f"COMMAND: expected one of {', '.join(COMMANDS)}, found {slip!r}. Did you mean" in text


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("--verison", "expected one of --help, --version, found '--verison'. Did you mean '--version'?"),
        ("list --modality ct", "expected one of CT, CXR, US, MR, EEG, PET, found 'ct'. Did you mean 'CT'?"),
        ("list --access opne", "found 'opne'. Did you mean 'open'?"),
        ("build phantom --verify ful", "expected one of full, bytes, found 'ful'. Did you mean 'full'?"),
        ("export phantom webdatset x", "found 'webdatset'. Did you mean 'webdataset'?"),
        ("cache --clean unfinishd", "found 'unfinishd'. Did you mean 'unfinished'?"),
        ("new x --kind picture", "found 'picture'. Did you mean 'pictures'?"),
        ("train phantom --out x --draws infecton", "found 'infecton'. Did you mean 'infection'?"),
        ("train phantom --out x --seed one", "argument --seed: expected a whole number, found 'one'"),
        ("build phantom --num-proc two", "argument --num-proc: expected a whole number above 0, found 'two'"),
        ("build phantom --num-proc ²", "argument --num-proc: expected a whole number above 0, found '²'"),
        ("build phantom --to-spacing wide", "argument --to-spacing: expected a number, found 'wide'"),
        ("browse --port 65536", "argument --port: expected a port from 0 to 65535, found '65536'"),
        ("verify phantom --fingerprint xyz", "expected a fingerprint of 8 to 64 hexadecimal digits, found 'xyz'"),
        ("path phantom cohen", "expected no more words, found 'cohen'"),
        ("path", "the following arguments are required: ID. Next: covid-datasets path --help"),
        ("path phantom --config", "argument --config: expected one argument"),
        ("--json list", "expected one of --help, --version, found '--json'"),
    ],
)
def test_other_slips(words: str, answer: str, capsys: Capture) -> None:
    assert answer in told(capsys, main, *words.split())


def test_what_only_looks_like_an_option_is_none(capsys: Capture) -> None:
    assert main(["search", "--", "--phantom"]) != 0  # a word behind -- is an argument, however it begins
    assert "found '--phantom'" not in capsys.readouterr().err


def test_what_a_terminal_would_obey_is_shown_as_its_escape(capsys: Capture) -> None:
    assert "\x1b" not in told(capsys, main, "list", "--\x1b[2Jcls")
    assert "\x1b" not in told(capsys, main, "\x1b[2J")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("COVID_DATASETS_OFLINE", "COVID_DATASETS_OFFLINE"),
        ("COVID_DATASET_MIRROR", "COVID_DATASETS_MIRROR"),
        ("COVID_DATASETS_CACHE_DIR", "COVID_DATASETS_CACHE"),
        ("covid_datasets_cache", "COVID_DATASETS_CACHE"),
    ],
)
def test_an_environment_variable_that_changes_nothing_is_told(
    name: str, meant: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, "1")
    assert main(["path", "phantom", "--cache-dir", str(tmp_path)]) == 1
    warned, _, error = capsys.readouterr().err.partition("\n")
    assert warned.startswith("warning: an environment variable that changes nothing: expected one of COVID_DATASETS_")
    assert warned.endswith(f"found {name!r}. Did you mean {meant!r}?")
    assert error.startswith("NotBuiltError: ")


def test_variables_that_are_known_are_not_told(recwarn: pytest.WarningsRecorder, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in (*VARIABLES, "COVID_DATASETS_TEST_MIRROR", "COVID_DATASETS_OUTSIDE", "COVID_19"):
            patch.setenv(name, str(tmp_path))
        Settings.resolve()
    assert not recwarn.list


def test_every_variable_that_the_library_reads_is_known() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(covid_datasets.__file__).parent.rglob("*.py"))
    read = set(re.findall(r"environ[^\n]{0,9}[\"'](COVID_DATASETS_\w+)", sources))
    assert len(read) > 2
    assert read <= {*VARIABLES}


@pytest.mark.parametrize("name", covid_datasets.__all__)
def test_a_public_name_is_found_again(name: str) -> None:
    for slip in set(slips(name)) - set(dir(covid_datasets)):
        if not name.startswith("_"):
            with pytest.raises(AttributeError, match=rf"no attribute {slip!r}. Did you mean '\w+'\?$"):
                getattr(covid_datasets, slip)


def test_a_name_that_is_asked_for_by_tools_is_just_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute '__path_hook__'$"):
        covid_datasets.__path_hook__  # noqa: B018
