"""Volumes to slices: .nii.gz to every slice encoded, and to a finished dataset, against what peers do with the same."""

from __future__ import annotations

import argparse
import gzip
import os
import re
import shutil
import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.measuring import ROUNDS, in_process, in_turns, median, show
from covid_datasets.catalog.folder import catalog_folder

DEPTHS = (60, 140, 220, 300)
SIDE = 512

# Each contender is a function of the bytes of one file. Peak memory is counted from after the imports.
READ = """
import json, sys, time
from pathlib import Path
{imports}
def memory(field):
    text = Path("/proc/self/status").read_text()
    return int(text.partition(field + ":")[2].split()[0]) * 1024 / 1e6
def work(path):
    {work}
before = memory("VmRSS")
work(sys.argv[1])
files = sys.argv[2:]
Path("/proc/self/clear_refs").write_text("5")
started = time.perf_counter()
for file in files:
    work(file)
seconds = time.perf_counter() - started
print(json.dumps({{"seconds": seconds, "peak_mb": memory("VmHWM") - before}}))
"""

CONTENDERS = {
    "nibabel, as stored": ("nibabel", "import nibabel, numpy", "numpy.asarray(nibabel.load(path).dataobj)"),
    "nibabel, get_fdata": ("nibabel", "import nibabel", "nibabel.load(path).get_fdata()"),
    "MONAI LoadImage": (
        "monai",
        "from monai.transforms import LoadImage\nload = LoadImage(image_only=True)",
        "load(path)",
    ),
    "Hugging Face Nifti": (
        "datasets",
        "import numpy, nibabel, datasets\nfeature = datasets.Nifti()",
        'numpy.asarray(feature.decode_example({"bytes": Path(path).read_bytes(), "path": path}).dataobj)',
    ),
    "inflate only: isal": ("isal", "from isal import igzip", "igzip.decompress(Path(path).read_bytes())"),
    "inflate only: libdeflate": ("deflate", "import deflate", "deflate.gzip_decompress(Path(path).read_bytes())"),
    "inflate, write to one file": (
        "isal",
        "import os, tempfile\nfrom isal import igzip\nout = tempfile.TemporaryFile(buffering=0)",
        "out.write(igzip.decompress(Path(path).read_bytes())); os.fsync(out.fileno())",
    ),
    "ours, voxels": (
        "nibabel",
        "import nibabel\nfrom covid_datasets.read.nifti import read_volume",
        "read_volume(Path(path).read_bytes(), path)",
    ),
    "ours, every slice encoded": (
        "nibabel",
        "import nibabel\n"
        "from covid_datasets.read.slices import axial_slices\n"
        "from covid_datasets.read.encode import encode\n"
        "class Files:\n    def read(self, path): return Path(path).read_bytes()",
        "[len(encode(part.pixels)) for part in axial_slices(Files(), path)]",
    ),
    "ours, and all kept in memory": (
        "nibabel",
        "import nibabel\n"
        "from covid_datasets.read.slices import axial_slices\n"
        "from covid_datasets.read.encode import encode\n"
        "class Files:\n    def read(self, path): return Path(path).read_bytes()",
        "[encode(part.pixels) for part in axial_slices(Files(), path)]",
    ),
}
TWO = "build slices, full, two workers"
NIBABEL, LIMITS = "nibabel, as stored", ("inflate only: isal", "inflate only: libdeflate")

BUILD = """
import json, sys, time
from pathlib import Path
import nibabel, openpyxl, pyarrow.compute, covid_datasets.prepare.engine as engine, covid_datasets.builders.mosmed
from covid_datasets import catalogs
folder, catalog, config, verify, workers, out = sys.argv[1:]
catalogs.__path__ = [catalog]
def memory(field):
    text = Path("/proc/self/status").read_text()
    return int(text.partition(field + ":")[2].split()[0]) * 1024 / 1e6
before = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
started = time.perf_counter()
engine.build_dataset(
    "mosmed", config, data_dir=folder, cache_dir=out, verify=verify, num_proc=int(workers), allow_missing=True
)
print(json.dumps({"seconds": time.perf_counter() - started, "peak_mb": memory("VmHWM") - before}))
"""


RANDOM = """
import json, random, sys, time
from pathlib import Path
import nibabel, numpy
from covid_datasets import catalogs, load_dataset
folder, catalog, out = sys.argv[1:]
catalogs.__path__ = [catalog]
rows = load_dataset("mosmed", "slices", "all", framework="numpy", cache_dir=out, allow_missing=True)
files = sorted(str(path) for path in Path(folder).glob("studies/*/*.nii.gz"))
depths = {file: nibabel.load(file).shape[2] for file in files}
random.seed(1)
def lazily():
    file = random.choice(files)
    return numpy.asarray(nibabel.load(file).dataobj[..., random.randrange(depths[file])])
def built():
    return rows[random.randrange(len(rows))]["image"]
def seconds(read, count):
    read()
    started = time.perf_counter()
    for _ in range(count):
        read()
    return (time.perf_counter() - started) / count
print(json.dumps({"lazily": seconds(lazily, 12), "built": seconds(built, 600)}))
"""


