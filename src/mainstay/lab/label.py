"""Names for the folders of a run: short, plain, and one for each."""

import re
from itertools import count

from mainstay.lab.lab import Lab

_MOST = 40  # characters: the path of a socket has room for about a hundred


def free_label(lab: Lab, name: str) -> str:
    """`name` in characters that any file system takes, with a number behind it if there is such a folder."""
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:_MOST]
    labels = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    return next(label for label in labels if not (lab.folder / label).exists())
