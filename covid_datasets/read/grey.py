"""How the stored values of a radiograph become grey: the steps of DICOM as one table, and what was done in words.

A value has at most 16 bits, so that every step can be done once for each value there is (PS3.3, C.11.1, C.11.2 and
C.7.6.3.1.2), and then looked up for each pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from covid_datasets.read.dicom import Numbers, number, numbers, several, text
from covid_datasets.read.pixels import Layout

TAGS = """
RescaleSlope RescaleIntercept ModalityLUTSequence WindowCenter WindowWidth VOILUTFunction VOILUTSequence
PixelPaddingValue PresentationIntentType PresentationLUTShape LossyImageCompression
""".split()
INVERTED = "MONOCHROME1"


@dataclass(frozen=True, slots=True)
class Table:
    """A grey value for each stored one, and what the values are, in words."""

    grey: np.ndarray
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class _Lut:
    first: int
    values: np.ndarray
    bits: int

    def share(self, values: np.ndarray) -> np.ndarray:
        return self.look_up(values) / float((1 << self.bits) - 1)

    def look_up(self, values: np.ndarray) -> np.ndarray:
        at = np.clip(np.rint(values) - self.first, 0, len(self.values) - 1).astype(np.int64)
        found: np.ndarray = self.values[at].astype(np.float64)
        return found


def as_stored(found: Any, what: Layout) -> Table:
    """Keep the stored values, so that nothing is lost: only their sign and an inverted scale are turned.

    Values with a sign are moved up by half their range; where small ones are white (MONOCHROME1) they are inverted.
    """
    values = np.arange(1 << what.stored)
    said = [f"stored values of {what.stored} bits"]
    if what.signed:
        values = values ^ (1 << (what.stored - 1))
        said.append(f"moved up by {1 << (what.stored - 1)}")
    if what.photometric == INVERTED:
        values = values[::-1]
        said.append("inverted (MONOCHROME1)")
    steps = [*_modality(found, what)[1:], *_look(found, what)[1:]]
    return Table(
        values.astype(_kind(what)), "; ".join([*said, *(f"{step} not applied" for step in steps), *_also(found)])
    )


def as_shown(found: Any, what: Layout) -> Table:
    """Apply every step, as a viewer does, and spread what comes out over 16 bits, or 8 where 8 are stored."""
    values = np.arange(1 << what.stored, dtype=np.float64)
    if what.signed:
        values[len(values) // 2 :] -= len(values)
    modality, *first = _modality(found, what)
    look, *second = _look(found, what)
    values = modality(values)
    if look is None:
        low, high = float(values.min()), float(values.max())
        share = (values - low) / max(high - low, 1e-9)
    else:
        share = look(values)
    said = [f"grey of {8 * _kind(what).itemsize} bits", *(f"{step} applied" for step in (*first, *second))]
    if not first and not second:
        said.append("no modality or VOI LUT, spread over the whole range")
    if what.photometric == INVERTED:
        share = 1.0 - share
        said.append("inverted (MONOCHROME1)")
    most = np.iinfo(_kind(what)).max
    return Table(np.rint(np.clip(share, 0, 1) * most).astype(_kind(what)), "; ".join([*said, *_also(found)]))


def _kind(what: Layout) -> np.dtype[Any]:
    return np.dtype(np.uint8 if what.stored <= 8 else np.uint16)


def _also(found: Any) -> list[str]:
    """Say what else bears on the values."""
    said = []
    if intent := text(found, "PresentationIntentType").strip().lower():
        said.append(intent)
    if (padding := found.get("PixelPaddingValue")) is not None:
        said.append(f"padding {int(padding)} kept")
    if text(found, "LossyImageCompression").strip() == "01":
        said.append("compressed with loss")
    return said


def _modality(found: Any, what: Layout) -> tuple[Any, ...]:
    """Return what the modality LUT does, and its name where there is one."""
    if sequence := found.get("ModalityLUTSequence"):
        lut = _lut(sequence[0], what.signed)
        return lut.look_up, f"modality LUT of {len(lut.values)} entries"
    slope, intercept = number(found, "RescaleSlope"), number(found, "RescaleIntercept")
    if slope is None or intercept is None:
        return (lambda values: values,)
    if slope == 0:
        raise ValueError("RescaleSlope 0")
    return (lambda values: values * slope + intercept), f"rescale (slope {slope:g}, intercept {intercept:g})"


def _look(found: Any, what: Layout) -> tuple[Any, ...]:
    """Return what the VOI LUT or else the window does, the first of several, and its name where there is one."""
    if sequence := found.get("VOILUTSequence"):
        signed = what.signed or bool((number(found, "RescaleIntercept") or 0) < 0)
        lut = _lut(sequence[0], signed)
        return lut.share, f"VOI LUT of {len(lut.values)} entries"
    centre, width = (_first(found, name) for name in ("WindowCenter", "WindowWidth"))
    if centre is None or width is None:
        return (None,)
    function = text(found, "VOILUTFunction").strip().upper() or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise ValueError(f"VOILUTFunction {function}")
    if width <= 0 or (function == "LINEAR" and width < 1):
        raise ValueError(f"WindowWidth {width:g}")

    def share(values: np.ndarray) -> np.ndarray:
        if function == "SIGMOID":
            steps = np.clip(-4 * (values - centre) / width, -700, 700)
            return np.array([1 / (1 + math.exp(step)) for step in steps.tolist()])
        if function == "LINEAR_EXACT":
            return np.clip((values - centre) / width + 0.5, 0, 1)
        if width == 1:
            return np.where(values > centre - 0.5, 1.0, 0.0)
        return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)

    kind = "" if function == "LINEAR" else f", {function}"
    return share, f"window (centre {centre:g}, width {width:g}{kind})"


def _first(found: Any, name: str) -> float | None:
    values: Numbers | None = numbers(found, name, len(several(found.get(name))))
    return values[0] if values else None


def _lut(item: Any, signed: bool) -> _Lut:
    """Read a table: how many entries, the value of the first, and the bits of each."""
    count, first, bits = (int(value) for value in item.LUTDescriptor)
    count = count or 1 << 16
    if signed and first >= 1 << 15:
        first -= 1 << 16
    data = item.LUTData
    if isinstance(data, bytes):
        values = np.frombuffer(data, np.uint8 if len(data) == count else "<u2")
    else:
        values = np.array([int(value) for value in data]) & 0xFFFF
    if not 8 <= bits <= 16 or not 1 <= count == len(values) <= 1 << 16 or int(values.max()) >= 1 << bits:
        raise ValueError(f"a LUT of {len(values):,} entries; its descriptor says {count:,} of {bits} bits")
    return _Lut(first, values, bits)
