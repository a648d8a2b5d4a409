"""The nouns every part of Mainstay shares: frozen, typed, each with its place in the source."""
