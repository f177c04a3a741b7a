"""The course of a training as a picture: an SVG that any browser shows, without a plotting library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from covid_datasets.baselines.train.names import VALIDATION, decided

WIDTH, HEIGHT, MARGIN = 640, 240, 48
_COLOURS = ("#1f5fa8", "#b3471d")


def curve(history: Sequence[Mapping[str, Any]], title: str) -> str:
    """Draw the losses, and below them what decides on validation, by epoch.

    >>> curve([{"epoch": 1, "loss": 0.7}, {"epoch": 2, "loss": 0.5}], "a run").startswith("<svg")
    True
    """
    panels: list[tuple[str, tuple[str, ...]]] = [("loss", ("loss", "validation_loss"))]
    for name, _ in decided(history[-1])[:1]:
        panels.append((f"validation {name}", (VALIDATION + name.lower(),)))
    height = 24 + HEIGHT * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"',
        ' font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{MARGIN}" y="18" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (name, keys) in enumerate(panels):
        parts += _panel(history, name, keys, 24 + HEIGHT * number)
    return "\n".join([*parts, "</svg>", ""])


def _panel(history: Sequence[Mapping[str, Any]], name: str, keys: Sequence[str], top: int) -> list[str]:
    """Draw some columns over the epochs, with the lowest and the highest value written beside."""
    values: list[float] = [row[key] for row in history for key in keys if key in row]
    if not values:
        return []
    low, high = min(values), max(values)
    epochs: list[int] = [row["epoch"] for row in history]
    left, right, above, below = MARGIN, WIDTH - 16, top + 24, top + HEIGHT - 24

    def x(epoch: float) -> float:
        return left + (right - left) * (epoch - epochs[0]) / max(epochs[-1] - epochs[0], 1)

    def y(value: float) -> float:
        return below - (below - above) * (value - low) / ((high - low) or 1)

    parts = [
        f'<rect x="{left}" y="{above}" width="{right - left}" height="{below - above}" fill="none" stroke="#bbb"/>',
        f'<text x="{left - 4}" y="{above + 4}" text-anchor="end">{high:.3g}</text>',
        f'<text x="{left - 4}" y="{below + 4}" text-anchor="end">{low:.3g}</text>',
        f'<text x="{left}" y="{below + 16}">{epochs[0]}</text>',
        f'<text x="{right}" y="{below + 16}" text-anchor="end">epoch {epochs[-1]}</text>',
    ]
    for number, key in enumerate(keys):
        points = [(x(row["epoch"]), y(row[key])) for row in history if key in row]
        if not points:
            continue
        colour = _COLOURS[number]
        line = " ".join(f"{across:.1f},{down:.1f}" for across, down in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{across:.1f}" cy="{down:.1f}" r="2.5" fill="{colour}"/>' for across, down in points]
        label = key.replace("_", " ") if len(keys) > 1 else name
        parts.append(f'<text x="{left + 8 + 120 * number}" y="{above - 6}" fill="{colour}">{escape(label)}</text>')
    return parts
