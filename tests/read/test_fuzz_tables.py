"""Whatever is in a table, a text, a catalog file or an archive, it is read or refused with an error of ours.

``python -m benchmarks.fuzz`` goes on where this ends.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.read.fuzz_tables import KINDS, raw_errors, readers


@pytest.mark.parametrize("kind", KINDS)
def test_five_hundred_changed_files(kind: str) -> None:
    assert raw_errors(kind, 500, seed=0) == []


def test_every_kind_is_tried(tmp_path: Path) -> None:
    assert set(readers(tmp_path)) == set(KINDS)
