"""Measure what the leaderboard shows: one JSON for each result, with the command that makes it again.

``python -m covid_datasets.contribute.results leaks covid_ct`` writes ``results/covid_ct-leaks.json``; ``beside`` does
the same of metadata and texture alone, ``run NAME RUN…`` of trained models, and ``compare NAME --first RUN… --second
RUN…`` of two of them, such as segmented against whole. The leaderboard is made of these by
``python -m covid_datasets.contribute.pages``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from covid_datasets.baselines.evaluate.beside import beside
from covid_datasets.baselines.evaluate.compare import compare
from covid_datasets.baselines.evaluate.leaks import leaks
from covid_datasets.baselines.evaluate.measures import RESAMPLES
from covid_datasets.baselines.evaluate.predictions import read_predictions, runs_in
from covid_datasets.baselines.evaluate.rows import answers, asked, ordered
from covid_datasets.baselines.evaluate.score import evaluate
from covid_datasets.baselines.train.asked import names_of
from covid_datasets.baselines.train.names import ENVIRONMENT
from covid_datasets.baselines.train.rescore import SCORED_ON
from covid_datasets.catalog.cards import names
from covid_datasets.disk import read_json, write_json
from covid_datasets.errors import CatalogError, CovidDatasetsError, UsageError

MODULE = "python -m covid_datasets.contribute.results"
PAPERS = "papers.toml"
KINDS = ("beside", "compare", "leaks", "run")
_PAPER = {"dataset", "model", "citation", "where", "stated", "differs"}
_OF_RUN = ("recipe_name", "derive", SCORED_ON, "scheme", "seed", "filters", "version", "device")
"""What is kept of the settings of a run: nothing that names a machine."""


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Read all results of a folder, sorted by their names; each has its ``name`` then.

    Raises:
        CatalogError: A file is no result.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CatalogError(f"{path}: expected JSON as {MODULE} writes it, found something else: {error}") from error
        if not isinstance(result, dict) or result.get("kind") not in KINDS or not result.keys() >= _ALWAYS:
            raise CatalogError(f"{path}: expected a result of {', '.join(KINDS)} with {', '.join(sorted(_ALWAYS))}")
        found.append(result | {"name": path.stem})
    return found


_ALWAYS = {"kind", "command", "version", "device", "result"}


def read_papers(folder: Path) -> list[dict[str, Any]]:
    """Read what papers state.

    Raises:
        CatalogError: An entry lacks something, or is of no source.
    """
    path = folder / PAPERS
    papers: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["paper"] if path.exists() else []
    for paper in papers:
        if paper.keys() != _PAPER or paper["dataset"] not in names():
            raise CatalogError(f"{path}: expected {', '.join(sorted(_PAPER))} of a source, found {paper}")
    return papers


def main(argv: Sequence[str] | None = None) -> int:
    """Measure one thing and write it."""
    parser = argparse.ArgumentParser(prog=MODULE, description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results"), help="the folder (default: results)")
    parser.add_argument("--cache-dir", help="where builds are")
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind in ("leaks", "beside"):
        command = kinds.add_parser(kind)
        command.add_argument("dataset")
        command.add_argument("--config")
        if kind == "beside":
            command.add_argument("--scheme", default="patient")
    command = kinds.add_parser("run")
    command.add_argument("name", help="of the file that is written")
    command.add_argument("runs", nargs="+", help="folders of runs: one, or one for each seed or fold")
    command = kinds.add_parser("compare")
    command.add_argument("name", help="of the file that is written")
    for side in ("first", "second"):
        command.add_argument(f"--{side}", nargs="+", required=True, help="folders of runs, as many on either side")
    arguments = parser.parse_args(argv)
    try:
        name, command_text, result = _MEASURES[arguments.kind](arguments)
        path: Path = arguments.out / f"{name}.json"
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_json(path, _whole(arguments.kind, command_text, result))
    except CovidDatasetsError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    print(path)
    return 0


def _whole(kind: str, command: str, result: dict[str, Any]) -> dict[str, Any]:
    libraries = {name: version(name) for name in ("numpy", "scikit-learn")}
    device = result.pop("device", "CPU")
    return {
        "kind": kind,
        "command": command,
        "version": version("covid_datasets"),
        "libraries": libraries,
        "device": device,
        "result": result,
    }


def _leaks(arguments: argparse.Namespace) -> tuple[str, str, dict[str, Any]]:
    found = leaks(arguments.dataset, arguments.config, cache_dir=arguments.cache_dir)
    config = f" --config {arguments.config}" if arguments.config else ""
    name = _name(arguments.dataset, arguments.config, "leaks")
    return name, f"{MODULE} leaks {arguments.dataset}{config}", found.to_json()


def _beside(arguments: argparse.Namespace) -> tuple[str, str, dict[str, Any]]:
    wanted = asked([arguments.dataset], arguments.config, arguments.scheme, "test", arguments.cache_dir)
    classes = ordered(arguments.dataset, tuple(sorted({row["label"] for row in wanted.rows} - {None})))
    due = answers(wanted, classes)
    metadata, texture = beside(wanted, due, resamples=RESAMPLES, seed=0, cache_dir=arguments.cache_dir)
    config = f" --config {arguments.config}" if arguments.config else ""
    result = {
        "dataset": arguments.dataset,
        "config": arguments.config,
        "scheme": wanted.scheme,
        "split": wanted.split,
        "fingerprint": wanted.fingerprint,
        "split_hash": wanted.split_hash,
        "classes": list(classes),
        "rows": len(due.samples),
        "groups": len(set(due.groups)),
        "rarest": due.rarest,
        "draw_seed": 0,
        "models": [metadata.to_json(), texture.to_json()],
        "notes": list(due.notes),
    }
    name = _name(arguments.dataset, arguments.config, f"beside-{wanted.scheme}")
    return name, f"{MODULE} beside {arguments.dataset}{config} --scheme {arguments.scheme!r}", result


def _run(arguments: argparse.Namespace) -> tuple[str, str, dict[str, Any]]:
    found = evaluate(arguments.runs, cache_dir=arguments.cache_dir).to_json()
    of_runs = _told_by_all(arguments.runs)
    if found["target"]:
        raise UsageError(
            f"{arguments.runs[0]}: expected a run that predicts labels, which the leaderboard lists, found one of "
            f"{found['target']['column']}; covid-datasets evaluate scores it"
        )
    result = {key: value for key, value in found.items() if key not in ("files", "target")}
    result |= {"device": _devices(of_runs), "runs": of_runs}
    return arguments.name, f"{MODULE} run {arguments.name} {_named(arguments.runs)}", result


def _compare(arguments: argparse.Namespace) -> tuple[str, str, dict[str, Any]]:
    sides = (arguments.first, arguments.second)
    found = compare(*sides, cache_dir=arguments.cache_dir).to_json()
    if "auc" not in found["differences"]:
        raise UsageError(
            f"{sides[0][0]}: expected runs that predict labels; covid-datasets evaluate --against says more"
        )
    first, second = map(_told_by_all, sides)
    result = {
        "datasets": names_of(read_predictions(runs_in(arguments.first[0])[0]).run["dataset"]),
        "fingerprint": ", ".join(dict.fromkeys(found.pop("fingerprints"))),
        "split_hash": list(dict.fromkeys(each for side in found.pop("split_hashes") for each in side)),
        **found,
        "first": first,
        "second": second,
        "device": _devices([*first, *second]),
    }
    command = f"{MODULE} compare {arguments.name} --first {_named(sides[0])} --second {_named(sides[1])}"
    return arguments.name, command, result


def _told_by_all(places: Sequence[str]) -> list[dict[str, Any]]:
    return [_told_by(run) for place in places for run in runs_in(place)]


def _devices(of_runs: Sequence[dict[str, Any]]) -> str:
    return ", ".join(dict.fromkeys(str(one.get("device", "not said")) for one in of_runs))


def _named(places: Sequence[str]) -> str:
    """Name runs as a command would, without the folders that they are in; what lies within a run, with that run."""
    paths = map(Path, places)
    return " ".join(f"{path.parent.name}/{path.name}" if _is_within(path) else path.name for path in paths)


def _is_within(path: Path) -> bool:
    return (path.parent / ENVIRONMENT).exists()


def _told_by(run: Path) -> dict[str, Any]:
    """Return the settings of a run, and where it ran last; a run of somebody else's may say that with its settings."""
    ran_on = read_json(run / ENVIRONMENT).get("ran_on", [])
    said = dict(read_predictions(run).run)
    if ran_on:
        said |= {"device": ran_on[-1].get("device"), "version": ran_on[-1].get("versions", {}).get("covid_datasets")}
    said |= {"derive": said.get("recipe", {}).get("derive", "")}
    return {key: said[key] for key in _OF_RUN if said.get(key) not in (None, "")}


def _name(dataset: str, config: str | None, what: str) -> str:
    name = "-".join(filter(None, (dataset, config, what)))
    return "".join(letter if letter.isalnum() or letter in "_-." else "-" for letter in name).strip("-")


_MEASURES = {"beside": _beside, "compare": _compare, "leaks": _leaks, "run": _run}


if __name__ == "__main__":
    sys.exit(main())
