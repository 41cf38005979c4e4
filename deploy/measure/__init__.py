"""The command condmix bench: plan, gates, baselines and what continuous integration reads."""
