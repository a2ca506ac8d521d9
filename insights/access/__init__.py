"""Access: projects, their keys and members, what each may ask for, and who changed what."""
