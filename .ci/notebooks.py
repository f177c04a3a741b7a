"""Execute every notebook once, in small form: `python .ci/notebooks.py OUT` writes OUT/*.ipynb with their outputs.

Nothing is downloaded: notebooks take real sources out of `COVID_DATASETS_TEST_MIRROR` where that is set, and go on with
phantoms where it is not. That is all that is small about it; the cells are those that readers run. A cell that fails or
warns, and an output that names a folder of this machine, are a failure.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
AT_ONCE = 2
"""As many as CI has cores; each computes in one thread."""
SECONDS_A_CELL = 1800
"""Only against a cell that hangs; a busy machine may take long."""


def main(argv: Sequence[str]) -> int:
    """Execute the notebooks, or those alone whose names begin as the words after OUT."""
    if not argv:
        print(__doc__)
        return 2
    out, wanted = Path(argv[0]).resolve(), tuple(argv[1:]) or ("",)
    out.mkdir(parents=True, exist_ok=True)
    paths = [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if path.name.startswith(wanted)]
    if not paths:
        print(f"failed: no notebook in {NOTEBOOKS} begins with {' or '.join(wanted)}")
        return 1
    with tempfile.TemporaryDirectory(prefix="notebooks-") as scratch, ThreadPoolExecutor(AT_ONCE) as pool:
        whole = list(pool.map(lambda path: execute(path, out, Path(scratch)), paths))
    return 0 if all(whole) else 1


def surroundings(cache: Path) -> dict[str, str]:
    """Say what a notebook finds: an empty cache, no network, and the mirror of the tests where there is one."""
    return os.environ | {
        "COVID_DATASETS_CACHE": str(cache),  # one for each: a notebook that waits for another one says so
        "COVID_DATASETS_OFFLINE": "1",
        "COVID_DATASETS_MIRROR": os.environ.get("COVID_DATASETS_TEST_MIRROR", ""),
        "COVID_DATASETS_PROGRESS": "0",  # readers see it; here it would name folders of this machine
        "OMP_NUM_THREADS": "1",  # threads of two notebooks on two cores would wait for each other
    }


def execute(path: Path, out: Path, scratch: Path) -> bool:
    """Execute a notebook in a folder of its own, write what came of it, and say whether a reader may see that."""
    started, work = time.monotonic(), scratch / path.stem
    work.mkdir(exist_ok=True)
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook,
        timeout=SECONDS_A_CELL,
        kernel_name="python3",
        resources={"metadata": {"path": str(work)}},
        startup_timeout=SECONDS_A_CELL,
        extra_arguments=["--log-level=ERROR"],
    )
    wrong: list[str] = []
    try:
        client.execute(env=surroundings(scratch / "caches" / path.stem))
    except CellExecutionError as error:
        wrong.append(f"{error.ename}: {error.evalue}")
    except CellTimeoutError as error:
        wrong.append(str(error))
    wrong += _unfit(notebook, (str(scratch), str(NOTEBOOKS.parent)))
    nbformat.write(notebook, out / path.name)  # type: ignore[no-untyped-call]
    print(f"{path.stem}: {time.monotonic() - started:.0f} s", *wrong, sep="\n  ", flush=True)
    return not wrong


def _unfit(notebook: nbformat.NotebookNode, folders: Sequence[str]) -> Iterator[str]:
    """List what no reader should see: warnings and other words on stderr, and folders of this machine."""
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", ()):
            if output.output_type == "stream" and output.name == "stderr":
                yield f"cell {number} says on stderr: {output.text[:300]}"
            if output.output_type != "error" and any(folder in str(output) for folder in folders):
                yield f"cell {number} names a folder of this machine"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
