"""A ward of planted people: how ill they are shows in their pictures, and nothing else tells it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from covid_datasets import OwnData, build_dataset

LEVELS = ("mild", "moderate", "severe")
SIDE = 48


def film(seed: int, ill: float) -> Image.Image:
    """Draw two dark lungs, of which a share that grows with ``ill``, from 0 to 1, is white from below."""
    random = np.random.default_rng(seed)
    rough = Image.fromarray(random.integers(90, 166, (6, 6), dtype=np.uint8)).resize((SIDE, SIDE))
    picture = ImageDraw.Draw(rough)
    for left in (6, 27):
        picture.rectangle((left, 8, left + 14, 40), fill=30)
        picture.rectangle((left, 40 - round(32 * ill), left + 14, 40), fill=210)
    noise = random.normal(0, 12, (SIDE, SIDE))
    return Image.fromarray(np.clip(np.asarray(rough) + noise, 0, 255).astype(np.uint8))


def ward(folder: Path, people: int = 60, **changed: Any) -> OwnData:
    """Write two pictures of each person, and build them in ``folder / "cache"``.

    ``changed`` are columns, each a function of how ill a person is, the number of the person and that of the picture;
    they come beside those that are planted, or in place of them.
    """
    random = np.random.default_rng(0)
    home = folder / "ward"
    home.mkdir(parents=True)
    rows = []
    for person in range(people):
        ill = float(random.uniform(0, 1))
        days, followed = 1 + round(30 * (1 - ill)), int(random.integers(8, 25))
        for picture in range(2):
            name = f"p{person:03d}-{picture}.png"
            film(10 * person + picture, ill).save(home / name)
            row: dict[str, Any] = {
                "path": name,
                "patient": f"p{person:03d}",
                "label": "covid19",
                "sex": "FM"[person % 2],
                "age": int(random.integers(20, 90)),
                "severity": LEVELS[min(int(3 * ill), 2)],
                "crp_mg_per_l": round(200 * ill),
                "survival": "N" if days <= followed else "",
                "days_to_death": days if days <= followed else "",
                "days_seen_alive": "" if days <= followed else followed,
            }
            rows.append(row | {key: value(ill, person, picture) for key, value in changed.items()})
    with (home / "ward.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    own = OwnData(home)
    build_dataset(own, cache_dir=folder / "cache", num_proc=1)
    return own
