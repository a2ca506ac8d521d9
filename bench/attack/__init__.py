"""An attack on ourselves, row by row of what must hold: `python -m bench.attack`."""
