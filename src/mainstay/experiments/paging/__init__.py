"""Whether anyone would be told."""
