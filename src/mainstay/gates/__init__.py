"""The six quality gates: evidence in, verdict out.

One gate a file; being in the folder is being registered.
"""
