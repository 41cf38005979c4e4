"""What becomes of a detector's outputs: decoding, non-maximum suppression, matching, mean average precision."""
