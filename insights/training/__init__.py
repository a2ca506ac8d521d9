"""Training: an intent model out of a project's stored sessions, and which of its versions is in use."""
