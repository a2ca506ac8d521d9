"""Channels of a project: set up, opened, tested, and what their providers report."""
