"""Lungs and infection: how near the truth, for each volume, beside trivial answers; on phantoms; and how fast.

    python -m benchmarks.segmentation real FOLDER     volumes with masks: X_image.nii.gz, X_lung..., X_infection...
    python -m benchmarks.segmentation phantoms        curves over noise, slice thickness, load and kind
    python -m benchmarks.segmentation pictures DIR…   how often lungs are found in pictures that are CT, or are none
    python -m benchmarks.segmentation cropped FOLDER  slices of such volumes as grey pictures, whole and cut close
    python -m benchmarks.segmentation speed           512 x 512 x 300 beside the same steps in plain scikit-image

No parameter was fitted: they come from anatomy and from phantoms, the two that refuse radiographs from pictures.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from covid_datasets.phantoms.volume import Kind, chest_volume
from covid_datasets.read.nifti import read_volume
from covid_datasets.transforms.segment.infection import infection_mask
from covid_datasets.transforms.segment.lungs import lung_mask
from covid_datasets.transforms.windows import windowed

METHODS = ("threshold", "rag")
GREY = "grey, window -1350 to 150"
LEAST_LUNG = 2000
"""Pixels of lung that a slice has which is shown as a picture."""


class Known(NamedTuple):
    """A volume with its true masks."""

    name: str
    voxels: np.ndarray
    lung: np.ndarray
    infection: np.ndarray
    spacing: tuple[float, float, float] | None
    dense: np.ndarray | None = None

    @property
    def rate(self) -> float:
        return float((self.infection & self.lung).sum() / self.lung.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("real")
    one.add_argument("folder", type=Path)
    one.set_defaults(run=lambda arguments: table(list(real(arguments.folder))))
    one = commands.add_parser("phantoms")
    one.add_argument("--seeds", type=int, default=4)
    one.set_defaults(run=lambda arguments: curves(arguments.seeds))
    one = commands.add_parser("pictures")
    one.add_argument("folders", type=Path, nargs="+")
    one.add_argument("--most", type=int, default=100)
    one.set_defaults(run=lambda arguments: pictures(arguments.folders, arguments.most))
    one = commands.add_parser("cropped")
    one.add_argument("folder", type=Path)
    one.set_defaults(run=lambda arguments: cropped(list(real(arguments.folder))))
    one = commands.add_parser("speed")
    one.add_argument("--slices", type=int, default=300)
    one.set_defaults(run=lambda arguments: speed(arguments.slices))
    arguments = parser.parse_args()
    arguments.run(arguments)


def real(folder: Path) -> Iterator[Known]:
    for path in sorted(folder.glob("*_image.nii.gz")):
        name = path.name.removesuffix("_image.nii.gz")

        def voxels(what: str, name: str = name) -> np.ndarray:
            beside = folder / f"{name}_{what}.nii.gz"
            return read_volume(beside.read_bytes(), beside.name).voxels

        infection = voxels("infection")
        yield Known(name, voxels("image"), voxels("lung") > 0, infection > 0, None, infection == 2)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / max(one.sum() + other.sum(), 1))


def recall(lung: np.ndarray, lesions: np.ndarray) -> float:
    return float((lung & lesions).sum() / max(lesions.sum(), 1))


def plain_threshold(known: Known) -> np.ndarray:
    """Find what is dark and does not touch the border: what most notebooks do."""
    from scipy import ndimage

    dark = known.voxels < (-320 if known.voxels.min() < -500 else 0.62 * 226 + 0.38 * 80)
    out = np.zeros(dark.shape, bool)
    for number, plane in enumerate(dark):
        names, count = ndimage.label(plane)
        sizes = np.bincount(names.ravel(), minlength=count + 1)
        for edge in (names[0], names[-1], names[:, 0], names[:, -1]):
            sizes[edge] = 0
        sizes[0] = 0
        out[number] = np.isin(names, np.flatnonzero(sizes > 0.004 * plane.size))
    return out


def table(volumes: list[Known]) -> None:
    """Print one line a volume for lungs, then for infection; then what all lines say together."""
    print("lungs                      " + "".join(f"{'Dice':>8}{'recall':>8}" for _ in range(3)))
    print(f"{'volume':<18}{'lesions':>9}" + "".join(f"{what:>16}" for what in ("ours", "threshold", "whole body")))
    found = {}
    for known in volumes:
        lungs = lung_mask(known.voxels, spacing=known.spacing)
        found[known.name] = lungs
        lesions = known.infection & known.lung
        body = known.voxels > np.median(known.voxels)
        cells = [(dice(mask, known.lung), recall(mask, lesions)) for mask in
                 (lungs.mask > 0, plain_threshold(known), body)]  # fmt: skip
        print(f"{known.name:<18}{known.rate:>8.1%} " + "".join(f"{one:>8.3f}{two:>8.3f}" for one, two in cells))
    for method in METHODS:
        for lungs_of, title in ((lambda known: known.lung.astype(np.uint8), "true lungs"),
                                (lambda known: found[known.name], "our lungs")):  # fmt: skip
            rates(volumes, method, lungs_of, title)
    truth = np.array([100 * known.rate for known in volumes])
    for name, guess in (
        ("always 0", 0 * truth),
        ("always 5 %", 0 * truth + 5),
        ("mean of all", 0 * truth + truth.mean()),
    ):
        summed(f"trivial: {name}", guess - truth)


def rates(volumes: list[Known], method: str, lungs_of: Callable[[Known], Any], title: str) -> None:
    print(
        f"\ninfection, {method}, {title}\n{'volume':<18}{'true':>8}{'found':>8}{'error':>8}{'Dice':>8}{'slice MAE':>11}"
    )
    errors = []
    for known in volumes:
        lungs = lungs_of(known)
        got = infection_mask(known.voxels, lungs, spacing=known.spacing, method=method)  # type: ignore[arg-type]
        errors.append(100 * ((got.rate or 0) - known.rate))
        inside = (lungs.mask if hasattr(lungs, "mask") else lungs) > 0
        slices = [
            abs(np.mean(ill[mine] > 0) - np.mean(sick[true]))
            for ill, sick, mine, true in zip(got.mask, known.infection, inside, known.lung, strict=True)
            if mine.any() and true.any()
        ]
        print(f"{known.name:<18}{100 * known.rate:>8.2f}{100 * (got.rate or 0):>8.2f}{errors[-1]:>+8.2f}"
              f"{dice(got.mask > 0, known.infection & known.lung):>8.3f}{100 * np.mean(slices):>11.2f}")  # fmt: skip
    summed("all", np.array(errors))


def summed(name: str, errors: np.ndarray) -> None:
    off = np.abs(errors)
    spread = 1.96 * errors.std(ddof=1) if len(errors) > 1 else float("nan")
    near = (
        f"MAE {off.mean():.2f}, median {np.median(off):.2f}, largest {off.max():.2f}, within 2 {np.mean(off <= 2):.0%}"
    )
    limits = f"{errors.mean() - spread:+.2f} to {errors.mean() + spread:+.2f}"
    print(f"{name}: n {len(errors)}, {near}, bias {errors.mean():+.2f}, 95 % limits {limits} points")


def changes() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give what phantoms are made with, one thing changed at a time; a name of its own for a window of grey levels."""
    usual: dict[str, Any] = {"shape": (50, 192, 192), "noise": 20.0, "load": 0.1,
                             "kinds": ("ground_glass", "consolidation")}  # fmt: skip
    found: list[tuple[str, dict[str, Any]]] = [("as usual: 5 mm, 20 HU, 10 %, mixed", {})]
    found += [(f"noise {noise} HU", {"noise": float(noise)}) for noise in (0, 40, 80)]
    found += [(f"slices {250 / count:.1f} mm", {"shape": (count, 192, 192)}) for count in (200, 100, 25, 12)]
    found += [(f"pixels {380 / side:.1f} mm", {"shape": (50, side, side)}) for side in (320, 128, 96)]
    found += [(f"load {load:.0%}", {"load": load}) for load in (0.0, 0.02, 0.05, 0.2, 0.4)]
    kinds: tuple[Kind, ...] = ("ground_glass", "crazy_paving", "consolidation")
    found += [(f"10 % {kind}", {"kinds": (kind,)}) for kind in kinds]
    yield from ((name, usual | changed) for name, changed in found)
    yield GREY, usual