def chest(depth: int) -> np.ndarray:
    """Make a body with lungs and noise like that of a scanner; compresses about as well as a real one."""
    random = np.random.default_rng(depth)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    body = (x / 0.85) ** 2 + (y / 0.62) ** 2 < 1
    slices = np.empty((depth, SIDE, SIDE), np.int16)
    for number, out in enumerate(slices):
        size = 0.4 + 0.6 * np.sin(np.pi * (number + 0.5) / depth)
        lungs = [((x + side) / (0.3 * size)) ** 2 + (y / (0.42 * size)) ** 2 < 1 for side in (0.38, -0.38)]
        values = np.where(lungs[0] | lungs[1], -850.0, np.where(body, 40.0, -1000.0))
        noise = random.normal(0, 1, (SIDE, SIDE))
        noise = (noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1) + np.roll(noise, (1, 1), (0, 1))) / 2
        values += noise * np.where(body, 20, 8)
        values[x * x + y * y >= 1] = -1024
        np.rint(values, out=values)
        out[:] = values
    return slices


def write_tree(folder: Path) -> list[Path]:
    """Write the volumes as a source whose builder we have lays them out."""
    import nibabel

    files = []
    for number, depth in enumerate(DEPTHS, start=1):
        path = folder / "studies" / "CT-0" / f"study_{number:04}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        affine = np.array([[-0.7, 0, 0, 180], [0, 0.7, 0, -180], [0, 0, 1.0, -300], [0, 0, 0, 1]])
        image = nibabel.Nifti1Image(chest(depth).T, affine)
        path.write_bytes(gzip.compress(image.to_bytes(), 6, mtime=0))
        files.append(path)
    return files


def write_catalog(folder: Path) -> Path:
    """Copy the catalog, without the identities of the real volumes: those made here have others."""
    catalog = Path(shutil.copytree(catalog_folder(), folder / "catalog", dirs_exist_ok=True))
    card = catalog / "mosmed.toml"
    text = re.sub(r"(?m)^manifest = .*\n", "", card.read_text(encoding="utf-8"))
    card.write_text(text.replace('what = "a volume"', 'what = "a volume", required = true'), encoding="utf-8")
    return catalog


def build(folder: Path, config: str, verify: str, workers: int = 1) -> dict[str, float]:
    """Build into a fresh cache."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as out:
        catalog = write_catalog(Path(out))
        return in_process(BUILD, str(folder), str(catalog), config, verify, str(workers), out)


def one_slice(folder: Path) -> dict[str, float]:
    """Read slices in random order, out of a build and out of the files that it was made of."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as out:
        catalog = write_catalog(Path(out))
        in_process(BUILD, str(folder), str(catalog), "slices", "bytes", "1", out)
        return in_process(RANDOM, str(folder), str(catalog), out)


def main() -> None:
    """Measure reading and building."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="where the volumes are kept between runs")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary)
        files = sorted(folder.glob("studies/*/*.nii.gz")) or write_tree(folder)
        stored = sum(len(file.read_bytes()) for file in files) / 1e6  # and every contender finds them in memory
        paths = [str(file) for file in files]
        os.environ["OMP_NUM_THREADS"] = "1"
        present = {name: code for name, code in CONTENDERS.items() if find_spec(code[0])}
        results = in_turns(
            {
                name: partial(in_process, READ.format(imports=imports, work=work), paths[0], *paths)
                for name, (_, imports, work) in present.items()
            }
            | {
                f"build {config}, {verify}": partial(build, folder, config, verify)
                for config, verify in (("slices", "bytes"), ("slices", "full"), ("volumes", "full"))
            }
            | {TWO: partial(build, folder, "slices", "full", 2)},
            options.rounds,
        )
        found = one_slice(folder)
    inflated, largest = (sum(DEPTHS) * SIDE * SIDE * 2 / 1e6, max(DEPTHS) * SIDE * SIDE * 2 / 1e6)
    print(f"{len(files)} volumes, {sum(DEPTHS)} slices, {stored:.0f} MB that inflate to {inflated:.0f} MB; one core")
    for missing in CONTENDERS.keys() - present.keys():
        print(f"  {missing:<32} not installed")
    limit = min(median(results[name], "seconds") for name in LIMITS if name in results)
    plain = median(results[NIBABEL], "seconds")
    for name, measured in results.items():
        show(name, measured, "seconds", "s")
        seconds, peak = median(measured, "seconds"), median(measured, "peak_mb")
        print(
            f"{'':<12}{plain / seconds:.2f} times nibabel (aim 2), {seconds / limit:.2f} of the fastest inflate (aim "
            f"1.20), peak {peak:.0f} MB = {peak / largest:.2f} of the largest volume (aim below 2)"
        )
    one = median(results["build slices, full"], "seconds")
    print(f"two workers: {one / median(results[TWO], 'seconds'):.2f} times one (aim 1.5)")
    print(
        f"a random slice: {found['built'] * 1e3:.2f} ms built, {found['lazily'] / found['built']:.0f} times lazily (50)"
    )


if __name__ == "__main__":
    main()
