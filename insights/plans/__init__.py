"""Plans: what each project decides by, read from the database and kept at hand."""
