"""Recovery: what is done after a session for each reason, in whose words, and with whose consent."""
