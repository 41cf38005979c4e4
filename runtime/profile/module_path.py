"""The path of a PyTorch module from the names that exporters give: `blocks.1.0.conv_dw`."""

from __future__ import annotations

import re

_FRONT = re.compile(r"^(model|self|graph)[./](?=.)")


def dotted(path: str) -> str:
    """The module path that stands in a scope, dotted or with slashes.

    TorchScript writes one part a module, and repeats the name of a container in that of its members:
    `/blocks/blocks.0/blocks.0.1/conv_dw` is blocks.0.1.conv_dw.
    """
    parts: list[str] = []
    for part in path.strip("/").split("/"):
        if not part:
            continue
        if parts and (part == parts[-1] or part.startswith(f"{parts[-1]}.")):
            parts[-1] = part
        else:
            parts.append(part)
    return _FRONT.sub("", ".".join(parts))


def of_tensor(name: str) -> str | None:
    """The module in the name of a TFLite tensor; None in one that tells no module.

    Our own files write `module:value` and `module/part`; converters of others `scope/part` and, of what they fused,
    several names with `;` between, of which the first is taken.
    """
    first = name.split(";", 1)[0]
    module, colon, value = first.partition(":")
    if colon and module and value and not value.isdigit():
        return dotted(module)
    path, slash, _ = module.rpartition("/")
    return dotted(path) or None if slash else None
