"""Building flows: drafts and what is wrong with them, versions, previews over what was, and what came of them."""
