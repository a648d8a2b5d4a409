"""How the service carries its load."""
