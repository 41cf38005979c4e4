"""A small CondConv network and the programs that torch saves of it."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIZE = (3, 12, 12)


class Mixed(nn.Module):
    """A CondConv between a norm and a classifier; a tensor made in float32 in between."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.experts = nn.Parameter(torch.randn(3, 6 * 4 * 9) * 0.2)
        self.routing = nn.Linear(4, 3)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        mixed = torch.sigmoid(3 * self.routing(x.mean((2, 3)))) @ self.experts
        batch, channels, height, width = x.shape
        joined = x.reshape(1, batch * channels, height, width)
        y = F.conv2d(joined, mixed.reshape(-1, channels, 3, 3), padding=1, groups=batch)
        y = y.reshape(batch, 6, height, width) + torch.ones(1, dtype=torch.float32)
        logits: Tensor = self.head(F.dropout(y, 0.1, self.training).mean((2, 3)))
        return logits


def network() -> nn.Module:
    """The network in eval mode, with norms that have seen something."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        built = Mixed()
        with torch.no_grad():
            for _ in range(20):
                built(torch.randn(8, *SIZE) * 2 + 1)
    return built.eval()


def save_exported(module: nn.Module, path: Path, images: int = 1, dynamic: bool = False) -> Path:
    """The module as .pt2."""
    shapes = ({0: torch.export.Dim("n", min=1, max=64)},) if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (torch.zeros(images, *SIZE),), dynamic_shapes=shapes)
        torch.export.save(program, path)
    return path


def save_scripted(module: nn.Module, path: Path, images: int = 1, *, way: str = "trace") -> Path:
    """The module as TorchScript: by trace, script or frozen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = way == "trace"
        script = torch.jit.trace(module, torch.zeros(images, *SIZE)) if traced else torch.jit.script(module)  # type: ignore[no-untyped-call]
        torch.jit.save(torch.jit.freeze(script) if way == "frozen" else script, path)  # type: ignore[no-untyped-call]
    return path


def changed(path: Path, entry: str, change: Callable[[Any], None], new: Path) -> Path:
    """A copy of an archive with one JSON entry changed."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(new, "w") as target:
        for info in source.infolist():
            content = source.read(info)
            if info.filename.endswith(entry):
                data = json.loads(content)
                change(data)
                content = json.dumps(data).encode()
            target.writestr(info.filename, content)
    return new


def with_entry(path: Path, entry: str, content: bytes, new: Path) -> Path:
    """A copy of an archive with one entry more, or another content of it."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(new, "w") as target:
        root = source.namelist()[0].partition("/")[0]
        for info in source.infolist():
            if info.filename != f"{root}/{entry}":
                target.writestr(info.filename, source.read(info))
        target.writestr(f"{root}/{entry}", content)
    return new
