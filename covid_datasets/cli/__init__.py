"""The command line: ``covid-datasets``. Thin: each command is one function that calls the public API.

Standard output holds the answer, standard error everything else. ``docs/cli.md`` lists the exit codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from covid_datasets.cli.stop import end_when_asked, too_late_to_end

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; without ``argv``, as the program, which ends at once when asked to."""
    is_program = argv is None
    if is_program:
        end_when_asked()
    from covid_datasets.cli.program import run  # not before Ctrl-C is taken care of, which comes during imports too

    code = run(argv)
    if is_program:
        too_late_to_end()
    return code
