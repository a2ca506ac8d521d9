"""Privacy: what may leave the house."""
