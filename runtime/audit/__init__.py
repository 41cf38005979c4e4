"""What a model file truly runs in int8: read from the graph that its engine made of it, not from the file alone."""
