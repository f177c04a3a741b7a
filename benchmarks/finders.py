"""Finders of copies, side by side: ours, and what people take who write a few lines around a well-kept library.

python -m pip install imagehash    # phash, crop-resistant; sift needs OpenCV alone, which our extra brings
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from PIL import Image

from covid_datasets.audits.features import vision
from covid_datasets.audits.finder import find_copies

Pairs = dict[tuple[int, int], str]
"""Numbers of two pictures that are taken for one, and why."""
Finder = Callable[[Sequence[Image.Image]], Pairs]

PHASH_BITS = 10
"""Of 64: the threshold of imagededup's PHash, which is this hash."""
SIFT_POINTS = 500
SIFT_RATIO = 0.75
"""Lowe's, as in OpenCV's tutorial."""
SIFT_INLIERS = 20
"""Twice what the tutorial takes for a match: of films, which resemble each other, ten are too few."""


def ours(pictures: Sequence[Image.Image]) -> Pairs:
    """Search thoroughly, as `audit` does."""
    found = find_copies([partial(_itself, each) for each in pictures])
    return {(each.first, each.second): str(each.proof) for each in found}


def phash(pictures: Sequence[Image.Image]) -> Pairs:
    """Compare all perceptual hashes with each other."""
    import imagehash

    bits = np.stack([imagehash.phash(each).hash.ravel() for each in pictures])
    found: Pairs = {}
    for first, row in enumerate(bits):
        for after in np.flatnonzero((bits[first + 1 :] != row).sum(axis=1) <= PHASH_BITS).tolist():
            found[first, first + 1 + after] = "phash"
    return found


def crop_resistant(pictures: Sequence[Image.Image]) -> Pairs:
    """Hash the segments of each picture, and compare all with all, as the library compares two by default."""
    import imagehash

    hashes = [imagehash.crop_resistant_hash(each) for each in pictures]
    pairs = combinations(range(len(pictures)), 2)
    return {pair: "segments" for pair in pairs if hashes[pair[0]].matches(hashes[pair[1]])}


def sift(pictures: Sequence[Image.Image]) -> Pairs:
    """Match SIFT points of all pairs and find a homography, as OpenCV's tutorial does."""
    cv2 = vision()
    detector, matcher = cv2.SIFT_create(nfeatures=SIFT_POINTS), cv2.BFMatcher()
    seen = [detector.detectAndCompute(np.asarray(each), None) for each in pictures]
    found: Pairs = {}
    for first, second in combinations(range(len(pictures)), 2):
        inliers = _inliers(cv2, matcher, seen[first], seen[second])
        if inliers >= SIFT_INLIERS:
            found[first, second] = f"{inliers} inliers"
    return found


def _inliers(cv2: Any, matcher: Any, first: Any, second: Any) -> int:
    (points, descriptors), (others, their) = first, second
    if descriptors is None or their is None or min(len(descriptors), len(their)) < 2:
        return 0
    two_nearest = matcher.knnMatch(descriptors, their, k=2)
    matches = [nearest for nearest, second in two_nearest if nearest.distance < SIFT_RATIO * second.distance]
    if len(matches) < SIFT_INLIERS:
        return 0
    source = np.asarray([points[match.queryIdx].pt for match in matches], np.float32)
    target = np.asarray([others[match.trainIdx].pt for match in matches], np.float32)
    _, within = cv2.findHomography(source, target, cv2.RANSAC, 5.0)
    return 0 if within is None else int(within.sum())


def _itself(picture: Image.Image) -> Image.Image:
    return picture


FINDERS: Mapping[str, Finder] = {"ours": ours, "phash": phash, "crop-resistant": crop_resistant, "sift": sift}
