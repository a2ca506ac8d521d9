"""Builds a process out of its settings."""
