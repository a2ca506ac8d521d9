"""Flows: bounded plans that run for days. They know steps, time and attempts, not marketing."""
