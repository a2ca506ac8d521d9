"""What is installed: the locks, the bill of materials made of them, and the look for known vulnerabilities."""
