"""ONNX files that tf2onnx and paddle2onnx wrote, and the scripts that made them; both tools are not needed to test."""
