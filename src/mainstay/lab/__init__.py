"""Runs a service for real: processes, databases, faults, load; on this machine, and leaves nothing."""
