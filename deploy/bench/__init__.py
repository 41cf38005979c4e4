"""`make bench`: our files against torch.onnx.export's, as ratios from one interleaved run."""
