"""What follows from a specification, as typed plans: one subject a file, pure functions.

A dossier tells them to people, and `mainstay new` writes them to files.  Nothing here prints or formats.
"""
