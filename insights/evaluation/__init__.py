"""Measures a classifier on visits whose reason a person has named: gold stories, scores, comparison of two runs."""
