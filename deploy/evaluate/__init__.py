"""The command condmix eval: many files over a large labelled set, in shards, with the result of a serial run."""
