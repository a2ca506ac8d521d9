"""Where people work: trackers, chats, CRMs."""
