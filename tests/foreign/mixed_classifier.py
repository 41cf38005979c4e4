"""Style: the classifier is a mixture on the pooled features, as 1x1 Conv, torch.bmm or torch.matmul.

The rest of the network is static, so the classifier alone is to be recognised. Its routing reads the same
pooled vector that it multiplies.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.foreign.case import foreign_case

_FEATURES, _CLASSES, _EXPERTS = 20, 10, 4


class PooledConvClassifier(nn.Module):
    """1x1 CondConv on a map of one pixel; mixed bias."""

    def __init__(self) -> None:
        super().__init__()
        self.route = nn.Linear(_FEATURES, _EXPERTS)
        self.weight = nn.Parameter(torch.randn(_EXPERTS, _CLASSES, _FEATURES, 1, 1) * _FEATURES**-0.5)
        self.bias = nn.Parameter(torch.randn(_EXPERTS, _CLASSES))

    def forward(self, pooled: Tensor) -> Tensor:
        batch = pooled.shape[0]
        routing = torch.sigmoid(self.route(pooled.flatten(1)))
        kernels = (routing @ self.weight.flatten(1)).view(batch * _CLASSES, _FEATURES, 1, 1)
        biases = (routing @ self.bias).flatten()
        out = F.conv2d(pooled.reshape(1, batch * _FEATURES, 1, 1), kernels, biases, groups=batch)
        return out.view(batch, _CLASSES)


class BatchedMatrixClassifier(nn.Module):
    """torch.bmm of mixed matrices (batch, classes, features) with column vectors; mixed bias added behind."""

    def __init__(self) -> None:
        super().__init__()
        self.route = nn.Linear(_FEATURES, _EXPERTS)
        self.weight = nn.Parameter(torch.randn(_EXPERTS, _CLASSES * _FEATURES) * _FEATURES**-0.5)
        self.bias = nn.Parameter(torch.randn(_EXPERTS, _CLASSES))

    def forward(self, pooled: Tensor) -> Tensor:
        features = pooled.flatten(1)
        routing = torch.sigmoid(self.route(features))
        matrices = torch.mm(routing, self.weight).view(-1, _CLASSES, _FEATURES)
        return torch.bmm(matrices, features.unsqueeze(2)).squeeze(2) + routing @ self.bias


class RowMatmulClassifier(nn.Module):
    """torch.matmul of row vectors with mixed matrices kept as (batch, features, classes); one static bias."""

    def __init__(self) -> None:
        super().__init__()
        self.route = nn.Linear(_FEATURES, _EXPERTS, bias=False)
        self.weight = nn.Parameter(torch.randn(_EXPERTS, _FEATURES, _CLASSES) * _FEATURES**-0.5)
        self.bias = nn.Parameter(torch.randn(_CLASSES))

    def forward(self, pooled: Tensor) -> Tensor:
        features = torch.flatten(pooled, 1)
        routing = torch.softmax(self.route(features), dim=-1)
        matrices = torch.einsum("be,eio->bio", routing, self.weight)
        return torch.matmul(features[:, None, :], matrices)[:, 0] + self.bias


def _network(classifier: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6()),
        nn.Sequential(nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU6()),
        nn.Sequential(nn.Conv2d(8, _FEATURES, 1, bias=False), nn.BatchNorm2d(_FEATURES), nn.ReLU6()),
        nn.AdaptiveAvgPool2d(1),
        nn.Dropout(0.2),
        classifier(),
    )


_VARIANTS: tuple[tuple[str, type[nn.Module], str], ...] = (
    ("classifier_conv", PooledConvClassifier, "1x1 Conv with computed kernel and bias on a 1x1 map"),
    (
        "classifier_bmm",
        BatchedMatrixClassifier,
        "bmm, computed matrix on the left, mixed bias as an Add of its own",
    ),
    ("classifier_matmul", RowMatmulClassifier, "matmul, computed matrix on the right, softmax, static bias"),
)
MIXED_CLASSIFIERS = tuple(
    foreign_case(
        name=name,
        construct=partial(_network, classifier),
        seed=120 + number,
        condconv_layers=("5",),
        routers=("5.route",),
        notes=notes,
    )
    for number, (name, classifier, notes) in enumerate(_VARIANTS)
)
