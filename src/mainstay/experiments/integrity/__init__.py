"""Whether what it acknowledged is there, once."""
