"""A page that any phone opens: the same protocol and report in a browser."""
