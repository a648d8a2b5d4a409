"""A service that writes to its log as fast as it can and never gets round to listening."""

import sys

line = "x" * 4000 + "\n"
while True:
    sys.stdout.write(line)
