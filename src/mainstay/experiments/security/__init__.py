"""Whether it answers whom it should, and with what it should."""
