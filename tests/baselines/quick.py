"""A training that takes a second: what it does is the same as with large networks and cohorts."""

from __future__ import annotations

from typing import Any

QUICK: dict[str, Any] = {"network": "mobilenet_v2", "width": 0.1, "image_size": 32, "batch_size": 16, "epochs": 2}
"""Changes of the small recipe; this network needs no MONAI, whose import takes seconds."""
SCHEME = "patient(50/25/25)"
