"""Runs a command whose TMPDIR lies on a disk of its own: `on_small_disk.py OPTIONS COMMAND...`.

Says on standard error what is left on the disk afterwards, after which the disk is gone.
"""

import os
import subprocess
import sys
from pathlib import Path

from mainstay.lab.disk_holder import mount_disk

temporary = Path(os.environ["TMPDIR"])
mount_disk(str(temporary), sys.argv[1])
status = subprocess.run(sys.argv[2:], check=False).returncode
left = sorted(each.name for each in temporary.iterdir())
print(f"left on the disk: {left}", file=sys.stderr)  # noqa: T201 - that is what it is for
sys.exit(status)
