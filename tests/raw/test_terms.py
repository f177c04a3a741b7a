"""Terms that must be accepted: nothing is fetched before, they are asked for once, and again where they change."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from covid_datasets.cli import main
from covid_datasets.errors import AccessRequired
from covid_datasets.load.dataset import load_dataset
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.raw.obtain import make_mirror
from covid_datasets.view.page import page
from tests.server import Server, serve
from tests.small import NO_PROXY, environment
from tests.sources import chest
from tests.tiny import CARD, installed

TERMS = "Use it for research only."
STRICT = CARD.replace('terms = "Made for a test."', f'terms = "{TERMS}"\naccept = true')
STRICT += '\n[versions.1]\nresources = ["film"]\n\n[[resources]]\nname = "film"\npath = "film.png"\n'
STRICT += 'copies = [{ url = "https://first.org/film.png" }]\n'
BUILDER = """
from covid_datasets.schema import File, Record

def records(raw):
    yield Record(sample_id="film", image=File("film.png"), modality="CXR", patient="p")
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A host that serves the one file of a source with terms."""
    (tmp_path / "served" / "first.org").mkdir(parents=True)
    (tmp_path / "served" / "first.org" / "film.png").write_bytes(chest(1, modality="CXR"))
    with (
        installed(tmp_path / "installed", monkeypatch, {"strict": STRICT}, {"strict": BUILDER}),
        serve(tmp_path / "served") as found,
        environment(NO_PROXY),
    ):
        monkeypatch.setenv("COVID_DATASETS_MIRROR", found.url(""))
        yield found


def test_nothing_is_fetched_before_they_are_accepted(server: Server, tmp_path: Path) -> None:
    for ask in (
        lambda: build_dataset("strict"),
        lambda: load_dataset("strict", framework="numpy"),
        lambda: load_dataset("strict", streaming=True),
        lambda: make_mirror(["strict"], tmp_path / "mirror"),
        lambda: build_dataset("strict", accept_licence="no"),  # type: ignore[arg-type]
    ):
        with pytest.raises(AccessRequired) as error:
            ask()
        assert all(said in str(error.value) for said in (TERMS, "accept_licence=True", "--accept-licence"))
    assert server.requests == []


def test_they_are_asked_for_once_and_again_where_they_change(server: Server, tmp_path: Path) -> None:
    assert build_dataset("strict", accept_licence=True, num_proc=1).rows == 1
    assert build_dataset("strict", num_proc=1).rows == 1
    assert len(make_mirror(["strict"], tmp_path / "mirror")) == 1
    with pytest.raises(AccessRequired, match="another-cache"):
        build_dataset("strict", cache_dir=tmp_path / "another-cache")
    card = tmp_path / "installed" / "catalogs" / "strict.toml"
    card.write_text(STRICT.replace(TERMS, "Send us a postcard."), encoding="utf-8")
    with pytest.raises(AccessRequired, match=r"Send us a postcard\."):
        build_dataset("strict")
    record = next((tmp_path / "cache" / "accepted").iterdir())
    for damage in (b"", b"[]", b"{", b'{"terms": 5}'):
        record.write_bytes(damage)
        with pytest.raises(AccessRequired):
            build_dataset("strict")


def test_the_command_line_takes_an_option(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "strict", "--num-proc", "1"]) == AccessRequired.exit_code
    assert TERMS in capsys.readouterr().err
    assert server.requests == []
    assert main(["build", "strict", "--num-proc", "1", "--accept-licence"]) == 0
    assert main(["build", "strict", "--num-proc", "1"]) == 0


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 3), (b"\n", 3), (b"yes\n", 0)])
def test_whoever_sits_at_a_terminal_is_asked(server: Server, tmp_path: Path, answer: bytes, code: int) -> None:
    program = (
        "import covid_datasets.catalogs as c, covid_datasets.builders as b, sys; from covid_datasets.cli import main"
    )
    program += "; c.__path__, b.__path__ = [sys.argv[1]], [sys.argv[2]]; sys.exit(main(['build', 'strict']))"
    folders = [str(tmp_path / "installed" / each) for each in ("catalogs", "builders")]
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    done = subprocess.run(
        [sys.executable, "-c", program, *folders], stdin=theirs, stderr=theirs, stdout=subprocess.PIPE,
        check=False,
    )  # fmt: skip
    os.close(theirs)
    told = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == code, told
    assert TERMS in told
    assert "Do you accept them? [y/N]" in told
    assert (server.requests != []) == (code == 0)


def test_the_page_says_so(server: Server) -> None:
    from covid_datasets.catalog.cards import load_card

    assert "its terms must be accepted before anything is downloaded" in page(load_card("strict"))
