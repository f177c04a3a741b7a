"""What was drawn, done to a batch of tensors where it is: N×C×H×W. Imported only by calls that need torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from covid_datasets.errors import UsageError
from covid_datasets.transforms.joint.drawn import Drawn
from covid_datasets.transforms.joint.numbers import grain_on
from covid_datasets.transforms.joint.on_numpy import Range, kernel, line, neighbours
from covid_datasets.transforms.joint.places import TIE, Places, Size, beyond, nearest, splines
from covid_datasets.transforms.joint.typed import names_mirrored, range_of

CACHED = 1 << 18
"""Pixels that are changed at once on a processor: so many stay in its cache from one change to the next."""


def check_batch(images: Any, masks: Any, names: Sequence[str]) -> None:
    """Refuse what is no batch."""
    if not torch.is_tensor(images) or images.ndim != 4 or 0 in images.shape:
        found = tuple(images.shape) if hasattr(images, "shape") else type(images).__name__
        raise UsageError(f"images: expected a tensor N×C×H×W, found {found}")
    if images.is_floating_point() and not bool(torch.isfinite(images).all()):
        raise UsageError("images: expected numbers, found NaN or infinite ones")
    if masks is None:
        return
    if not torch.is_tensor(masks) or masks.is_floating_point() or masks.ndim != 4:
        raise UsageError("masks: expected a tensor N×M×H×W of whole numbers, for a mask has no fractions")
    if (len(masks), *masks.shape[2:]) != (len(images), *images.shape[2:]) or masks.device != images.device:
        raise UsageError(
            f"masks: expected those of {len(images)} images of {tuple(images.shape[2:])} on {images.device}, found "
            f"{tuple(masks.shape)} on {masks.device}"
        )
    if names and len(names) != masks.shape[1]:
        raise UsageError(f"names: expected {masks.shape[1]}, one for each mask, found {names}")


def full_of(images: Any, said: Range | None) -> Range:
    """Return the values of black and white: what is said, or what bytes, and floats from 0 to 1 or 255, say themselves.

    >>> full_of(torch.rand(1, 1, 4, 4), None), full_of(torch.rand(1, 1, 4, 4) * 9, None)
    ((0.0, 1.0), (0.0, 255.0))
    """
    if said is not None:
        return range_of(said)
    if images.dtype == torch.uint8:
        return 0.0, 255.0
    low, high = (each.item() for each in images.detach().aminmax())
    if not (np.isfinite([low, high]).all() and -0.01 <= low <= high <= 255.01):  # interpolated values are rounded
        raise UsageError(
            "full: expected the values of black and white, such as full=(-1000, 400) for Hounsfield units, because "
            f"{images.dtype} from {low:g} to {high:g} does not say them"
        )
    return (0.0, 1.0) if high <= 1.001 and images.is_floating_point() else (0.0, 255.0)


def changed_batch(
    drawn: Drawn,
    images: Any,
    masks: Any,
    *,
    full: Range,
    names: Sequence[str] = (),
    outside: int = 0,
    kind: Any = None,
) -> tuple[Any, Any]:
    """Change a batch; images come back as a type, by default their own, rounded where that has no fractions."""
    kind = kind or images.dtype
    old: Size = (images.shape[2], images.shape[3])
    places = drawn.places(old)
    done = torch.empty((*images.shape[:2], *places.new), dtype=kind, device=images.device)
    moved = None
    if masks is not None:
        masks = _swapped(masks, drawn.flip, names)
        moved = torch.empty((*masks.shape[:2], *places.new), dtype=masks.dtype, device=masks.device)

    def work(piece: tuple[int, int]) -> None:
        chosen = slice(*piece)
        with torch.inference_mode():  # a thread does not know the mode of the one that began it
            part = moved_images(images[chosen].to(torch.float32, copy=True), places.of(chosen), full[0])
            _store(toned_images(part, drawn.of(*piece), full), done[chosen], full)
            if moved is not None:
                moved[chosen] = moved_masks(masks[chosen], places.of(chosen), outside)

    _each_in_its_thread(work, list(_pieces(images, places.new)))
    return done, moved


def _pieces(images: Any, new: Size) -> Iterator[tuple[int, int]]:
    count, each = len(images), images.shape[1] * max(images.shape[2] * images.shape[3], new[0] * new[1])
    step = max(1, CACHED // each) if images.device.type == "cpu" else count
    for first in range(0, count, step):
        yield first, min(first + step, count)


def _each_in_its_thread(work: Callable[[tuple[int, int]], None], pieces: Sequence[tuple[int, int]]) -> None:
    """Do each piece from its beginning to its end in one thread.

    Torch would cut each step of a piece into as many parts as there are threads, and these would wait for each other
    after each step: where somebody else is at work as well, that takes longer than one thread alone.
    """
    threads = torch.get_num_threads()
    if threads == 1 or len(pieces) == 1:
        for piece in pieces:
            work(piece)
        return
    try:
        with ThreadPoolExecutor(min(threads, len(pieces)), initializer=_alone) as pool:
            list(pool.map(work, pieces))
    finally:
        torch.set_num_threads(threads)  # `_alone` has set it for threads that begin later, too


def _alone() -> None:
    torch.get_num_threads()  # only after that a thread keeps a number of its own
    torch.set_num_threads(1)


def _store(values: Any, done: Any, full: Range) -> None:
    """Keep values as another type, rounded (in their own memory) where that has no fractions."""
    if done.is_floating_point():
        done.copy_(values)
        return
    limits, rounded = torch.iinfo(done.dtype), values.round_()
    if not limits.min <= full[0] <= full[1] <= limits.max:
        rounded.clamp_(limits.min, limits.max)
    if done.device.type == "cpu":  # a fifth of the time
        np.copyto(done.numpy(), rounded.numpy(), casting="unsafe")
    else:
        done.copy_(rounded)


def moved_images(images: Any, places: Places, low: float) -> Any:
    """Interpolate each pixel from where it comes, as `covid_datasets.transforms.joint.on_numpy.moved_image` does."""
    if places.nothing:
        return images
    sizes = [places.shrunk(number) for number in range(len(images))]
    if set(sizes) == {places.old}:
        return _sampled(images, places, low)
    found = torch.empty((*images.shape[:2], *places.new), dtype=images.dtype, device=images.device)
    for size in sorted(set(sizes)):
        chosen = [number for number, each in enumerate(sizes) if each == size]
        index = torch.tensor(chosen, device=images.device)
        some = images[index]
        if size != places.old:
            some = _averaged(some, size)
        found[index] = _sampled(some, places.of(chosen).after(size), low)
    return found


def _averaged(images: Any, size: Size) -> Any:
    """Bring images to a smaller size."""
    turned = size[1] == 1  # all rows of a single column come out of torch as the first one, but columns of a row do not
    if turned:
        images, size = images.transpose(2, 3), size[::-1]
    found = functional.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
    return found.transpose(2, 3) if turned else found


def _sampled(images: Any, places: Places, low: float) -> Any:
    if places.nothing:
        return images
    if places.straight and images.device.type == "cpu":  # a fifth of the time; a GPU wants one call for all samples
        return _lines(images, places, low)
    grid, there = _grid(places, images.device)
    found = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return found if there is None else torch.where(there[:, None], found, low)


def _lines(images: Any, places: Places, low: float) -> Any:
    """Interpolate where rows stay rows: first between rows, then between columns, sample by sample."""
    found = torch.empty((*images.shape[:2], *places.new))
    for number, image in enumerate(images):
        across, down = places.coordinates(number)
        first, second, share = map(torch.from_numpy, neighbours(down[:, 0], places.old[0]))
        rows = image.index_select(1, first).lerp_(image.index_select(1, second), share[:, None]).flatten(0, 1)
        first, second, share = map(torch.from_numpy, neighbours(across[0], places.old[1]))
        torch.lerp(rows.index_select(1, first), rows.index_select(1, second), share, out=found[number].flatten(0, 1))
        if not places.inside:
            found[number][:, torch.from_numpy(beyond(down[:, 0], places.old[0]))] = low
            found[number][:, :, torch.from_numpy(beyond(across[0], places.old[1]))] = low
    return found


def _grid(places: Places, device: Any) -> tuple[Any, Any]:
    """Say for each pixel of the result where it comes from, from -1 to 1 across what is given; and which are there."""
    height, width = places.old
    grid = torch.empty((len(places.matrices), *places.new, 2), device=device)
    there = None
    for axis, (side, lines) in enumerate(zip((width, height), places.lines, strict=True)):
        at = _sum(lines[0] * (2 / side), lines[1] * (2 / side) + (1 / side - 1), torch.float32, device)
        if places.bent:
            at += _bend(places, axis, device).mul_(2 / side)
        if not places.inside:
            inside = at.abs() <= 1
            there = inside if there is None else there.logical_and_(inside)
        grid[..., axis] = at
    return grid, there


def _bend(places: Places, axis: int, device: Any) -> Any:
    """Return how far each pixel is displaced along an axis."""
    if places.bends is not None:
        return torch.from_numpy(places.bends[:, axis]).to(device)
    assert places.knots is not None
    down, across = (torch.from_numpy(splines(side)).to(device) for side in places.new)
    return down @ torch.from_numpy(places.knots[:, axis]).to(device) @ across.T


def _sum(of_column: np.ndarray, of_row: np.ndarray, kind: Any, device: Any) -> Any:
    """Add what each column and each row counts: N×H×W."""
    return (
        torch.as_tensor(of_column, dtype=kind, device=device)[:, None]
        + torch.as_tensor(of_row, dtype=kind, device=device)[:, :, None]
    )


def moved_masks(masks: Any, places: Places, outside: int) -> Any:
    """Take the nearest pixel of a mask for each of the result: the very one that NumPy takes."""
    if places.nothing:
        return masks
    height, width = places.old
    if places.straight and masks.device.type == "cpu":
        return torch.stack([_nearest_lines(mask, *places.coordinates(n), outside) for n, mask in enumerate(masks)])
    found = []
    for axis, lines in enumerate(places.lines):
        at = _sum(*lines, torch.float64, masks.device)
        if places.bent:
            at += _bend(places, axis, masks.device)
        found.append(at.sub_(TIE).ceil_())
    columns, rows = found
    index = (rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)).to(torch.int64).flatten(1)
    chosen = masks.flatten(2).gather(2, index[:, None].expand(-1, masks.shape[1], -1))
    chosen = chosen.reshape(*masks.shape[:2], *places.new)
    if places.inside:
        return chosen
    there = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return chosen.masked_fill_(~there[:, None], outside)


def _nearest_lines(mask: Any, across: np.ndarray, down: np.ndarray, outside: int) -> Any:
    """Take the nearest rows of a mask, and of those the nearest columns."""
    planes, height, width = mask.shape
    rows, columns = (torch.from_numpy(each) for each in (nearest(down[:, 0], height), nearest(across[0], width)))
    found = mask.index_select(1, rows.clamp(min=0)).flatten(0, 1).index_select(1, columns.clamp(min=0))
    found = found.reshape(planes, len(rows), len(columns))
    found[:, rows < 0] = outside
    found[:, :, columns < 0] = outside
    return found


def _swapped(masks: Any, flip: np.ndarray, names: Sequence[str]) -> Any:
    """Let the masks of left and right change places where the image is mirrored."""
    if not flip.any() or not names:
        return masks
    others = names_mirrored(names)
    order = [list(names).index(others[name]) for name in names]
    if order == list(range(len(order))):
        return masks
    mirrored = torch.as_tensor(flip, device=masks.device).reshape(-1, 1, 1, 1)
    return torch.where(mirrored, masks[:, order], masks)


def toned_images(images: Any, drawn: Drawn, full: Range) -> Any:
    """Blur images, change their grey levels, and add noise; what is given may be changed in its own memory."""
    low, high = full
    if drawn.blur.any():
        images = _blurred(images, [kernel(float(each)) for each in drawn.blur])
    if drawn.tones:
        means = images.mean(dim=(1, 2, 3)).to(torch.float64).cpu().numpy() if (drawn.contrast != 1).any() else 0.0
        factor, added = line(drawn, np.zeros(len(drawn)) + means, full)
        images = images.mul_(_each(factor, images)).add_(_each(added, images)).clamp_(low, high)
        if (drawn.gamma != 1).any():
            images = images.sub_(low).div_(high - low).pow_(_each(drawn.gamma, images)).mul_(high - low).add_(low)
    if drawn.noise.any():
        grains = grain_on(tuple(images.shape[1:]), drawn.seed.tolist(), images.device)
        images = grains.mul_(_each(drawn.noise * (high - low), images)).add_(images).clamp_(low, high)
    return images


def _each(values: np.ndarray, images: Any) -> Any:
    """Bring a number for each sample to where the images are."""
    return torch.as_tensor(values, dtype=images.dtype, device=images.device).reshape(-1, 1, 1, 1)


def _blurred(images: Any, kernels: list[np.ndarray]) -> Any:
    """Blur each image by its own weights, first along columns, then along rows."""
    reach = max(map(len, kernels)) // 2
    weights = np.zeros((reach + 1, len(kernels)))
    for number, each in enumerate(kernels):
        weights[: len(each) // 2 + 1, number] = each[len(each) // 2 :]
    shares = [_each(share, images) for share in weights]
    for axis, borders in ((2, (0, 0, reach, reach)), (3, (reach, reach, 0, 0))):
        side, wide = images.shape[axis], functional.pad(images, borders, mode="replicate")
        images = images * shares[0]
        for far, share in enumerate(shares[1:], 1):
            both = wide.narrow(axis, reach - far, side) + wide.narrow(axis, reach + far, side)
            images.addcmul_(both, share)
    return images
