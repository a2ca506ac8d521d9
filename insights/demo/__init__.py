"""The demo: a shop to visit, an inbox to read the recovery mails in, and visitors who come by on their own."""
