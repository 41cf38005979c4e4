"""Weights and biases of the rewritten graph, changed so that int8 is nearer to float."""
