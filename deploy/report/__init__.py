"""Latency reports for people: HTML with inline pictures, Markdown and CSV, from one record."""
