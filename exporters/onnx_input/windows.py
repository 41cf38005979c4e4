"""Padding and sliding windows as the ONNX operators Conv and Pool define them (operator specs, auto_pad)."""

from __future__ import annotations

from collections.abc import Sequence


def explicit_pads(
    auto_pad: str,
    pads: Sequence[int],
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> tuple[int, ...]:
    """The begin and end pads of every spatial axis, whatever `auto_pad` says; `sizes` are the input's."""
    if auto_pad in ("", "NOTSET"):
        return tuple(pads) or (0,) * (2 * len(kernel))
    if auto_pad == "VALID":
        return (0,) * (2 * len(kernel))
    begin, end = [], []
    for size, length, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        reach = (length - 1) * dilation + 1
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        less, more = total // 2, total - total // 2
        begin.append(less if auto_pad == "SAME_UPPER" else more)
        end.append(more if auto_pad == "SAME_UPPER" else less)
    return (*begin, *end)
