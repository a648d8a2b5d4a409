"""The HTTP faces, one file a subject."""
