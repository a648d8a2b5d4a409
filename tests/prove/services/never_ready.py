"""A service that is never ready: `python never_ready.py PORT`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.prove.services.healthy import Handler, serve


class NotYet(Handler):
    def do_GET(self) -> None:  # noqa: N802 - the name that the base calls
        print("waiting for the moon to rise", flush=True)  # noqa: T201 - its log
        self.answer(503, {"ready": False})


serve(int(sys.argv[1]), NotYet)
