"""Segments and tags: which of a shop's own groups a visitor belongs to, and what is known of them for conditions."""
