"""Other ways to say what happens in a shop, translated into our wire events. Pure: names and props in, events out."""
