"""Advertising: what happened, and who is to be shown ads or spared them."""
