"""Webhooks in: who may report, how they prove who they are, and what becomes of what they say."""
