"""The page about the HTTP API, written by the server itself: nothing of it comes from elsewhere, nothing runs in it."""
