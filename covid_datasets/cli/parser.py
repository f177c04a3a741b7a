"""What can be typed: commands, arguments, help and examples. Importing this imports nothing heavy."""

from __future__ import annotations

from argparse import Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from importlib import import_module
from typing import get_args

from covid_datasets import __version__
from covid_datasets.catalog.card import AccessKind
from covid_datasets.cli.browsing import add_browsing
from covid_datasets.cli.options import Adder, add_accept, add_build_name, add_cache_dir, add_config, add_data_dir
from covid_datasets.cli.own import add_own_data
from covid_datasets.cli.reported import add_report
from covid_datasets.cli.scanning import add_scanning
from covid_datasets.cli.scoring import add_scoring
from covid_datasets.cli.splitting import add_splitting
from covid_datasets.cli.training import add_training
from covid_datasets.cli.viewed import add_view
from covid_datasets.cli.words import Parser, decimal, fingerprint, positive
from covid_datasets.exports.formats import FORMATS
from covid_datasets.vocabulary import Modality

CODES = """exit codes:
  0  fine                  4  download failed
  1  not there             5  integrity failed
  2  usage                 6  build failed
  3  access needed         7  no space
"""


class _Commands(RawDescriptionHelpFormatter):
    """Shows a command and its text on one line: argparse forgets that commands are indented."""

    def add_argument(self, action: Action) -> None:
        super().add_argument(action)
        self._action_max_length += self._indent_increment * bool(action.choices)


def make_parser() -> ArgumentParser:
    """Return the parser; after parsing, ``arguments.run`` is the function of the command."""
    parser = Parser(
        prog="covid-datasets",
        description="Public COVID-19 imaging sources: verified, harmonised, split by patient.",
        epilog=f"example:\n  covid-datasets build phantom\n\n{CODES}",
        formatter_class=_Commands,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    add = _adder(parser)
    _add_looking(add)
    add_report(add)
    add_browsing(add)
    add_splitting(add)
    add_scoring(add)
    _add_building(add)
    _add_export(add)
    _add_housekeeping(add)
    add_scanning(add)
    add_training(add)
    return parser


def _adder(parser: ArgumentParser) -> Adder:
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, summary: str, example: str) -> ArgumentParser:
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"example:\n  {example}",
            formatter_class=RawDescriptionHelpFormatter,
        )
        command.add_argument("--json", action="store_true", help="print one JSON value, for machines")
        command.set_defaults(run=_later(name))
        return command

    return add


_MODULES = dict.fromkeys(("list", "info", "croissant", "search"), "catalogued")
_MODULES |= dict.fromkeys(("new", "manifest", "figures"), "contributed")
_MODULES |= {"audit": "audited", "confounding": "confounded", "deidentify": "deidentified", "ledger": "ledgers"}
_MODULES |= {"segment": "segmented", "apply": "applied", "evaluate": "evaluated", "explain": "explained"}
_MODULES |= {"features": "featured", "few": "few"}
_MODULES |= {"report": "reported", "browse": "browsing"}
_MODULES |= dict.fromkeys(("train", "predict"), "trained")
"""Where commands are that are not in ``commands``."""


def _later(name: str) -> Callable[[Namespace], int]:
    """Import the commands only when one runs, so that ``--help`` is quick."""

    def run(arguments: Namespace) -> int:
        module = import_module(f"covid_datasets.cli.{_MODULES.get(name, 'commands')}")
        command: Callable[[Namespace], int] = getattr(module, f"run_{name}")
        return command(arguments)

    return run


