"""Where the time of a run goes: by operator, by PyTorch module, against what this machine can do."""
