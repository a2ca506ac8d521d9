"""Policies: rankers that learn from outcomes. Pure arithmetic over numpy; nothing here reads or writes anything."""
