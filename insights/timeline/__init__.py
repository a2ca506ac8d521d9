"""The timeline: a session's events in order, and when a session closes."""
