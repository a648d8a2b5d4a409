"""What happens when its database stops, stalls, slows or forgets it."""
