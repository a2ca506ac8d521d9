"""Patterns: changes of the reason mix, looked for every hour, told to whoever asked, able to start flows."""