def phantom(name: str, seed: int, made: dict[str, Any]) -> Known:
    """Calculate one chest, as grey levels where its name says so."""
    chest = chest_volume(seed, **made)
    voxels: np.ndarray = chest.voxels
    if name == GREY:
        voxels = (np.clip((voxels + 1350) / 1500, 0, 1) * 255).astype(np.uint8)
    return Known(name, voxels, chest.lung > 0, chest.infection > 0, chest.spacing)


def curves(seeds: int) -> None:
    """Print means over phantoms, one thing changed at a time."""
    print(f"{'':<38}{'lungs':>16}{'':>4}{'rate error, points: mean of |.|':>34}")
    print(f"{'':<38}{'Dice':>8}{'lowest':>8}{'recall':>8}{'true lungs':>12}{'ours':>7}{'rag':>7}")
    for name, made in changes():
        rows = []
        for seed in range(seeds):
            known = phantom(name, seed, made)
            lungs = lung_mask(known.voxels, spacing=known.spacing)
            inside = lungs.mask > 0
            off = []
            for given, method in ((known.lung, "threshold"), (lungs, "threshold"), (lungs, "rag")):
                got = infection_mask(known.voxels, given, spacing=known.spacing, method=method)  # type: ignore[arg-type]
                off.append(100 * abs((got.rate or 0) - known.rate))
            seen = recall(inside, known.infection) if known.infection.any() else np.nan
            rows.append((dice(inside, known.lung), seen, *off))
        cells = np.array(rows)
        mean = cells.mean(axis=0)
        lungs_said = f"{mean[0]:>8.3f}{cells[:, 0].min():>8.3f}{mean[1]:>8.3f}"
        print(f"{name:<38}{lungs_said}{mean[2]:>12.2f}{mean[3]:>7.2f}{mean[4]:>7.2f}", flush=True)


