"""One flipped bit after another in a finished build, and what `verify` and loading say to each."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from covid_datasets.errors import CovidDatasetsError
from covid_datasets.load.verify import verify
from covid_datasets.prepare.result import Built


def missed(build: Path, count: int, seed: int) -> list[str]:
    """Flip ``count`` bits, one at a time, and list those that pass `verify` or end in an error that is not ours.

    All files are met alike often, so that the small ones, which say what the large ones mean, are not left out.
    """
    chance = random.Random(seed)
    files = sorted(path for path in build.rglob("*") if path.is_file())
    found = []
    for _ in range(count):
        file = chance.choice(files)
        at, bit = chance.randrange(file.stat().st_size), chance.randrange(8)
        with flipped(file, at, bit):
            verified, opened = said(lambda: verify(build).ok), said(lambda: bool(Built.read(build)))
        if verified != "refused" or opened not in ("passed", "refused"):
            found.append(f"{file.relative_to(build)}, byte {at}, bit {bit}: verify {verified}, opening {opened}")
    return found


@contextmanager
def flipped(file: Path, at: int, bit: int) -> Iterator[None]:
    """Flip one bit of a file, for a while."""

    def flip() -> None:
        with file.open("r+b") as opened:
            opened.seek(at)
            value = opened.read(1)[0]
            opened.seek(at)
            opened.write(bytes([value ^ 1 << bit]))

    flip()
    try:
        yield
    finally:
        flip()


def said(check: Callable[[], bool]) -> str:
    """Tell how a check ends: "passed", "refused", or in an error that is not ours."""
    try:
        return "passed" if check() else "refused"
    except CovidDatasetsError:
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":  # in a process of its own: a wrong offset might end it
    print("\n".join(missed(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
