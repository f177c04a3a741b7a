"""Planted copies, one of each picture, at strengths drawn by chance: which are found, what else, and by whom."""

from __future__ import annotations

import argparse
import io
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.finders import FINDERS, Pairs
from benchmarks.planted import PANELS, TRANSFORMS
from covid_datasets import find_build
from covid_datasets.audits.shown import Shown
from covid_datasets.phantoms.chest import picture
from covid_datasets.raw.tree import RawTree
from covid_datasets.splits.index import Index

AIMS = dict.fromkeys(TRANSFORMS, 0.99) | dict.fromkeys((*PANELS, "two at once"), 0.95)

MOST_TOLD = 50


@dataclass
class Original:
    """A picture, and who is in it, as far as anybody knows."""

    name: str
    person: str
    picture: Image.Image


@dataclass
class Planted:
    """A picture among those that are searched: which originals are in it."""

    name: str
    picture: Image.Image
    originals: set[int] = field(default_factory=set)


class Lent(Sequence[Image.Image]):
    """The pictures that may stand beside another one; remembers which were taken."""

    def __init__(self, originals: Sequence[Original], without: int) -> None:
        self._originals = originals
        self._numbers = [number for number in range(len(originals)) if number != without]
        self.taken: set[int] = set()

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, place: int) -> Image.Image:  # type: ignore[override]
        self.taken.add(self._numbers[place])
        return self._originals[self._numbers[place]].picture


def of_builds(names: Sequence[str], cache_dir: str | None, count: int, chance: np.random.Generator) -> list[Original]:
    """Draw pictures of finished builds; a person is a group of theirs."""
    builds = [find_build(name, cache_dir=cache_dir) for name in names]
    index, shown = Index.join([built.path for built in builds]), Shown(builds)
    found: list[Original] = []
    for row in chance.permutation(index.table.num_rows).tolist():
        if len(found) < count and (pictures := shown.pictures(row)):
            found.append(Original(index.texts("sample_id")[row], str(index.groups[row]), pictures[0]))
    return found


def of_folder(folder: Path, count: int, chance: np.random.Generator) -> list[Original]:
    """Draw pictures of a folder; each may be somebody else."""
    files = sorted(each for each in folder.rglob("*") if each.suffix.lower() in (".png", ".jpg", ".jpeg"))
    chosen = [files[number] for number in chance.permutation(len(files))[:count]]
    return [Original(str(file.relative_to(folder)), str(file), Image.open(file).convert("L")) for file in chosen]


def of_phantoms(count: int) -> list[Original]:
    """Make pictures of so many phantom people, CT and X-ray in turn."""
    return [
        Original(f"phantom {number}", str(number), Image.open(io.BytesIO(_phantom(number))).convert("L"))
        for number in range(count)
    ]


def _phantom(number: int) -> bytes:
    return picture(RawTree(()), 7, number, 1, "CXR" if number % 2 else "CT", 0, False, "image")


def plant(
    originals: Sequence[Original], only: Sequence[str], chance: np.random.Generator
) -> Iterator[tuple[str, Planted]]:
    """Make a copy of each original, by each way in turn."""
    for number, original in enumerate(originals):
        way = only[number % len(only)]
        lent = Lent(originals, number)
        copy = TRANSFORMS[way](original.picture, chance, lent)
        yield way, Planted(f"{way} of {original.name}", copy, {number, *lent.taken})


def montage(first: Image.Image, second: Image.Image) -> Image.Image:
    """Put two pictures side by side."""
    shown = Image.new("L", (1210, 600), 128)
    for left, whole in ((0, first), (610, second)):
        small = whole.copy()
        small.thumbnail((600, 600))
        shown.paste(small, (left, 0))
    return shown


def main() -> None:
    """Plant, search, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--built", nargs="+", metavar="ID", help="finished builds to draw from")
    parser.add_argument("--folder", type=Path, help="a folder of pictures to draw from; without both, phantoms")
    parser.add_argument("--cache-dir")
    parser.add_argument("--pictures", type=int, default=170)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=list(TRANSFORMS), choices=list(TRANSFORMS), metavar="WAY")
    parser.add_argument("--finders", nargs="+", default=["ours"], choices=list(FINDERS), metavar="NAME")
    parser.add_argument("--show", type=Path, help="leave the pairs to be looked at, and what the last finder missed")
    options = parser.parse_args()
    chance = np.random.default_rng(options.seed)
    if options.built:
        originals = of_builds(options.built, options.cache_dir, options.pictures, chance)
    elif options.folder:
        originals = of_folder(options.folder, options.pictures, chance)
    else:
        originals = of_phantoms(options.pictures)
    copies = list(plant(originals, options.only, chance))
    whole = [Planted(each.name, each.picture, {number}) for number, each in enumerate(originals)]
    planted = [*whole, *(copy for _, copy in copies)]
    pictures = [each.picture for each in planted]
    made = Counter(way for way, _ in copies)
    people = [{originals[number].person for number in each.originals} for each in planted]
    pairs = sum(people[one].isdisjoint(other) for one in range(len(people)) for other in people[one + 1 :])
    results = []
    for name in options.finders:
        started = time.process_time()
        found = FINDERS[name](pictures)
        seconds = time.process_time() - started
        kept = Counter(way for number, (way, _) in enumerate(copies) if (number, len(whole) + number) in found)
        strangers = list(between_strangers(people, found))
        results.append((name, kept, strangers, found, seconds))
    print(f"  {'':<16}{'copies':>8}{'aim':>8}" + "".join(f"{name:>16}" for name, *_ in results))
    for way in options.only:
        shares = "".join(f"{kept[way] / made[way]:>16.3f}" for _, kept, *_ in results)
        print(f"  {way:<16}{made[way]:>8}{AIMS[way]:>8}{shares}")
    print(f"  {'all':<24}{'':>8}" + "".join(f"{kept.total() / made.total():>16.3f}" for _, kept, *_ in results))
    counts = "".join(f"{len(strangers):>16,}" for _, _, strangers, *_ in results)
    print(f"  {'taken for one, of':<20}{pairs:>12,}{counts}")
    print(f"  {'CPU seconds':<24}{'':>8}" + "".join(f"{seconds:>16.1f}" for *_, seconds in results))
    print(f"  {len(planted):,} pictures; look at what was taken for one: nobody knows whether these people are two")
    _, _, strangers, found, _ = results[-1]
    for place, (first, second) in enumerate(strangers[:MOST_TOLD]):
        print(f"    {place}: {planted[first].name} | {planted[second].name}: {found[first, second]}")
        if options.show:
            montage(planted[first].picture, planted[second].picture).save(options.show / f"pair_{place}.png")
    if options.show:
        for number, (way, copy) in enumerate(copies):
            if (number, len(whole) + number) not in found:
                beside = montage(whole[number].picture, copy.picture)
                beside.save(options.show / f"missed_{way.replace(', ', '_')}_{number}.png")


def between_strangers(people: Sequence[set[str]], found: Pairs) -> Iterator[tuple[int, int]]:
    """Yield the pairs that were found of people of whom nobody knows that they are one."""
    for first, second in found:
        if people[first].isdisjoint(people[second]):
            yield first, second


if __name__ == "__main__":
    main()
