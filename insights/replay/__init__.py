"""Streams a recorded click log through the real HTTP API, as if its visitors came again."""
