"""Reads an example of an environment file: `.env.example` and its kin."""

import re
from pathlib import Path

LARGEST = 1 << 20  # bytes
NAMES = (
    ".env.example",
    ".env.sample",
    ".env.template",
    ".env.dist",
    "env.example",
    "example.env",
    ".env.dev.example",
)  # fmt: skip - one line of names
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)")


def read_env_file(file: Path) -> dict[str, str]:
    """The names and their values; nothing of a file that cannot be read."""
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST:
            return {}
        lines = file.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    found = (_LINE.fullmatch(line) for line in lines)
    return {match[1]: _value(match[2]) for match in found if match}


def _value(text: str) -> str:
    text = text.strip()
    quoted = re.match(r"""(["'])(.*?)\1""", text)
    return quoted[2] if quoted else re.split(r"\s+#|^#", text)[0].strip()
