"""Windows: by name, by their ends, by centre and width; what is none of these is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from covid_datasets.errors import UsageError
from covid_datasets.transforms.windows import WINDOWS, window_range, windowed


def test_all_forms_of_a_window_are_one() -> None:
    assert window_range("mediastinum") == window_range((-160, 240)) == window_range({"centre": 40, "width": 400})


@pytest.mark.parametrize(
    "wrong",
    ["lungs", "", (400, -1000), (1, 1), (1,), (1, 2, 3), (float("nan"), 3), ("a", "b"), {"centre": 1}, {1: 2, 3: 4}, 5,
     {"centre": 1, "width": 0}, {"centre": 1, "width": -5}, (float("-inf"), 0), True],
)  # fmt: skip
def test_what_is_no_window_is_said(wrong: Any) -> None:
    with pytest.raises(UsageError, match="window"):
        window_range(wrong)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_rises_from_black_to_white(name: str) -> None:
    low, high = WINDOWS[name]
    values = np.arange(-3000, 3000, dtype=np.int16)
    grey = windowed(values, (low, high))
    assert (np.diff(grey.astype(int)) >= 0).all()
    assert set(grey[values <= low]) == {0}
    assert set(grey[values >= high]) == {255}
    exact = np.clip((values - low) / (high - low), 0, 1) * 255
    assert np.abs(grey - exact).max() <= 0.5 + 1e-9


def test_whole_numbers_and_fractions_are_shown_alike() -> None:
    values = np.arange(-1500, 1500, dtype=np.int16)
    assert np.array_equal(windowed(values, (-1350, 150)), windowed(values.astype(np.float64), (-1350, 150)))
