"""Print the lowest declared versions as exact pins: `python .ci/lowest.py hf pandas > constraints.txt`."""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
declared = list(project["dependencies"])
for extra in sys.argv[1:]:
    declared += project["optional-dependencies"][extra]
for requirement in declared:
    if match := re.fullmatch(r"([\w.-]+)>=([\w.]+)", requirement):
        print(f"{match[1]}=={match[2]}")
    else:
        sys.exit(f"{requirement!r}: expected NAME>=VERSION")
