"""The audit: what an export of past events tells of where visits are lost, and of the money at stake."""
