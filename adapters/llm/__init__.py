"""Language models that answer in a given schema."""
