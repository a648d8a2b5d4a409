"""A service that goes to the background and leaves its caller without a process: `forks_away.py PORT`."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.prove.services.healthy import serve

if os.fork():
    os._exit(0)
os.setsid()
serve(int(sys.argv[1]))
