"""Detectors: what becomes of their heads in a file, and how well files find things."""
