"""What a DICOM header says of the equipment that made an image, as it is written, by the names of `schema.Record`.

A build stores manufacturers in one spelling each (`catalog.equipment`); what the header says stays in ``source_row``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TAGS = ("Manufacturer", "ManufacturerModelName", "ConvolutionKernel", "KVP", "SliceThickness")
_TEXTS = {
    "manufacturer": "Manufacturer",
    "scanner_model": "ManufacturerModelName",
    "kernel": "ConvolutionKernel",
}
_NUMBERS = {"kvp": ("KVP", 1.0, 500.0), "slice_thickness_mm": ("SliceThickness", 0.0, 500.0)}
"""Field -> element, and the range in which its number can be what its name says."""


def equipment_of(said: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields that the texts of some elements fill; what is empty or cannot be is left out.

    >>> equipment_of({"Manufacturer": "SIEMENS ", "KVP": "0", "SliceThickness": "1.5", "ConvolutionKernel": ""})
    {'manufacturer': 'SIEMENS', 'slice_thickness_mm': 1.5}
    """
    found: dict[str, Any] = {name: text for name, tag in _TEXTS.items() if (text := said.get(tag, "").strip())}
    for name, (tag, low, high) in _NUMBERS.items():
        try:
            value = float(said.get(tag, ""))
        except ValueError:
            continue
        if low <= value <= high:
            found[name] = value
    return found
