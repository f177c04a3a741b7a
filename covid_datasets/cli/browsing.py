"""The command that shows what is built: what can be typed, and what runs."""

from __future__ import annotations

import warnings
from argparse import ArgumentTypeError, Namespace

from covid_datasets.cli.options import Adder, add_cache_dir


def add_browsing(add: Adder) -> None:
    """Add it."""
    command = add(
        "browse",
        "look at everything that is built, in a page on this machine alone",
        "covid-datasets browse covid_ct cohen",
    )
    command.add_argument("ids", metavar="ID", nargs="*", help="only these sources, of what is built (default: all)")
    command.add_argument("--port", type=_port, default=0, metavar="N", help="port on 127.0.0.1 (default: any free one)")
    command.add_argument("--no-open", action="store_true", help="print the address, and open no browser")
    add_cache_dir(command)


def run_browse(arguments: Namespace) -> int:
    """Serve the page until Ctrl-C."""
    from covid_datasets.cli.show import print_json, print_text
    from covid_datasets.errors import NotBuiltError
    from covid_datasets.extras import need

    need("duckdb", "starlette", "uvicorn")
    from covid_datasets.view.browse.serve import browse
    from covid_datasets.view.browse.shelf import Shelf

    shelf = Shelf.open(arguments.cache_dir, list(map(str, arguments.ids)))
    for reason in shelf.left_out.values():
        warnings.warn(f"left out of the page: {reason}", stacklevel=1)
    if not shelf.rows:
        raise NotBuiltError("expected something with images that is built, found nothing: covid-datasets build phantom")

    def say(address: str) -> None:
        if arguments.json:
            print_json({"address": address, "rows": shelf.rows})
        else:
            print_text(f"{shelf.rows:,} images of {len(shelf.places):,} builds: {address}\nCtrl-C ends it")

    browse(shelf, arguments.port, say, opened=not arguments.no_open)
    return 0


def _port(text: str) -> int:
    if not text.strip().isdecimal() or int(text) >= 1 << 16:
        raise ArgumentTypeError(f"expected a port from 0 to 65535, found {text!r}")
    return int(text)
