"""From an ONNX file that anybody exported to a captured network, and that file as the yardstick. No torch anywhere."""

from __future__ import annotations