def pictures(folders: list[Path], most: int) -> None:
    """Count in how many pictures of a folder lungs are found: all of CT, none of films and ultrasound."""
    from PIL import Image

    for folder in folders:
        files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in (".png", ".jpg", ".jpeg")]
        files = files[:: max(1, len(files) // most)][:most]
        found = []
        for path in files:
            with Image.open(path) as image:
                grey = image.convert("L")
            grey.thumbnail((800, 800))
            lungs = lung_mask(np.asarray(grey))
            found.append(not lungs.empty)
        print(f"{folder.name}: lungs found in {sum(found)} of {len(found)} pictures")


def cropped(volumes: list[Known]) -> None:
    """Show each slice with lungs as a grey picture, whole, cut 8 pixels beside them, and inverted."""
    whole, close, inverted = [], [], 0
    for known in volumes:
        for window in ((-1350, 150), (-1150, 350), (-1000, 400)):
            for plane, lung in zip(windowed(known.voxels, window), known.lung, strict=True):
                if lung.sum() < LEAST_LUNG:
                    continue
                rows, columns = np.flatnonzero(lung.any(axis=1)), np.flatnonzero(lung.any(axis=0))
                box = (slice(max(rows[0] - 8, 0), rows[-1] + 9), slice(max(columns[0] - 8, 0), columns[-1] + 9))
                whole.append(dice(lung_mask(plane).mask > 0, lung))
                close.append(dice(lung_mask(plane[box]).mask > 0, lung[box]))
                inverted += sum(not lung_mask(255 - each).empty for each in (plane, plane[box]))
    for name, found in (("whole", whole), ("cut close", close)):
        below = sum(each < 0.9 for each in found)
        print(f"{name}: {len(found)} pictures, Dice {np.mean(found):.3f} in the mean, {below} below 0.9")
    print(f"inverted: lungs found in {inverted} of {2 * len(whole)}")


def speed(slices: int) -> None:
    """Time ours and plain scikit-image in one run, in seconds of the clock and of all cores."""
    chest = chest_volume(0, shape=(slices, 128, 128), noise=0, load=0.15)
    grain = np.random.default_rng(0).normal(0, 25, (512, 512)).astype(np.int16)
    voxels = np.repeat(np.repeat(chest.voxels, 4, 1), 4, 2)
    for number, plane in enumerate(voxels):
        plane += np.roll(grain, number * 7, 1)
    spacing = (380 / 512, 380 / 512, chest.spacing[2])
    truth = np.repeat(np.repeat(chest.lung, 4, 1), 4, 2)
    print(f"{voxels.shape} int16, {voxels.nbytes / 2**20:.0f} MB; load average {', '.join(map(str, _load()))}")
    steps: list[tuple[str, Callable[[], Any]]] = [
        ("lungs", lambda: lung_mask(voxels, spacing=spacing)),
        ("infection, threshold", lambda: infection_mask(voxels, truth, spacing=spacing)),
        ("infection, rag", lambda: infection_mask(voxels, truth, spacing=spacing, method="rag")),
    ]
    small = voxels[: len(voxels) // 8]  # once before, so that libraries are loaded
    infection_mask(small, lung_mask(small, spacing=spacing), spacing=spacing)
    ours = [timed(name, work) for name, work in steps]
    try:
        import skimage  # noqa: F401
    except ImportError:
        print("scikit-image is not installed: nothing to compare with")
        return
    theirs = [
        timed("plain scikit-image: lungs", lambda: plain_lungs(voxels)),
        timed("plain scikit-image: threshold", lambda: plain_infection(voxels, truth > 0)),
        timed("plain scikit-image: rag", lambda: plain_rag(voxels, truth > 0)),
    ]
    for (name, _), one, other in zip(steps, ours, theirs, strict=True):
        print(f"{name}: {other / one:.1f} times as quick, in CPU seconds")


def _load() -> tuple[float, ...]:
    import os

    return os.getloadavg()


def timed(name: str, work: Callable[[], Any]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
    print(f"{name:<34}{wall:>8.2f} s {cpu:>8.2f} CPU s, peak {more:>6.0f} MB above what was there", flush=True)
    return cpu


def plain_lungs(voxels: np.ndarray) -> np.ndarray:
    """Threshold, clear the border, keep the two largest, close, fill: slice by slice, as tutorials have it."""
    from scipy import ndimage
    from skimage.measure import label, regionprops
    from skimage.morphology import closing, disk
    from skimage.segmentation import clear_border

    out = np.zeros(voxels.shape, bool)
    for number, plane in enumerate(voxels):
        names = label(clear_border(plane < -320))
        largest = sorted(regionprops(names), key=lambda region: -region.area)[:2]
        lungs = np.isin(names, [region.label for region in largest])
        out[number] = ndimage.binary_fill_holes(closing(lungs, disk(10)))
    return out


def plain_infection(voxels: np.ndarray, lung: np.ndarray) -> np.ndarray:
    """Smooth, threshold at the lungs' mode, open, drop specks."""
    from scipy import ndimage
    from skimage.morphology import disk, opening

    counts, edges = np.histogram(voxels[lung], 128, (-1000, -300))
    at = edges[counts.argmax()] + 180
    out = np.zeros(voxels.shape, bool)
    for number, (plane, inside) in enumerate(zip(voxels, lung, strict=True)):
        if inside.any():
            out[number] = opening((ndimage.uniform_filter(plane.astype(np.float32), 3) > at) & inside, disk(4))
    return out


def plain_rag(voxels: np.ndarray, lung: np.ndarray) -> np.ndarray:
    """Superpixels, a graph of their means, a cut, a threshold: with scikit-image's own functions."""
    from skimage import graph
    from skimage.segmentation import slic

    out = np.zeros(voxels.shape, bool)
    for number, (plane, inside) in enumerate(zip(voxels, lung, strict=True)):
        if not inside.any():
            continue
        grey = np.clip((plane + 1000) / 1400, 0, 1)
        parts = slic(grey, n_segments=max(int(inside.sum() / 45), 2), compactness=0.05, mask=inside, channel_axis=None)
        means = np.repeat(grey[..., None], 3, axis=2)
        joined = graph.cut_threshold(parts, graph.rag_mean_color(means, parts), 0.1)
        size = np.bincount(joined[inside])
        mean = np.bincount(joined[inside], grey[inside]) / np.maximum(size, 1)
        out[number] = inside & (mean > 0.23)[joined]
    return out


if __name__ == "__main__":
    main()
