"""Makes torchvision importable where its compiled half does not fit the installed torch.

Beside a CPU build of torch the usual torchvision wheel, built for CUDA, cannot load its library. torchvision
swallows that, then fails at import because it describes operators that nobody declared. None of them is
needed to build or run a classifier.
"""

import functools
import importlib

import torch

_MISSING = "operator torchvision::"
_SIGNATURES = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@functools.cache
def make_torchvision_importable() -> tuple[torch.library.Library, ...]:
    """torchvision is imported; operators it describes and lacks are declared first, without code.

    Where its own operators load, nothing is declared. Whatever else is wrong with it is raised as it comes.
    Cached: torch forgets a declared operator together with its library object.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if _MISSING not in str(error):
            raise
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for signature in _SIGNATURES:
            library.define(signature)  # type: ignore[no-untyped-call]
        importlib.import_module("torchvision")
        return (library,)
    return ()
