"""`Augmentd`: the same changes as a dictionary transform of MONAI. Imported only by whoever uses MONAI."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform, Randomizable
from monai.utils import convert_to_tensor

from covid_datasets.errors import UsageError
from covid_datasets.transforms.joint.augment import COUNT, Augment
from covid_datasets.transforms.joint.drawn import Drawn
from covid_datasets.transforms.joint.on_torch import full_of, moved_images, moved_masks, toned_images
from covid_datasets.transforms.joint.places import Places, Size
from covid_datasets.transforms.joint.typed import Range, names_mirrored, range_of


class Augmentd(Randomizable, MapTransform, InvertibleTransform):
    """Change images and masks of a dictionary together: channel × columns × rows, and slices where there are any.

    That is how MONAI's readers and our ``framework="monai"`` give them. Affines follow, except through what is elastic.
    ``Compose([...]).inverse(row)`` and ``Invertd`` bring pixels back; ``set_random_state(seed)`` sets what is drawn.

    Args:
        augment: How large changes may be.
        keys: Of images, which are interpolated.
        mask_keys: Of masks, of which the nearest pixels are taken; "mask_left_lung" and "mask_right_lung" change places
            where the image is mirrored.
        full: The values of black and white: by default 0 to 255, and 0 to 1 for floats that all lie there; with values
            beyond that, such as Hounsfield units, it must be said.
        allow_missing_keys: Whether a row may lack some of them.

    >>> changing = Augmentd(Augment(flip=1.0), keys="image").set_random_state(0)
    >>> changing({"image": torch.tensor([[[0.0], [1.0], [2.0]]])})["image"].flatten().tolist()
    [2.0, 1.0, 0.0]
    """

    def __init__(
        self,
        augment: Augment,
        keys: str | Sequence[str] = "image",
        mask_keys: str | Sequence[str] = (),
        *,
        full: Range | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        if not isinstance(augment, Augment):
            raise UsageError(f"augment: expected Augment(...) or a preset, found {type(augment).__name__}")
        self.images, self.masks = (tuple([each] if isinstance(each, str) else each) for each in (keys, mask_keys))
        MapTransform.__init__(self, (*self.images, *self.masks), allow_missing_keys)
        self.augment, self.full = augment, None if full is None else range_of(full)
        self._worker: int | None = None
        if augment.flip:
            names_mirrored(self.masks)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Draw a change and do it to a row."""
        found = dict(data)
        present = list(self.key_iterator(found))
        size = self._size(found, present)
        self._tell_workers_apart()
        drawn = self.augment.drawn(self.R.random_sample((1, COUNT)))
        places = drawn.places(size)
        text = json.dumps({"size": size, "drawn": drawn.record()})  # a loader would tear lists apart, and stop at None
        for key in present:
            found[key] = self._placed(found[key], places, key in self.masks, drawn)
            self.push_transform(found, key, extra_info={"drawn": text})
        return self._mirrored(found, drawn)

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Bring the pixels of a row back to where they were; grey levels stay as they are."""
        found = dict(data)
        drawn = None
        for key in self.key_iterator(found):
            info = json.loads(self.pop_transform(found, key)["extra_info"]["drawn"])
            drawn = Drawn.of_record(info["drawn"])
            places = drawn.places(tuple(info["size"])).backwards()
            found[key] = self._placed(found[key], places, key in self.masks, None)
        return found if drawn is None else self._mirrored(found, drawn)

    def _tell_workers_apart(self) -> None:
        """Let each worker of a loader draw numbers of its own, and other ones in each epoch.

        Workers are copies of one process and would all draw the same. MONAI's loader sees to that, that of torch
        does not. Each number follows from the seed of this and from that of the loader.
        """
        worker = torch.utils.data.get_worker_info()
        if worker is not None and worker.seed != self._worker:
            self._worker = worker.seed
            self.set_random_state((worker.seed + int(self.R.randint(2**31))) % 2**32)

    def _size(self, row: Mapping[Hashable, Any], present: Sequence[Hashable]) -> Size:
        """Return rows and columns of what is there, which must have the same."""
        shapes = {str(key): tuple(row[key].shape[1:]) for key in present}
        for key, shape in shapes.items():
            if len(shape) not in (2, 3) or 0 in shape:
                raise UsageError(f"{key}: expected channel × columns × rows, and slices, found {tuple(row[key].shape)}")
        if len(set(shapes.values())) != 1:
            raise UsageError(f"expected images and masks of one shape, found {shapes}")
        columns, rows = next(iter(shapes.values()))[:2]
        return rows, columns

    def _placed(self, value: Any, places: Places, mask: bool, drawn: Drawn | None) -> Any:
        """Change one value of a row; without ``drawn`` its grey levels stay."""
        tensor = convert_to_tensor(value, track_meta=isinstance(value, MetaTensor))
        axes = list(range(tensor.ndim))
        turned = [0, *axes[:0:-1]]  # channel, slices, rows, columns, as everything here has them
        planes = tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor
        planes = planes.permute(turned)
        flat = planes.reshape(1, -1, *planes.shape[-2:])
        if flat.is_floating_point() and not bool(torch.isfinite(flat).all()):
            raise UsageError("expected images and masks of numbers, found NaN or infinite ones")
        if mask:
            done = moved_masks(flat, places, 0)
        else:
            full = self.full or ((0.0, 255.0) if drawn is None else full_of(flat, None))
            done = moved_images(flat.to(torch.float32, copy=True), places, full[0])
            done = done if drawn is None else toned_images(done, drawn, full)
        done = done.reshape(*planes.shape[:-2], *places.new).permute(turned).contiguous()
        if not isinstance(value, MetaTensor):
            return done
        moved = MetaTensor(done, meta=dict(value.meta), applied_operations=list(value.applied_operations))
        moved.affine = value.affine @ torch.as_tensor(_homogeneous(places), dtype=value.affine.dtype)
        return moved

    def _mirrored(self, row: dict[Hashable, Any], drawn: Drawn) -> dict[Hashable, Any]:
        """Let masks of left and right change places where the image is mirrored."""
        there = [key for key in self.masks if key in row]
        if not drawn.flip[0] or not there:
            return row
        return row | {other: row[key] for key, other in names_mirrored(there).items()}


def _homogeneous(places: Places) -> np.ndarray:
    """Return the map of the first sample from new (column, row, slice) to old ones."""
    found = np.eye(4)
    found[:2, :2], found[:2, 3] = places.matrices[0, :, :2], places.matrices[0, :, 2]
    return found
