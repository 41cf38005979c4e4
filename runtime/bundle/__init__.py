"""Bundles: artifacts with inputs, expected outputs, hashes and limits, checked before anything of them is used."""
