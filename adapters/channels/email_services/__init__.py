"""E-mail through the HTTP APIs of mail services."""
