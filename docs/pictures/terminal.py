"""Draw what commands show in a terminal, as the README has it: `python docs/pictures/terminal.py`; `--check` compares.

Nothing but cards and the synthetic cohort is shown. Fonts are those of whoever looks, so nothing is fetched.
"""

import io
import os
import re
import sys
import tempfile
from contextlib import redirect_stdout
from html import unescape
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from covid_datasets.cli import main

FOLDER = Path(__file__).parent
WIDTH = 100
SHOWN = {
    "list": ("list", "--modality", "CT", "--access", "open"),
    "splits": ("splits", "phantom"),
}
FORMAT = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def draw(name: str) -> str:
    """Run a command, and give what it showed as an SVG."""
    shown = Terminal()
    with redirect_stdout(shown):
        code = main(SHOWN[name])
    assert code == 0, (SHOWN[name], code)
    console = Console(record=True, width=WIDTH, file=io.StringIO(), legacy_windows=False)
    console.print(Text.from_ansi(f"$ covid-datasets {' '.join(SHOWN[name])}\n{shown.getvalue()}"))
    return console.export_svg(title="covid-datasets", code_format=FORMAT, unique_id=name)


def said(picture: str) -> str:
    """Give the text of a picture: how it is drawn differs between versions of rich."""
    return unescape(re.sub(r"<style>.*?</style>|<[^>]*>", "", picture, flags=re.DOTALL))


def run(check: bool) -> int:
    """Write each picture, or say which is not current."""
    os.environ |= {"COLUMNS": str(WIDTH), "TERM": "xterm-256color", "COVID_DATASETS_PROGRESS": "0"}
    os.environ.pop("NO_COLOR", None)
    stale = []
    with tempfile.TemporaryDirectory() as cache:
        os.environ["COVID_DATASETS_CACHE"] = cache
        with redirect_stdout(io.StringIO()):
            main(["build", "phantom"])
        for name in SHOWN:
            path, drawn = FOLDER / f"{name}.svg", draw(name)
            if not check:
                path.write_text(drawn, encoding="utf-8")
            elif not path.is_file() or said(path.read_text(encoding="utf-8")) != said(drawn):
                stale.append(path.name)
    if stale:
        print(f"not what is shown now: {', '.join(stale)}. Next: python docs/pictures/terminal.py", file=sys.stderr)
    return len(stale)


if __name__ == "__main__":
    sys.exit(run("--check" in sys.argv[1:]))
