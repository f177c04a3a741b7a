"""Copies of a picture as people make them, each at a strength drawn by chance."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

Chance = np.random.Generator
Made = Callable[[Image.Image, Chance, Sequence[Image.Image]], Image.Image]
"""Makes a copy of a grey picture; the others are films that may stand beside it in a figure."""
BICUBIC = Image.Resampling.BICUBIC


def _jpeg(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    data = io.BytesIO()
    film.save(data, "JPEG", quality=int(chance.integers(25, 90)))
    return Image.open(data).convert("L")


def _resize(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    longer = float(chance.uniform(224, 1024))
    size = (longer, longer) if chance.random() < 0.3 else tuple(side * longer / max(film.size) for side in film.size)
    return film.resize((max(32, round(size[0])), max(32, round(size[1]))), Image.Resampling.BILINEAR)


def _noise(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    pixels = np.asarray(film.filter(ImageFilter.GaussianBlur(float(chance.uniform(0, 1.5)))), np.float32)
    return _picture(pixels + chance.normal(0, chance.uniform(2, 12), pixels.shape))


def _crop(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    width, height = (side * (1 - chance.uniform(0.02, 0.3)) for side in film.size)
    left, top = chance.uniform(0, film.width - width), chance.uniform(0, film.height - height)
    return film.crop((round(left), round(top), round(left + width), round(top + height)))


def _border(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    most = chance.uniform(0.01, 0.3)
    sides = tuple(round(float(side)) for side in chance.uniform(0, most, 4) * np.tile(film.size, 2))
    return ImageOps.expand(film, sides, int(chance.choice(np.asarray([0, 255, int(chance.integers(0, 256))]))))


def _rotation(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    angle = float(chance.uniform(0.5, 5) * chance.choice([-1, 1]))
    return film.rotate(angle, BICUBIC, expand=bool(chance.random() < 0.5))


def _quarter(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    turns = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
    return film.transpose(turns[int(chance.integers(3))])


def _flip(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    return ImageOps.mirror(film) if chance.random() < 0.7 else ImageOps.flip(film)


def _inversion(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    return ImageOps.invert(film)


def _gamma(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    power = float(np.exp(chance.uniform(np.log(0.5), np.log(2))))
    return _picture(255 * (np.asarray(film, np.float32) / 255) ** power)


def _window(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    pixels = np.asarray(film, np.float32)
    low, high = np.percentile(pixels, [chance.uniform(0, 25), chance.uniform(75, 100)])
    return _picture((pixels - low) * 255 / max(float(high - low), 24.0))


def _local_contrast(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    if chance.random() < 0.2:
        return ImageOps.equalize(film)
    import cv2

    tiles = int(chance.integers(4, 17))
    evened = cv2.createCLAHE(float(chance.uniform(1.5, 6)), (tiles, tiles)).apply(np.asarray(film))
    return Image.fromarray(evened)


def _writing(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    film = film.copy()
    draw = ImageDraw.Draw(film)
    for _ in range(int(chance.integers(2, 9))):
        x, y = (float(chance.uniform(0, 0.9) * side) for side in film.size)
        grey, size = int(chance.choice([0, 255])), float(chance.uniform(0.03, 0.07) * film.height)
        if chance.random() < 0.5:
            draw.text((x, y), "".join(chance.choice(list("ABCDEFGHLRX 0123456789"), 8)), grey, font_size=max(size, 8))
        else:
            tip = (x + float(chance.normal(0, 2 * size)), y + float(chance.normal(0, 2 * size)))
            draw.line((x, y, *tip), grey, max(1, round(size / 6)))
            draw.regular_polygon((*tip, max(3.0, size / 3)), 3, fill=grey)
    return film


def _boxes(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    film = film.copy()
    draw = ImageDraw.Draw(film)
    for corner in range(4):
        if corner and chance.random() < 0.5:
            continue
        width, height = (float(chance.uniform(0.05, 0.25) * side) for side in film.size)
        left, top = (corner % 2) * (film.width - width), (corner // 2) * (film.height - height)
        draw.rectangle((left, top, left + width, top + height), int(chance.choice([0, 255])))
    return film


def _screenshot(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    return screenshot(film, chance)


def screenshot(film: Image.Image, chance: Chance) -> Image.Image:
    """Show a film in the window of a viewer: a bar, a list at the side, writing in the corners of the film."""
    screen = Image.new("L", (1280, 800), int(chance.integers(0, 60)))
    draw = ImageDraw.Draw(screen)
    light = int(chance.integers(120, 256))
    bar, side = int(chance.integers(30, 90)), int(chance.integers(80, 260))
    draw.rectangle((0, 0, 1280, bar), int(chance.integers(30, 220)))
    for place in range(int(chance.integers(6, 20))):
        draw.rounded_rectangle((10 + 60 * place, 5, 50 + 60 * place, bar - 5), 4, int(chance.integers(0, 256)), light)
        draw.text((16 + 60 * place, bar / 2 - 6), chr(65 + place), light, font_size=14)
    for place in range(int(chance.integers(5, 25))):
        draw.text((6, bar + 12 + 26 * place), f"Series {chance.integers(1000)}: {place}", light, font_size=13)
    room = (1280 - side - 10, 800 - bar - 10)
    scale = min(room[0] / film.width, room[1] / film.height) * float(chance.uniform(0.7, 1))
    shown = film.resize((max(32, round(film.width * scale)), max(32, round(film.height * scale))), BICUBIC)
    left = side + int(chance.integers(0, max(1, room[0] - shown.width)))
    top = bar + int(chance.integers(0, max(1, room[1] - shown.height)))
    screen.paste(shown, (left, top))
    for line in range(int(chance.integers(0, 6))):
        draw.text((left + 6, top + 6 + 16 * line), f"W {chance.integers(999)} L {chance.integers(999)}", light)
    return screen


def _panels(count: int) -> Made:
    def made(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
        side = int(chance.integers(300, 520))
        height = side if chance.random() < 0.5 else round(side * 0.8)
        gap = int(chance.choice([0, 2, 6, 14]))
        places = [(0, 0), (side + gap, 0), (0, height + gap), (side + gap, height + gap)][:count]
        whole = (2 * side + gap, height if count == 2 else 2 * height + gap)
        figure = Image.new("L", whole, int(chance.choice([0, 255])))
        shown = [film, *(others[int(number)] for number in chance.choice(len(others), count - 1, replace=False))]
        for place, number in enumerate(chance.permutation(count)):
            panel = shown[int(number)]
            panel = panel.resize((side, height), BICUBIC) if chance.random() < 0.3 else _fitted(panel, side, height)
            figure.paste(panel, places[place])
            if chance.random() < 0.6:
                at = (places[place][0] + 8, places[place][1] + 8)
                ImageDraw.Draw(figure).text(at, "ABCD"[place], 255, font_size=24)
        return figure

    return made


def _fitted(film: Image.Image, width: int, height: int) -> Image.Image:
    """Show a film whole in a panel, or fill the panel with its centre where hardly anything is lost."""
    aspect = film.width / film.height * height / width
    if 0.8 < aspect < 1.25:
        return ImageOps.fit(film, (width, height), BICUBIC)
    return ImageOps.pad(film, (width, height), BICUBIC)


SINGLE: Mapping[str, Made] = {
    "jpeg": _jpeg,
    "resize": _resize,
    "noise, blur": _noise,
    "crop": _crop,
    "border": _border,
    "rotation": _rotation,
    "quarter turn": _quarter,
    "flip": _flip,
    "inversion": _inversion,
    "gamma": _gamma,
    "window": _window,
    "local contrast": _local_contrast,
    "text, arrows": _writing,
    "corner boxes": _boxes,
    "screenshot": _screenshot,
}
PANELS: Mapping[str, Made] = {"2 panels": _panels(2), "4 panels": _panels(4)}


def _two(film: Image.Image, chance: Chance, others: Sequence[Image.Image]) -> Image.Image:
    """Do two of all things that are done to pictures, one after the other."""
    every = list({**SINGLE, **PANELS}.values())
    for number in chance.choice(len(every), 2, replace=False):
        film = every[int(number)](film, chance, others)
    return film


TRANSFORMS: Mapping[str, Made] = {**SINGLE, **PANELS, "two at once": _two}


def _picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
