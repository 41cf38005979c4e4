"""The command condmix compare: every form of one network in one table."""
