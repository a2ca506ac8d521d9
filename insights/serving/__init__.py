"""Serving: ports, connections and what they are held to, one process or several of them, and how each ends."""
