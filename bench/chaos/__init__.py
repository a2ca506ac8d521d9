"""Kills processes under load and compares what was acknowledged with what is there: `python -m bench.chaos NAME`."""
