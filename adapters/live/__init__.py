"""Live state: what is known of the visitors who are here now. Nothing in it is lost for good when a process ends."""
