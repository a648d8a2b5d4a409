"""Values as literals of Python and of JavaScript, laid out as people and formatters lay them out."""

import json
import re
from collections.abc import Callable
from typing import Any

WIDTH = 88  # characters of a line, as ruff and Black have it when nobody says otherwise
_JS_NAME = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)
_UNSEEN = re.compile(r"[\x7f-\xa0\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")

Text = Callable[[str], str]


def python(value: Any, indent: int = 0, used: int = 0) -> str:
    """A literal that `ruff format` leaves as it is; `used` characters of its first line are taken."""
    words = {True: "True", False: "False", None: "None"}
    return _laid_out(value, indent, used, lambda one: words[one], _python_text, _python_text, 4)


def javascript(value: Any, indent: int = 0, used: int = 0) -> str:
    """A literal with names left bare where JavaScript allows it."""
    words = {True: "true", False: "false", None: "null"}
    return _laid_out(value, indent, used, lambda one: words[one], _text, _javascript_key, 2)


def _laid_out(
    value: Any, indent: int, used: int, word: Callable[[Any], str], text: Text, key: Text, step: int
) -> str:
    if value is None or isinstance(value, bool):
        return word(value)
    if isinstance(value, str):
        return text(value)
    if not isinstance(value, dict | list | tuple):
        return json.dumps(value)
    before, after = "{}" if isinstance(value, dict) else "[]"
    bare = step == 2 and isinstance(value, dict)  # JavaScript: `{ a: 1 }`
    if isinstance(value, dict):
        heads = [f"{key(str(name))}: " for name in value]
        inner = list(value.values())
    else:
        heads, inner = [""] * len(value), list(value)

    def parts(depth: int, room: bool) -> list[str]:
        return [
            head + _laid_out(one, depth, depth + len(head) + 1 if room else 0, word, text, key, step)
            for head, one in zip(heads, inner, strict=True)
        ]

    pad = " " if bare and inner else ""
    flat = f"{before}{pad}{', '.join(parts(indent, False))}{pad}{after}"
    if "\n" not in flat and used + len(flat) <= WIDTH:
        return flat
    margin = " " * (indent + step)
    lines = "".join(f"{margin}{part},\n" for part in parts(indent + step, True))
    return f"{before}\n{lines}{' ' * indent}{after}"


def _text(value: str) -> str:
    """In double quotes, with escapes for what nobody could see."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def _python_text(value: str) -> str:
    text = _text(value)
    if '"' in value and "'" not in value:  # fewer backslashes, as ruff wants it
        return "'" + text[1:-1].replace('\\"', '"') + "'"
    return text


def _javascript_key(name: str) -> str:
    if name == "__proto__":  # bare or quoted, it would say what the object inherits
        return '["__proto__"]'
    return name if _JS_NAME.fullmatch(name) else _text(name)
