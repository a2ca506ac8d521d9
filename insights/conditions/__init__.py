"""What conditions may ask about visitors, their visits and what was said of them: the registry of fields."""
