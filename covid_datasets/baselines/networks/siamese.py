"""Networks that compare: what pictures have in common is learned, and a class is what its reference pictures are like.

Four ways to learn it: pairs at a distance (Hadsell and others, 2006, "contrastive"), an anchor, the farthest of its
class and the nearest of another one (Schroff and others, 2015, and Hermans and others, 2017, "triplet"), cross-entropy
over pairs (Koch and others, 2015, "pairs"), and distances to the means of classes (Snell and others, 2017,
"prototypes").
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

ON_SPHERE = ("contrastive", "triplet")
"""Ways whose margin is a distance between features of length 1."""
SHARPNESS = 4.0
"""What squared distances on the sphere are multiplied with before they become probabilities."""
_LEAST = 1e-12


class Siamese(nn.Module):
    """Gives features of pictures in training; else scores of classes, by references that it keeps.

    As it is a classifier then, whatever applies one can apply it.
    """

    references: torch.Tensor

    def __init__(self, network: nn.Module, way: str, *, classes: int, references: int, features: int) -> None:
        """Take a network whose last layer gives ``features`` numbers, and keep so many references of each class."""
        super().__init__()
        self.network, self.way = network, way
        self.alike = nn.Linear(features, 1) if way == "pairs" else None
        self.register_buffer("references", torch.zeros(classes, references, features))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Return the features of pictures."""
        found: torch.Tensor = self.network(images).float()
        return functional.normalize(found, dim=1) if self.way in ON_SPHERE else found

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return features in training, else a score for each class."""
        found = self.features(images)
        return found if self.training else self.compared(found, self.references)

    def compared(self, features: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
        """Score features by how like those of each class they are: N×F and classes×K×F to N×classes."""
        if self.alike is None:
            return -squared(features, references.mean(1)) * (SHARPNESS if self.way in ON_SPHERE else 1.0)
        return torch.stack([self.same(features, each).sigmoid().mean(1).log() for each in references], 1)

    def same(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return the log odds that pictures are of one class: N×F and M×F to N×M."""
        assert self.alike is not None
        scores: torch.Tensor = self.alike((one[:, None] - other[None]).abs())[..., 0]
        return scores


def squared(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return squared distances: N×F and M×F to N×M.

    >>> squared(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])).tolist()
    [[25.0]]
    """
    return (one[:, None] - other[None]).square().sum(2)


def likeness_loss(network: Siamese, features: torch.Tensor, labels: torch.Tensor, margin: float) -> torch.Tensor:
    """Return how badly a batch is told apart, over all its pairs; without two classes, or a pair of one, it is 0."""
    if network.way == "prototypes":
        return _by_prototypes(features, labels)
    same = labels[:, None] == labels[None]
    pairs = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    alike, unlike = same & pairs, ~same
    if not (alike.any() and unlike.any()):
        return features.sum() * 0
    if network.way == "pairs":
        odds = network.same(features, features)
        each = functional.binary_cross_entropy_with_logits(odds, same.float(), reduction="none")
        return (each[alike].mean() + each[unlike].mean()) / 2
    square = squared(features, features)
    distances = square.clamp(min=_LEAST).sqrt()
    if network.way == "contrastive":
        return (square[alike].mean() + functional.relu(margin - distances[unlike]).square().mean()) / 2
    anchors = alike.any(1) & unlike.any(1)
    far = distances.masked_fill(~alike, -torch.inf).amax(1)[anchors]
    near = distances.masked_fill(~unlike, torch.inf).amin(1)[anchors]
    return functional.relu(far - near + margin).mean()


def _by_prototypes(features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Ask every second picture of each class for the class whose mean, of the other ones, is nearest."""
    means: list[torch.Tensor] = []
    asked: list[torch.Tensor] = []
    answers: list[int] = []
    for label in labels.unique().tolist():
        members = features[labels == label]
        if len(members) > 1:
            answers += [len(means)] * (len(members) // 2)
            means.append(members[::2].mean(0))
            asked.append(members[1::2])
    if len(means) < 2:
        return features.sum() * 0
    scores = -squared(torch.cat(asked), torch.stack(means))
    return functional.cross_entropy(scores, torch.tensor(answers, device=features.device))
