"""Readers: one for each kind of artefact.  An artefact's content in, facts out."""
