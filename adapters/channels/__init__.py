"""Channels: every way out to a person or a tool."""
