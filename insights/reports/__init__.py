"""Reports over many sessions: which reasons they had, where, how sure that is, and what to do about it."""
