"""Deciding: which live action, if any, is worth showing now."""
