"""Privacy: what may leave the house, how long it is kept, and how somebody is handed over or erased."""
