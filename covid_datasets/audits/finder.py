"""`find_copies`: which pictures show the same, however one of them was cropped, turned, lit or put into a figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from PIL import Image

from covid_datasets.audits.features import Features, features_of, single_threaded, vision
from covid_datasets.audits.proof import Proof, proof
from covid_datasets.audits.ways import ORDERS
from covid_datasets.audits.words import ranked
from covid_datasets.progress import progress
from covid_datasets.settings import usable_cores

Picture = Callable[[], Image.Image | Sequence[Image.Image] | None]
"""Gives a picture when it is asked for, or some frames or slices that stand for one; nothing where there is none."""
PARTNERS = 12
"""Pictures that are tried for each picture, as they are or changed; a true copy was seldom less than the third.

So many more are tried for as long as there was a copy among the last.
"""
ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Copy:
    """Two pictures that show the same, by their numbers, and what proves it; nearly, where the proof does not hold."""

    first: int
    second: int
    proof: Proof


def find_copies(pictures: Sequence[Picture], *, doubtful: bool = False) -> list[Copy]:
    """Find the pairs of pictures that show the same, or nearly where ``doubtful`` ones too are asked for.

    Each picture is decoded once.

    A picture takes about 140 kB of memory while all are compared, and as much again for each panel of a figure.

    >>> film = Image.effect_mandelbrot((640, 520), (-2, -1, 1, 1), 50)
    >>> other = Image.effect_mandelbrot((640, 520), (-0.8, 0.0, -0.7, 0.1), 80)
    >>> copy = film.crop((60, 40, 600, 480)).rotate(90, expand=True)
    >>> found = find_copies([lambda: film, lambda: copy, lambda: other])
    >>> [(each.first, each.second) for each in found]
    [(0, 1)]
    """
    return [each for each in copies_among(look_at(pictures)) if doubtful or each.proof.holds]


def look_at(pictures: Sequence[Picture]) -> list[tuple[Features, ...]]:
    """Look at every picture once; nothing is known of one that is not there."""
    vision()
    with ThreadPoolExecutor(usable_cores(), "look") as pool, progress("Looking", unit="pictures") as display:
        display.add("pictures", len(pictures))
        seen = []
        for each in pool.map(_looked_at, pictures):
            seen.append(each)
            display.advance("pictures")
    return seen


def _looked_at(picture: Picture) -> tuple[Features, ...]:
    shown = picture() or ()
    pictures = [shown] if isinstance(shown, Image.Image) else shown
    return tuple(view for each in pictures for view in features_of(each))


def copies_among(seen: Sequence[Sequence[Features]]) -> list[Copy]:
    """Find the copies among pictures that were looked at, the doubtful ones included.

    Each is tried with those that are most like it. Where one of these was a copy there may be many, so more are tried.
    """
    vision()
    views = [view for each in seen for view in each]
    owners = [number for number, each in enumerate(seen) for _ in each]
    best: dict[tuple[int, int], Proof] = {}
    tried: set[tuple[int, int, str]] = set()
    names = tuple(ORDERS)
    with (
        single_threaded(),
        ThreadPoolExecutor(usable_cores(), "compare") as pool,
        progress("Comparing", unit="pairs") as display,
    ):
        others, ways = ranked(views, owners, ROUNDS * PARTNERS, pool)
        hopeful = list(range(len(views)))
        display.add("pairs", None)

        def prove(pair: tuple[int, int, str]) -> Proof | None:
            found = proof(views[pair[0]], views[pair[1]], pair[2])
            display.advance("pairs")
            return found if found is not None and found.resembles else None

        for turn in range(ROUNDS):
            columns = slice(turn * PARTNERS, (turn + 1) * PARTNERS)
            partners = {
                view: [
                    (min(view, other), max(view, other), names[way])
                    for other, way in zip(others[view, columns].tolist(), ways[view, columns].tolist(), strict=True)
                    if other >= 0
                ]
                for view in hopeful
            }
            pairs = {pair for each in partners.values() for pair in each} - tried
            tried |= pairs
            for (first, second, _), found in zip(sorted(pairs), pool.map(prove, sorted(pairs)), strict=True):
                if found is not None:
                    pair = owners[first], owners[second]
                    best[pair] = max(best.get(pair, found), found, key=lambda each: (each.holds, each.points))
            hopeful = [
                view
                for view, each in partners.items()
                if any((owners[first], owners[second]) in best for first, second, _ in each)
            ]
    return [Copy(first, second, found) for (first, second), found in sorted(best.items())]
