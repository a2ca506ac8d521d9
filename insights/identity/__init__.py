"""Identity: which visitors are one person, by what they said of themselves."""
