"""Events: what may arrive, and how it is written down."""
