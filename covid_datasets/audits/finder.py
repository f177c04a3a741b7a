"""`find_copies`: which pictures show the same, however one of them was cropped, turned, lit or put into a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from PIL import Image

from covid_datasets.audits.features import Features, features_of, vision
from covid_datasets.audits.proof import Proof, proof
from covid_datasets.audits.words import candidates
from covid_datasets.progress import progress
from covid_datasets.settings import usable_cores

Picture = Callable[[], Image.Image | None]
"""Gives a picture in grey when it is asked for; nothing where there is none."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Two pictures that show the same, by their numbers, and what proves it."""

    first: int
    second: int
    proof: Proof


def find_copies(pictures: Sequence[Picture]) -> list[Copy]:
    """Find the pairs of pictures that show the same; each picture is decoded once.

    A picture takes about 170 kB of memory while all are compared.

    >>> film = Image.effect_mandelbrot((640, 520), (-2, -1, 1, 1), 50)
    >>> other = Image.effect_mandelbrot((640, 520), (-0.8, 0.0, -0.7, 0.1), 80)
    >>> found = find_copies([lambda: film, lambda: film.crop((60, 40, 600, 480)).rotate(90, expand=True), lambda: other])
    >>> [(each.first, each.second) for each in found]
    [(0, 1)]
    """
    vision()
    with ThreadPoolExecutor(usable_cores(), "look") as pool, progress("Looking", unit="pictures") as display:
        display.add("pictures", len(pictures))
        features: list[Features | None] = []
        for each in pool.map(_looked_at, pictures):
            features.append(each)
            display.advance("pictures")
        shown = [number for number, each in enumerate(features) if each is not None]
        looked = [each for each in features if each is not None]
        best: dict[tuple[int, int], Proof] = {}
        for first, second, found in _proven(pool, looked, list(candidates(looked))):
            pair = shown[first], shown[second]
            if pair not in best or found.points > best[pair].points:
                best[pair] = found
    return [Copy(first, second, found) for (first, second), found in sorted(best.items())]


def _looked_at(picture: Picture) -> Features | None:
    grey = picture()
    return None if grey is None else features_of(grey)


def _proven(
    pool: ThreadPoolExecutor, looked: Sequence[Features], pairs: Sequence[tuple[int, int, str]]
) -> Iterator[tuple[int, int, Proof]]:
    def tried(pair: tuple[int, int, str]) -> Proof | None:
        first, second, way = pair
        return proof(looked[first], looked[second], way)

    for (first, second, _), found in zip(pairs, pool.map(tried, pairs), strict=True):
        if found is not None and found.holds:
            yield first, second, found
