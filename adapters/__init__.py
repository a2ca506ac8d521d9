"""Adapters: the code on the far side of a socket."""
