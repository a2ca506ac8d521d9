"""The timeline: a session's events in order, and what they come to."""
