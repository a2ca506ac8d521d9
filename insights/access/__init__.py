"""Access: projects, their keys, and the pages that may report for them."""
