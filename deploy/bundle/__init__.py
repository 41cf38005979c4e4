"""Writing bundles and their model cards."""
