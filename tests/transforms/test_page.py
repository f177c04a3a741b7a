"""The guide's examples run, one after the other."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "transforms.md").read_text(encoding="utf-8")


def test_the_examples_run() -> None:
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    needs = {"import torch": "torch", ".on_monai import": "monai"}
    for block in blocks:
        if all(find_spec(module) for text, module in needs.items() if text in block):
            exec(block, names)
    assert len(blocks) > 3
