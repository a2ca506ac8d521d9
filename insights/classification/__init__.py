"""Names the one reason of a closed session: by evidence rules, or by a model that the rules check."""
