"""Sends requests when they are due, whatever becomes of the ones before, and records what came of each."""
