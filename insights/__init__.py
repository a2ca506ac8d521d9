"""Whyleft: why each visitor left or bought, what to do while they are there, how to win them back."""
