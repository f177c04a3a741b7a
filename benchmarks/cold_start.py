"""W2: a new process until the package is imported, and until the first sample of a finished dataset is decoded."""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.measuring import ROUNDS, in_process, in_turns, median, show

END = "\nimport json, sys\nprint(json.dumps({}))"
SNIPPETS = {
    "python alone": "pass",
    "import covid_datasets": "import covid_datasets",
    "limit: NumPy and Pillow": (
        "import sys, io, numpy as np\nfrom PIL import Image\n"
        "with open(sys.argv[3], 'rb') as f: np.asarray(Image.open(io.BytesIO(f.read())))"
    ),
    "framework='numpy'": (
        "import sys, covid_datasets\n"
        "covid_datasets.load_dataset('covid_ct', split='train', framework='numpy', cache_dir=sys.argv[1])[0]['image']"
    ),
    "import torch": "import torch",
    "framework='torch'": (
        "import sys, covid_datasets\n"
        "covid_datasets.load_dataset('covid_ct', split='train', framework='torch', cache_dir=sys.argv[1])[0]['image']"
    ),
    "datasets.load_from_disk": (
        "import sys, datasets, numpy as np\nnp.asarray(datasets.load_from_disk(sys.argv[2])['train'][0]['image'])"
    ),
    "framework='hf'": (
        "import sys, covid_datasets, numpy as np\n"
        "np.asarray(covid_datasets.load_dataset('covid_ct', cache_dir=sys.argv[1])['train'][0]['image'])"
    ),
}


def timed(code: str, *arguments: str) -> dict[str, float]:
    """Time a whole process."""
    started = time.perf_counter()
    in_process(code + END, *arguments)
    return {"seconds": time.perf_counter() - started}


def main() -> None:
    """Build COVID-CT once, then start cold again and again."""
    import covid_datasets

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--covid-ct", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=2 * ROUNDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        built = covid_datasets.build_dataset("covid_ct", data_dir=options.covid_ct, cache_dir=cache)
        image = next((options.covid_ct / "CT_COVID").iterdir())
        arguments = (cache, str(built.path), str(image))
        results = in_turns({name: partial(timed, code, *arguments) for name, code in SNIPPETS.items()}, options.rounds)
    for name, measured in results.items():
        show(name, measured, "seconds", "s")
    took = {name: median(measured, "seconds") for name, measured in results.items()}
    print(
        f"  import over python alone: {1000 * (took['import covid_datasets'] - took['python alone']):.0f} ms (aim 60)"
    )
    print(f"  numpy: {took[SNIPPETS_NUMPY]:.3f} s (aim 0.16); limit {took['limit: NumPy and Pillow']:.3f}")
    print(f"  numpy over the limit: {took[SNIPPETS_NUMPY] / took['limit: NumPy and Pillow']:.3f} (aim 1.35)")
    print(f"  torch over its import: {took[SNIPPETS_TORCH] - took['import torch']:.3f} s (aim 0.2)")
    print(f"  hf over load_from_disk: {took[SNIPPETS_HF] / took['datasets.load_from_disk']:.3f} (aim 1.10)")


SNIPPETS_NUMPY, SNIPPETS_HF, SNIPPETS_TORCH = "framework='numpy'", "framework='hf'", "framework='torch'"

if __name__ == "__main__":
    main()