def _add_looking(add: Adder) -> None:
    command = add("list", "list all sources", "covid-datasets list --modality CT --access open")
    command.add_argument("--modality", choices=get_args(Modality), help="only sources that hold this modality")
    command.add_argument("--access", choices=get_args(AccessKind), help="only sources reached in this way")
    command.add_argument(
        "--seed",
        metavar="TABLE",
        help="a table as printed, ours beside it: survey, covid-arc, covid-arc-analysis",
    )

    command = add("info", "show everything known about sources", "covid-datasets info covid_ct cohen --attribution")
    command.add_argument("ids", metavar="ID", nargs="+", help="sources, as `covid-datasets list` names them")
    what = command.add_mutually_exclusive_group()
    what.add_argument(
        "--attribution",
        action="store_true",
        help="print what their licences ask you to say, and BibTeX of what to cite",
    )
    what.add_argument("--labels", action="store_true", help="print what each says, and which class that becomes")
    what.add_argument(
        "--paper", action="store_true", help="the figures that its papers state, recomputed from what is built"
    )
    command.add_argument(
        "-o", "--output", metavar="FILE", help="with --attribution: write the text here, and BibTeX beside it"
    )
    add_config(command)
    add_cache_dir(command)

    command = add(
        "croissant",
        "describe a source as MLCommons Croissant, or check such a description",
        "covid-datasets croissant covid_ct -o croissant.json",
    )
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("id", metavar="ID", nargs="?", help="a source, with @VERSION for another than the default")
    what.add_argument("--check", metavar="FILE", help="list all that is wrong with a Croissant file, whoever made it")
    command.add_argument("-o", "--output", metavar="FILE", help="write it here (default: print it)")
    add_config(command)
    add_cache_dir(command)

    command = add(
        "search",
        "ask the metadata of everything that is built, in SQL",
        "covid-datasets search \"finding = 'COVID-19' AND age > 60\" --csv found.csv",
    )
    command.add_argument("query", metavar="SQL", nargs="?", default="", help="condition of a WHERE, or a whole SELECT")
    command.add_argument("--cards", action="store_true", help="search the cards of all sources, built or not")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--csv", metavar="FILE", help="write all that is found to a CSV file; - prints it")
    form.add_argument("--parquet", metavar="FILE", help="write all that is found to a Parquet file")
    add_cache_dir(command)

    command = add("path", "print the folder of a finished build", "covid-datasets path phantom")
    add_build_name(command)
    add_data_dir(command)
    add_view(command)


def _add_building(add: Adder) -> None:
    command = add(
        "check",
        "list what your own copy of a source lacks, without building",
        "covid-datasets check covid_ct --data-dir ~/Downloads/covid",
    )
    command.add_argument("id", metavar="ID", help="a source, with @VERSION for another than the default; or a folder")
    add_config(command)
    add_data_dir(command)
    add_own_data(command)

    command = add("build", "download, check and prepare sources", "covid-datasets build cohen@2020-06-22 --num-proc 4")
    command.add_argument("ids", metavar="ID", nargs="+", help="sources, with @VERSION for another version; or a folder")
    _add_how(command)
    add_view(command)

    command = add(
        "apply",
        "run your own function over a source, into a derived dataset",
        "covid-datasets apply my_module:lung_density covid_ct --set radius=3",
    )
    command.add_argument(
        "function", metavar="MODULE:FUNCTION", help="installed, or in this folder; or a name of --derive"
    )
    command.add_argument("id", metavar="ID", help="a source, with @VERSION for another version; or a folder")
    command.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], help="a parameter of the function; again for more"
    )
    _add_how(command)
    add_view(command, derive=False)

    command = add("verify", "check a finished build against its manifest", "covid-datasets verify phantom --pixels")
    add_build_name(command)
    command.add_argument("--pixels", action="store_true", help="decode every image too, and compare its pixels")
    command.add_argument(
        "--fingerprint",
        type=fingerprint,
        metavar="HEX",
        help="exit with code 5 unless it is this one, as a paper gives it; its first 8 digits or more will do",
    )
    add_view(command)


def _add_how(command: ArgumentParser) -> None:
    """Add how something is built."""
    add_own_data(command)
    add_config(command)
    add_cache_dir(command)
    add_data_dir(command)
    command.add_argument("--mirror", metavar="PLACE", help="folder or URL that answers for every host")
    command.add_argument("--offline", action="store_true", default=None, help="never open a connection")
    command.add_argument("--allow-missing", action="store_true", help="build an incomplete source, marked incomplete")
    add_accept(command)
    workers = command.add_mutually_exclusive_group()
    workers.add_argument("--num-proc", type=positive, metavar="N", help="worker processes (default: one per core)")
    workers.add_argument("--dask", metavar="ADDRESS", help="the scheduler of a Dask cluster, as in tcp://10.0.0.1:8786")
    command.add_argument(
        "--verify",
        choices=("full", "bytes"),
        default="full",
        help="full (default): decode every image; bytes: hash only, no quality and no near-duplicates",
    )


