"""What callers notice when its processes end and start."""
