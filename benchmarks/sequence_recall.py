"""How many planted copies of videos and volumes a build finds, and how many of different people it takes for copies.

    python -m benchmarks.sequence_recall --built pocus/videos --folder VOLUMES --most 40

Of a build, rows of one group are of one person; in a folder (NIfTI, MetaImage), each file is somebody else. Limits were
chosen on still pictures, and how many frames and slices are compared on videos of pocus: `--seed` draws other parts.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

from covid_datasets.load.stored import open_table
from covid_datasets.measure.image import measure, to_grey, window
from covid_datasets.measure.looks import Looks
from covid_datasets.measure.video import measure_video
from covid_datasets.measure.volume import measure_volume
from covid_datasets.prepare.find import find_build
from covid_datasets.read.orientation import turned
from covid_datasets.read.video import frames, pixels
from covid_datasets.read.volumes import read_volume
from covid_datasets.splits.index import Index
from covid_datasets.splits.near import near_duplicates
from covid_datasets.splits.seen import Seen

Chance = np.random.Generator
Stack = list[np.ndarray]
"""Frames in 8-bit grey, or axial slices."""
Change = Callable[[Stack, Chance], Stack]


@dataclass(frozen=True)
class Stored:
    """A video or a volume, by its bytes."""

    name: str
    person: str
    data: bytes
    video: bool

    @property
    def looks(self) -> Looks:
        """Look at it as a build does."""
        measured = measure_video if self.video else measure_volume
        return measured(self.data, "", self.name).looks or ()

    def stack(self) -> Stack:
        """Decode all of it."""
        if self.video:
            return [np.asarray(to_grey(Image.fromarray(pixels(each)))) for each in frames(self.data, self.name)]
        volume = read_volume(self.data, self.name)
        return list(turned(volume.voxels, volume.header.affine)[0])


def share(low: float, high: float) -> Change:
    """Keep what is between two shares of the length."""
    return lambda stack, chance: stack[int(low * len(stack)) : max(int(high * len(stack)), int(low * len(stack)) + 1)]


def somewhere(part: float) -> Change:
    """Keep a part of it, wherever it begins."""

    def change(stack: Stack, chance: Chance) -> Stack:
        length = max(1, int(part * len(stack)))
        start = int(chance.integers(len(stack) - length + 1))
        return stack[start : start + length]

    return change


def every(step: int) -> Change:
    """Keep each so manieth, from any of the first on."""
    return lambda stack, chance: stack[int(chance.integers(min(step, len(stack)))) :: step]


def resampled(factor: float) -> Change:
    """Interpolate slices at other places."""

    def change(stack: Stack, chance: Chance) -> Stack:
        count = max(1, round(factor * len(stack)))
        places = ((np.arange(count) + 0.5) * len(stack) / count - 0.5).clip(0, len(stack) - 1)
        return [
            np.rint(stack[int(at)] * (1 - at % 1) + stack[min(int(at) + 1, len(stack) - 1)] * (at % 1)) for at in places
        ]

    return change


def as_it_is(stack: Stack, chance: Chance) -> Stack:
    """Change nothing but what it is stored as."""
    return stack


VIDEO: dict[str, Change] = {
    "encoded again": as_it_is,
    "first half": share(0, 0.5),
    "second half": share(0.5, 1),
    "middle third": share(1 / 3, 2 / 3),
    "40 %, anywhere": somewhere(0.4),
    "every second frame": every(2),
    "five of six frames": lambda stack, chance: [each for number, each in enumerate(stack) if number % 6],
    "six frames for five": lambda stack, chance: [stack[number * 5 // 6] for number in range(len(stack) * 6 // 5)],
}
VOLUME: dict[str, Change] = {
    "stored again": as_it_is,
    "upside down": lambda stack, chance: stack[::-1],
    "rows for columns": lambda stack, chance: [each.T for each in stack],
    "cut in plane": lambda stack, chance: [each[3 * len(each) // 100 :, 3 * len(each) // 100 :] for each in stack],
    "every second slice": every(2),
    "every fifth slice": every(5),
    "80 % as many slices": resampled(0.8),
    "half as many slices": resampled(0.5),
    "lower half": share(0, 0.5),
    "60 %, anywhere": somewhere(0.6),
}


def looks_of_copy(stack: Stack, video: bool, chance: Chance) -> Looks:
    """Store a copy as another program would, and look at it: a video smaller and with loss, a volume without place."""
    if not video:
        voxels = np.stack(stack).astype(np.int16)
        image = nibabel.Nifti1Image(voxels.T, np.eye(4))
        image.set_sform(np.eye(4), 0)
        image.set_qform(np.eye(4), 0)
        return measure_volume(image.to_bytes(), "", "a.nii").looks or ()
    import av

    height, width = (max(64, round(side * chance.uniform(0.5, 1))) // 2 * 2 for side in stack[0].shape)
    data = io.BytesIO()
    with av.open(data, "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt, stream.bit_rate = height, width, "yuv420p", 1_500_000
        for each in stack:
            picture = Image.fromarray(each).resize((width, height)).convert("RGB")
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode())
    return measure_video(data.getvalue(), "", "a.mkv").looks or ()


def looks_of_one(stack: Stack, video: bool, chance: Chance) -> Looks:
    """Save any one frame or slice as JPEG."""
    values = np.asarray(stack[int(chance.integers(len(stack)))])
    low, high = min(each.min() for each in stack), max(each.max() for each in stack)
    grey = values if video else window(values) if low < 0 else (values - low) * (255 / max(high - low, 1))
    data = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(data, "JPEG", quality=int(chance.integers(50, 95)))
    return measure(data.getvalue(), "", "a.jpg").looks or ()


def of_build(name: str) -> Iterator[Stored]:
    """Yield the videos and volumes of a finished build."""
    built = find_build(*name.split("/"), allow_missing=True)
    groups = dict(zip(*(Index.read(built.path).texts(column) for column in ("sample_id", "group")), strict=True))
    for row in open_table(built).select(["sample_id", "video", "volume"]).to_pylist():
        for kind in ("video", "volume"):
            if row[kind]:
                yield Stored(row[kind]["path"], groups[row["sample_id"]], row[kind]["bytes"], kind == "video")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--built", nargs="*", default=[], metavar="SOURCE/CONFIG")
    parser.add_argument("--folder", nargs="*", default=[], type=Path)
    parser.add_argument("--most", type=int, default=40, help="how many of each kind are changed in each way")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    every_one = [each for name in options.built for each in of_build(name)]
    for folder in options.folder:
        files = sorted(path for end in ("*.nii", "*.nii.gz", "*.mha") for path in folder.glob(end))
        every_one += [Stored(path.name, str(path), path.read_bytes(), False) for path in files]
    for video in (True, False):
        if chosen := [each for each in every_one if each.video == video]:
            report(chosen, video, options.most, np.random.default_rng(options.seed))


def report(every_one: Sequence[Stored], video: bool, most: int, chance: Chance) -> None:
    """Print what is found of one kind."""
    start = time.process_time()
    looks = [each.looks for each in every_one]
    seconds = time.process_time() - start
    people = [each.person for each in every_one]
    pairs = sum(one != other for number, one in enumerate(people) for other in people[:number])
    links = near_duplicates(Seen.of(looks))
    false = [link for link in links if people[link.first] != people[link.second]]
    print(f"{len(every_one)} {'videos' if video else 'volumes'}, {seconds / len(every_one):.3f} s each to measure; "
          f"{len(links)} pairs found, of {pairs:,} of different people {len(false)}")  # fmt: skip
    for link in false:
        print(f"  {every_one[link.first].name} and {every_one[link.second].name}: {link.key}")
    numbers = sorted(chance.permutation(len(every_one))[:most].tolist())
    originals = [looks[number] for number in numbers]
    stacks = [every_one[number].stack() for number in numbers]
    ways: dict[str, Callable[[Stack], Looks]] = {
        name: lambda stack, change=change: looks_of_copy(change(stack, chance), video, chance)  # type: ignore[misc]
        for name, change in (VIDEO if video else VOLUME).items()
    }
    ways[f"any {'frame' if video else 'slice'}, as a picture"] = lambda stack: looks_of_one(stack, video, chance)
    for name, way in ways.items():
        copies = [way(stack) for stack in stacks]
        found = near_duplicates(Seen.of([*originals, *copies]), ["original"] * len(originals) + ["copy"] * len(copies))
        hits = sum(link.second - link.first == len(originals) for link in found)
        print(f"  {name:24} {hits / len(originals):.3f}", flush=True)


if __name__ == "__main__":
    main()