def _add_export(add: Adder) -> None:
    command = add(
        "export",
        "write a source as files that open without this library",
        "covid-datasets export covid_ct hf ~/exports/covid_ct",
    )
    command.add_argument("id", metavar="ID", help="a source, with @VERSION for another than the default; or a folder")
    command.add_argument("format", metavar="FORMAT", choices=tuple(FORMATS), help=", ".join(FORMATS))
    command.add_argument(
        "destination", metavar="DEST", help="an empty or new folder, or a URL such as s3://bucket/folder"
    )
    add_config(command)
    command.add_argument("--scheme", default="patient", help="split scheme, as in `splits` (default: patient)")
    command.add_argument("--split", metavar="SPLIT", help="only this split, as in train[:20%%] (default: all)")
    command.add_argument("--columns", metavar="NAME", nargs="+", help="only these columns")
    command.add_argument("--license", metavar="PERMISSION", help="only rows that permit it, as in redistribution")
    command.add_argument(
        "--i-have-the-rights", action="store_true", help="carry to a URL what no licence is known to let you pass on"
    )
    command.add_argument("--overwrite", action="store_true", help="replace an older export, and nothing else")
    command.add_argument("--allow-missing", action="store_true", help="accept a source that is marked incomplete")
    command.add_argument("--shard-bytes", type=positive, metavar="N", help="size of a file that begins the next")
    add_view(command)
    add_cache_dir(command)
    add_data_dir(command)
    add_accept(command)
    add_own_data(command)


def _add_housekeeping(add: Adder) -> None:
    command = add(
        "mirror", "copy sources for a machine without network", "covid-datasets mirror covid_ct cohen /media/usb"
    )
    command.add_argument("ids", metavar="ID", nargs="+", help="one or more sources")
    command.add_argument("destination", metavar="DEST", help="folder that becomes the mirror")
    add_accept(command)
    add_cache_dir(command)

    command = add(
        "cache", "show what the cache holds, or clean it", "covid-datasets cache --clean unfinished --dry-run"
    )
    command.add_argument("id", metavar="ID", nargs="?", help="only this source")
    command.add_argument(
        "--clean", choices=("unfinished", "downloads", "prepared", "views", "all"), help="remove these"
    )
    command.add_argument("--dry-run", action="store_true", help="with --clean: remove nothing, tell what would go")
    add_cache_dir(command)

    command = add(
        "new",
        "write the skeleton of a new source, with what a machine can find out about it",
        "covid-datasets new my_source --probe https://example.org/set.zip",
    )
    command.add_argument("id", metavar="ID", help="lower-case letters, digits and _; starts with a letter")
    command.add_argument("--probe", metavar="PLACE", help="look at this URL, folder, archive or file first")
    command.add_argument("--root", metavar="FOLDER", help="with --probe: the folder inside that is the source's tree")
    command.add_argument(
        "--kind",
        choices=("pictures", "table", "dicom", "volumes", "by-hand", "account", "card-only"),
        help="which skeleton (default: what the probe finds most of, else pictures)",
    )
    command.add_argument("--checkout", metavar="DIR", default=".", help="checkout of covid_datasets (default: here)")
    add_cache_dir(command)

    command = add(
        "manifest",
        "identify every file of a folder or an archive",
        "covid-datasets manifest ~/Downloads/set.zip --out catalogs/manifests/my_source-files.tsv",
    )
    command.add_argument("place", metavar="PLACE", help="folder or archive; nothing is unpacked")
    command.add_argument("--root", metavar="FOLDER", default="", help="only what is below this folder inside")
    command.add_argument("--out", metavar="FILE", help="write the manifest here (default: print it)")

    command = add(
        "figures",
        "take the pictures out of the PDF of an article, with their captions",
        "covid-datasets figures article.pdf article-figures",
    )
    command.add_argument("pdf", metavar="PDF", help="a file")
    command.add_argument("out", metavar="OUT", help="a folder, which is made")
    command.add_argument("--seconds", type=decimal, default=600.0, help="how long it may take (default: 600)")
