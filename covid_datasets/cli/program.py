"""One command from its arguments to its exit code; what went wrong is said on standard error."""

from __future__ import annotations

import io
import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from covid_datasets.cli.own import with_own_data
from covid_datasets.cli.parser import make_parser
from covid_datasets.cli.show import error_json, print_error, print_json
from covid_datasets.disk import is_full
from covid_datasets.errors import CovidDatasetsError, NoSpaceError, UsageError
from covid_datasets.harmless import visible

INTERRUPTED = 130
PIPE_CLOSED = 141


def run(argv: Sequence[str] | None) -> int:
    """Run one command and return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # where an encoding lacks a letter, its escape is better than an error
        sys.stdout.reconfigure(errors="backslashreplace")
    parser, words = make_parser(), sys.argv[1:] if argv is None else argv
    if not words:  # a wrong command line, as in a script whose variable is empty; and a person who asks what there is
        parser.exit(UsageError.exit_code, parser.format_help())
    arguments = parser.parse_args(words)
    try:
        with _plain_warnings():
            code = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where this one stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:  # of the place where the answer goes: every other one is an error of ours by now
        if not is_full(error):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print("NoSpaceError: the disk is full, and the output is cut; make room and repeat", file=sys.stderr)
        return NoSpaceError.exit_code
    return code


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Print a warning as one line of text: where in our code it comes from helps no user."""
    shown = warnings.showwarning

    def show(message: Warning | str, *rest: Any, **more: Any) -> None:
        if isinstance(message, UserWarning):
            print(f"warning: {visible(str(message))}", file=sys.stderr)
        else:
            shown(message, *rest, **more)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = shown


def _run(arguments: Namespace) -> int:
    """Run the command; an error of ours is its message and its exit code, any other is a bug and shows its trace."""
    try:
        code: int = arguments.run(with_own_data(arguments))
    except CovidDatasetsError as error:
        if arguments.json:
            print_json(error_json(error))
        print_error(error)
        return error.exit_code
    return code
