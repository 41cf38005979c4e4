"""Measuring latency one can believe: subjects in processes of their own, in shuffled rounds, every sample kept."""
