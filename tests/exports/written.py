"""The formats that can be written here: one needs a package that `make test` does without."""

from __future__ import annotations

from importlib.util import find_spec

from covid_datasets.exports.export import FORMATS

WRITTEN = [name for name in sorted(FORMATS) if name != "array_record" or find_spec("array_record")]
