"""Options that several commands share."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from pathlib import Path

from covid_datasets.cli.own import add_own_data
from covid_datasets.errors import NotThereError, UsageError

Adder = Callable[[str, str, str], ArgumentParser]
"""Adds a command by its name, a summary and an example."""


def add_build_name(command: ArgumentParser) -> None:
    """Add the name of a source, and where its build is."""
    command.add_argument("id", metavar="ID", help="a source, with @VERSION for another than the default; or a folder")
    add_config(command)
    add_cache_dir(command)
    add_own_data(command)


def add_config(command: ArgumentParser) -> None:
    """Add the config of a source."""
    command.add_argument("--config", metavar="NAME", help="config of the source (default: its first)")


def add_cache_dir(command: ArgumentParser) -> None:
    """Add where downloads and builds live."""
    command.add_argument("--cache-dir", metavar="DIR", help="cache folder (default: COVID_DATASETS_CACHE)")


def add_accept(command: ArgumentParser) -> None:
    """Add that terms are accepted."""
    command.add_argument(
        "--accept-licence", action="store_true", help="accept the terms of a source that wants that before a download"
    )


def add_data_dir(command: ArgumentParser) -> None:
    """Add the folder of a copy of one's own."""
    command.add_argument("--data-dir", metavar="DIR", help="your own copy of the raw files")


def check_places(files: Iterable[Path]) -> None:
    """Refuse places where no file can be written, before minutes are spent.

    Raises:
        NotThereError: There is no such folder.
        UsageError: It is a folder.
    """
    for file in files:
        if not file.absolute().parent.is_dir():
            raise NotThereError(f"{file}: expected a folder to write it into, found none: {file.absolute().parent}")
        if file.is_dir():
            raise UsageError(f"{file}: expected the name of a file, found a folder")
