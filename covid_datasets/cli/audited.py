"""The command ``audit``: anybody's split, ours among them."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import covid_datasets as api
from covid_datasets.cli.options import check_places
from covid_datasets.cli.show import print_found
from covid_datasets.errors import IntegrityError, UsageError
from covid_datasets.progress import tell


def run_audit(arguments: Namespace) -> int:
    """Audit, show what was found, and write what was asked for."""
    files = [Path(name).expanduser() for name in (arguments.html, arguments.no_leaks) if name is not None]
    check_places(files)  # before minutes are spent
    found = api.audit(
        arguments.what[0] if len(arguments.what) == 1 else arguments.what,
        arguments.scheme,
        split=arguments.split,
        level=arguments.level,
        columns=dict(_column(text) for text in arguments.column),
        config=arguments.config,
        cache_dir=arguments.cache_dir,
    )
    if arguments.html is not None:
        tell(f"{found.save_html(arguments.html)}: the pairs side by side")
    if arguments.no_leaks is not None:
        tell(f"{found.save_no_leaks(arguments.no_leaks)}: the split without what leaks")
    print_found(found, as_json=arguments.json)
    return IntegrityError.exit_code if arguments.fail_on_leak and found.leaks else 0


def _column(text: str) -> tuple[str, str]:
    role, equals, name = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--column: expected ROLE=NAME, as in split=fold_a, found {text!r}")
    return role, name
