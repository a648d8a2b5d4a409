"""Plays an HTTP dependency: answers as declared, misbehaves on demand, remembers what it heard."""
