"""Traffic: how much of a process anybody may take, by address, by key and by project."""
