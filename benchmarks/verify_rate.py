"""W7: verifying a finished dataset, against hashlib on the same bytes and against decoding them."""

from __future__ import annotations

import tempfile
from functools import partial

from benchmarks.measuring import in_process, in_turns, median, real_sources, show

OPEN = """
import hashlib, io, json, sys, time
from concurrent.futures import ThreadPoolExecutor
import covid_datasets.load.verify as checking
from covid_datasets.prepare.result import Built
from covid_datasets.load.stored import open_table
from pathlib import Path
from PIL import Image
folder = Path(sys.argv[1])
images = open_table(Built.read(folder)).column("image")
data = [image.as_buffer() for chunk in images.chunks for image in chunk.field("bytes")]
total = sum(one.size for one in data) / 1e6
"""
END = "\nprint(json.dumps({'mb_per_s': total / (time.perf_counter() - started)}))"
SNIPPETS = {
    "hashlib": OPEN + "started = time.perf_counter()\nfor one in data: hashlib.sha256(one).hexdigest()" + END,
    "verify": OPEN + "started = time.perf_counter()\nassert checking.verify(folder).ok" + END,
    "decode, 2 threads": OPEN
    + "def decode(one): Image.open(io.BytesIO(one.to_pybytes())).load()\nstarted = time.perf_counter()\n"
    + "with ThreadPoolExecutor(2) as pool: list(pool.map(decode, data))"
    + END,
    "verify with pixels": OPEN + "started = time.perf_counter()\nassert checking.verify(folder, pixels=True).ok" + END,
}


def main() -> None:
    """Measure both sources."""
    import covid_datasets

    options = real_sources(__doc__)
    for source, folder in (("covid_ct", options.covid_ct), ("cohen", options.cohen)):
        if folder is None:
            continue
        with tempfile.TemporaryDirectory() as cache:
            built = covid_datasets.build_dataset(source, data_dir=folder, cache_dir=cache)
            results = in_turns(
                {name: partial(in_process, code, str(built.path)) for name, code in SNIPPETS.items()}, options.rounds
            )
        print(source)
        for name, measured in results.items():
            show(name, measured, "mb_per_s", "MB/s")
        rate = {name: median(measured, "mb_per_s") for name, measured in results.items()}
        print(f"  verify over hashlib: {rate['verify'] / rate['hashlib']:.2f} (aim 1.1)")
        print(f"  with pixels over decoding: {rate['verify with pixels'] / rate['decode, 2 threads']:.2f} (aim 0.9)")


if __name__ == "__main__":
    main()
