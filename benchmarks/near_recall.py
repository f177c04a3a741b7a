"""How many planted copies a build finds, how many pairs of different people it takes for copies, and what it costs.

    python -m benchmarks.near_recall                                  # of phantoms
    python -m benchmarks.near_recall cohen covid_ct --pictures 400    # of finished builds of these sources

Each picture is changed in each way, at a random strength, and half of the copies are saved as JPEG. ``--seed`` draws
other pictures and strengths. Limits were chosen on cohen, covid_ct, hannover, figure1, pocus and actualmed, so what is
found on pictures of these is no proof for others. False may be pairs of two known patients, of one modality; look at
each, for sources do not know all that they share.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from covid_datasets.load.stored import open_table
from covid_datasets.measure.image import decode, to_grey
from covid_datasets.measure.looks import looks_in, looks_of, reduced
from covid_datasets.prepare.find import find_build
from covid_datasets.splits.near import near_duplicates
from covid_datasets.splits.seen import Seen

Chance = np.random.Generator
Change = Callable[[Image.Image, Chance], Image.Image]
BILINEAR = Image.Resampling.BILINEAR
LARGEST = 1024
"""Larger pictures are made smaller before they are changed, for speed."""


def cut(image: Image.Image, chance: Chance, share: float) -> Image.Image:
    """Take away this share of width and of height, in all, wherever it is."""
    width, height = image.size
    left, top = (chance.uniform(0, share) * side for side in image.size)
    box = (left, top, left + width * (1 - share), top + height * (1 - share))
    return image.crop(tuple(round(edge) for edge in box))  # type: ignore[arg-type]


def framed(image: Image.Image, chance: Chance, share: float) -> Image.Image:
    """Put a border of one value around it, up to this share of a side at each edge."""
    left, right, top, bottom = (chance.uniform(share / 2, share) for _ in range(4))
    width, height = image.size
    size = round(width * (1 + left + right)), round(height * (1 + top + bottom))
    page = Image.new("L", size, int(chance.choice([0, 128, 255])))
    page.paste(image, (round(width * left), round(height * top)))
    return page


def windowed(image: Image.Image, chance: Chance) -> Image.Image:
    """Make a part of its range of all that is shown."""
    values = np.asarray(image, np.float64)
    low, high = np.percentile(values, [chance.uniform(0, 10), chance.uniform(90, 100)])
    shown = (values - low) * (255 / max(high - low, 8))
    return Image.fromarray(shown.clip(0, 255).astype(np.uint8))


def equalised(image: Image.Image, chance: Chance) -> Image.Image:
    """Equalise its contrast in 8 x 8 tiles, limited, as CLAHE does."""
    values, tiles = np.asarray(image), 8
    limit = chance.uniform(1.5, 4)
    height, width = values.shape
    rows, columns = (np.arange(side) * tiles // side for side in (height, width))
    tables = np.empty((tiles, tiles, 256))
    for row in range(tiles):
        for column in range(tiles):
            part = values[rows == row][:, columns == column]
            counts = np.bincount(part.ravel(), minlength=256).astype(float)
            most = max(limit * part.size / 256, 1)
            counts = np.minimum(counts, most) + np.maximum(counts - most, 0).sum() / 256
            tables[row, column] = counts.cumsum() * (255 / counts.sum())
    shown = np.zeros(values.shape)
    places = [(np.arange(side) + 0.5) * tiles / side - 0.5 for side in (height, width)]
    starts = [np.floor(place).astype(int) for place in places]
    shares = [place - start for place, start in zip(places, starts, strict=True)]
    for down in (0, 1):
        for right in (0, 1):
            here = [(start + step).clip(0, tiles - 1) for start, step in zip(starts, (down, right), strict=True)]
            weights = [share if step else 1 - share for share, step in zip(shares, (down, right), strict=True)]
            shown += np.outer(*weights) * tables[here[0][:, None], here[1][None], values]
    return Image.fromarray(np.rint(shown).astype(np.uint8))


def written_on(image: Image.Image, chance: Chance) -> Image.Image:
    """Write a few words, and draw an arrow."""
    image = image.copy()
    draw, (width, height) = ImageDraw.Draw(image), image.size
    for _ in range(chance.integers(1, 5)):
        text = "".join(chance.choice(list("ABCDEFGH 0123456789"), chance.integers(3, 12)))
        font = ImageFont.load_default(size=max(8.0, height * chance.uniform(0.03, 0.07)))
        draw.text((chance.uniform(0, 0.8) * width, chance.uniform(0, 0.9) * height), text, fill=255, font=font)
    x, y = chance.uniform(0.2, 0.8) * width, chance.uniform(0.2, 0.8) * height
    end = x + chance.uniform(-0.1, 0.1) * width, y + chance.uniform(-0.1, 0.1) * height
    draw.line((x, y, *end), fill=255, width=max(2, width // 100))
    return image


def boxed(image: Image.Image, chance: Chance) -> Image.Image:
    """Cover one or two corners, as who takes a name away."""
    image = image.copy()
    draw, (width, height) = ImageDraw.Draw(image), image.size
    for corner in chance.choice(4, chance.integers(1, 3), replace=False):
        wide, high = chance.uniform(0.08, 0.25) * width, chance.uniform(0.04, 0.12) * height
        left, top = (0 if corner % 2 == 0 else width - wide), (0 if corner < 2 else height - high)
        draw.rectangle((left, top, left + wide, top + high), fill=int(chance.choice([0, 255])))
    return image


def scaled(image: Image.Image, chance: Chance) -> Image.Image:
    """Make it smaller or larger, and not by the same factor in both directions."""
    size = [max(48, round(side * chance.uniform(0.3, 1.4))) for side in image.size]
    return image.resize((size[0], size[1]), Image.Resampling.BILINEAR)


def beside(image: Image.Image, chance: Chance) -> Image.Image:
    """Print it beside another one: here its own mirror image, for what that is does not matter."""
    page = Image.new("L", (2 * image.width + 8, image.height), int(chance.choice([0, 255])))
    page.paste(image, (0, 0))
    page.paste(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(20), (image.width + 8, 0))
    return page


def curve(exponent: float) -> list[int]:
    """Return the table of a gamma curve."""
    return [round(255 * (value / 255) ** exponent) for value in range(256)]


TURNS = [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270]
CHANGES: dict[str, tuple[Change, float | None]] = {
    "saved as JPEG": (lambda image, chance: again(image, int(chance.integers(25, 90))), 0.95),
    "scaled": (scaled, 0.95),
    "mirrored": (lambda image, chance: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 0.95),
    "upside down": (lambda image, chance: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM), 0.95),
    "turned by quarters": (lambda image, chance: image.transpose(TURNS[chance.integers(3)]), 0.95),
    "inverted": (lambda image, chance: image.point([255 - value for value in range(256)]), 0.95),
    "border to 10 %": (lambda image, chance: framed(image, chance, chance.uniform(0.01, 0.1)), 0.95),
    "border to 30 %": (lambda image, chance: framed(image, chance, chance.uniform(0.1, 0.3)), None),
    "cut of 2 %": (lambda image, chance: cut(image, chance, 0.02), 0.95),
    "cut of 4 %": (lambda image, chance: cut(image, chance, 0.04), 0.95),
    "cut of 8 %": (lambda image, chance: cut(image, chance, 0.08), 0.95),
    "cut of 15 %": (lambda image, chance: cut(image, chance, 0.15), None),
    "gamma 0.5 to 2": (lambda image, chance: image.point(curve(2 ** chance.uniform(-1, 1))), 0.95),
    "window": (windowed, 0.95),
    "local contrast": (equalised, 0.95),
    "text and arrows": (written_on, 0.95),
    "boxes in corners": (boxed, 0.95),
    "turned by 1 degree": (lambda image, chance: image.rotate(float(chance.choice([-1, 1])), BILINEAR), None),
    "turned by 2 degrees": (lambda image, chance: image.rotate(float(chance.choice([-2, 2])), BILINEAR), None),
    "two panels": (beside, None),
}  # fmt: skip
"""How a picture is changed, and which share of such copies a build should find."""


def again(image: Image.Image, quality: int) -> Image.Image:
    """Save as JPEG and read it again."""
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return Image.open(data).convert("L")


Row = tuple[Image.Image, str | None, str | None]
"""A picture, its patient where one is known, and its modality."""


def of_builds(names: list[str]) -> Iterator[tuple[Row, float, float]]:
    """Yield the pictures of finished builds, with the seconds that it took to decode each, and to look at it.

    Each is averaged down once, for its quality, and counts as decoded then.
    """
    for name in names:
        table = open_table(find_build(name))
        for image, patient, known, modality in zip(
            *(table[column] for column in ("image", "patient_id", "patient_known", "modality")), strict=True
        ):
            if image.as_py() is None:
                continue
            start = time.process_time()
            grey = to_grey(decode(image.as_py()["bytes"]))
            seen = reduced(grey)
            decoded = time.process_time()
            looks_in(seen)
            done = time.process_time()
            grey.thumbnail((LARGEST, LARGEST))
            person = patient.as_py() if known.as_py() else None
            yield (grey, person, modality.as_py()), decoded - start, done - decoded


def of_phantoms(count: int) -> Iterator[tuple[Row, float, float]]:
    """Yield phantoms, films and slices."""
    from covid_datasets.builders.phantom import picture

    from covid_datasets.raw.tree import RawTree

    for number in range(count):
        modality = ("CT", "CXR")[number % 2]
        data = picture(RawTree(()), 0, number, 1, modality, 0, False, "image")
        start = time.process_time()
        grey = to_grey(decode(data))
        seen = reduced(grey)
        decoded = time.process_time()
        looks_in(seen)
        yield (grey, f"phantom/{number}", modality), decoded - start, time.process_time() - decoded


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--pictures", type=int, default=200, help="how many are changed in each way")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    measured = list(of_builds(options.names) if options.names else of_phantoms(options.pictures))
    decoding, looking = (sum(seconds) for seconds in zip(*(each[1:] for each in measured), strict=True))
    rows = [row for row, *_ in measured]
    print(f"{len(rows):,} pictures: decoding took {1e3 * decoding / len(rows):.2f} ms each, "
          f"looks {1e3 * looking / len(rows):.2f} ms, {looking / decoding:.0%} of it (aim 25 %)")  # fmt: skip

    people: dict[str | None, list[str]] = {}
    for _, person, modality in rows:
        if person is not None:
            people.setdefault(modality, []).append(person)
    pairs = 0
    for persons in people.values():
        _, counts = np.unique(persons, return_counts=True)
        pairs += (len(persons) ** 2 - int((counts**2).sum())) // 2
    start = time.perf_counter()
    links = near_duplicates(Seen.of(looks_of(image) for image, *_ in rows))
    false = [link for link in links if _different(rows[link.first], rows[link.second])]
    seconds = time.perf_counter() - start
    print(f"{len(links)} pairs found in {seconds:.1f} s; of {pairs:,} of different patients {len(false)}")
    for link in false:
        print(f"  {rows[link.first][1]} and {rows[link.second][1]}: {link.key}")

    chance = np.random.default_rng(options.seed)
    originals = [rows[number][0] for number in chance.permutation(len(rows))[: options.pictures]]
    looks = [looks_of(image) for image in originals]
    for name, (change, aim) in CHANGES.items():
        copies = []
        for image in originals:
            copy = change(image, chance)
            copies.append(looks_of(again(copy, int(chance.integers(60, 95))) if chance.random() < 0.5 else copy))
        sides = ["original"] * len(looks) + ["copy"] * len(copies)
        found = {(link.first, link.second) for link in near_duplicates(Seen.of([*looks, *copies]), sides)}
        recall = np.mean([(number, number + len(looks)) in found for number in range(len(looks))])
        print(f"  {name:20} {recall:.3f}" + (f" (aim {aim})" if aim else ""), flush=True)


def _different(one: Row, other: Row) -> bool:
    return one[1] is not None and other[1] is not None and one[1] != other[1] and one[2] == other[2]


if __name__ == "__main__":
    main()
