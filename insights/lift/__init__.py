"""Lift: what those who may be spoken to do more than those who are held out, and how sure that is."""
