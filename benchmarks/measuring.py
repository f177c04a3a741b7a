"""Run snippets in new processes, in turns, and compare them."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROUNDS = 5


def real_sources(what: str | None) -> argparse.Namespace:
    """Read where the real sources are and how often to measure."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--covid-ct", type=Path)
    parser.add_argument("--cohen", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    return parser.parse_args()


def in_process(code: str, *arguments: str) -> dict[str, float]:
    """Run code in a new process; its last line of output is a JSON object of figures."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)}\n{done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def in_turns(
    contenders: Mapping[str, Callable[[], dict[str, float]]], rounds: int
) -> dict[str, list[dict[str, float]]]:
    """Measure A B C, A B C, …, so that drift of the machine meets all alike."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            results[name].append(measure())
    return results


def median(results: Sequence[Mapping[str, float]], figure: str) -> float:
    """Return the median of a figure."""
    return statistics.median(result[figure] for result in results)


def show(name: str, results: Sequence[Mapping[str, float]], figure: str, unit: str) -> None:
    """Print the median of a figure with its range."""
    values = [result[figure] for result in results]
    print(f"  {name:<32}{statistics.median(values):>10.3f} {unit:<6}({min(values):.3f} to {max(values):.3f})")


def raw_files(folder: Path, pattern: str) -> list[Path]:
    """List the image files of a source, all read once so that every contender finds them in memory."""
    files = sorted(folder.glob(pattern))
    for file in files:
        file.read_bytes()
    return files
