"""Renew `constraints.txt`: every package of development, pinned, with the hashes of all its files.

pip-compile gathers the hashes of every file of a release, so the same pins serve each Python and
platform.  It lives in an environment of its own (`.pins`), because nothing else needs it.
"""

import subprocess
import sys
import venv
from pathlib import Path

HEADER = """\
# The packages of development: all of them, pinned, with the hashes of every file of each release.
# Written by `make pins` from pyproject.toml; `make` installs them into .venv.
"""


def main() -> None:
    root = Path(__file__).resolve().parent.parent
    tools = root / ".pins"
    venv.create(tools, with_pip=True, clear=True)
    subprocess.run([tools / "bin/python", "-m", "pip", "install", "--quiet", "pip-tools"], check=True)
    out = tools / "constraints.txt"
    subprocess.run(
        [
            tools / "bin/pip-compile",
            "--quiet",
            "--upgrade",
            "--extra=dev",
            "--extra=prove",
            "--generate-hashes",
            "--allow-unsafe",
            "--strip-extras",
            "--no-header",
            "--no-annotate",
            "--no-emit-index-url",
            "--no-emit-find-links",
            "--no-emit-trusted-host",
            f"--output-file={out}",
            str(root / "pyproject.toml"),
        ],
        check=True,
        cwd=root,
    )
    text = out.read_text()
    if "://" in text:
        sys.exit("pip-compile wrote an address; constraints.txt was left as it was")
    (root / "constraints.txt").write_text(HEADER + text)


if __name__ == "__main__":
    main()
