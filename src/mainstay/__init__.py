"""Mainstay, a backend reliability engineer: review a backend and say why it is not ready."""

__version__ = "0.1.0"
