"""Benches: each prints a table and, with --json, one object on the last line; floors run in the same call."""
