"""What happens when another service fails it."""
