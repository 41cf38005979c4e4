"""Hostile input: every reader of files from outside gets thousands of damaged ones, in a process with limits."""
