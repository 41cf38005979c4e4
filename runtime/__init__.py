"""condmix.runtime: run a model file, compare its numbers, time it. Knows numpy only."""
