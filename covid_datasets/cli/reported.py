"""`covid-datasets report`: what is in finished builds, as a page."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from covid_datasets.cli.options import Adder, add_cache_dir, add_config, check_places
from covid_datasets.cli.own import add_own_data


def add_report(add: Adder) -> None:
    """Add what can be typed."""
    command = add(
        "report",
        "say what is in finished builds, as one page to read",
        "covid-datasets report cohen -o report.html",
    )
    command.add_argument(
        "ids", metavar="ID", nargs="+", help="sources, with @VERSION for another than the default; or a folder"
    )
    command.add_argument("-o", "--output", metavar="FILE", help="write the page here; without it the short form shows")
    command.add_argument(
        "--tables",
        metavar="DIR",
        help="write qc.csv (each sample, and what was dropped) and id_map.csv into this folder",
    )
    command.add_argument(
        "--against",
        metavar="BUILD",
        help="what differs from this one: a source with @VERSION, or the folder of a finished build",
    )
    command.add_argument(
        "--i-have-the-rights", action="store_true", help="show pictures whatever the licences say: it is for you alone"
    )
    add_config(command)
    add_cache_dir(command)
    add_own_data(command)


def run_report(arguments: Namespace) -> int:
    """Gather it, write the page where one is asked for, and show the short form or the whole as JSON."""
    import covid_datasets as api
    from covid_datasets.cli.show import print_json, print_text
    from covid_datasets.progress import tell

    output = None if arguments.output is None else Path(arguments.output).expanduser()
    check_places([] if output is None else [output])
    found = api.report(
        arguments.ids[0] if len(arguments.ids) == 1 else arguments.ids,
        arguments.config,
        against=arguments.against,
        i_have_the_rights=arguments.i_have_the_rights,
        cache_dir=arguments.cache_dir,
    )
    if output is not None:
        tell(f"{found.save_html(output)}: the page")
    if arguments.tables is not None:
        tell(f"{' and '.join(map(str, found.save_tables(arguments.tables)))}: sample by sample")
    if arguments.json:
        print_json(found.to_json())
    elif output is None and arguments.tables is None:
        print_text(found)
    return 0
