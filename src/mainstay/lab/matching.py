"""Texts for the simple patterns that schemas hold: `^[A-Z]{3}$`, `^ch_\\d+$`."""

import re
import warnings

_LONGEST_PATTERN = 200
_REPEATED = re.compile(r"\)[+*{]")  # a group that repeats can keep `re` busy for years ...
_HARMLESS = re.compile(  # ... unless each round begins with a mark, and is of nothing but classes after it
    r"\((?:\?:)?(?:[-_/:,@]|\\\.)(?:\\[dw]|\[[a-zA-Z0-9-]+\])(?:[+*]|\{\d+\})?\)[+*]"
)
_OPEN = re.compile(r"[*+]|\{\d*,")  # parts of open length: each multiplies the ways to match
_ATOM = re.compile(
    r"(?P<atom>\\[dwsDWS.\-/@+*?^$()\[\]{}|_]|\\x[0-9A-Fa-f]{2}|\[\^?\]?(?:\\.|[^\]\\])*\]|[^\\\[\](){}*+?|^$])"
    r"(?P<times>[*+?]|\{\d{1,4}(?:,\d{0,4})?\})?\??"
)
_TRIED = "a1AzZ0-_.@ /:xX9b+#"


def fits(text: str, pattern: str) -> bool:
    """Whether a short text has a pattern, which is searched for and not anchored; False when unsure."""
    if not pattern:
        return True
    if len(text) > 300 or _is_slow(pattern, len(text)):
        return False
    try:
        return _compiled(pattern).search(text) is not None
    except (re.error, OverflowError, RecursionError):
        return False


def _is_slow(pattern: str, length: int) -> bool:
    """Whether `re` might need more than a moment, which it cannot be stopped after."""
    repeats = len(_OPEN.findall(pattern))
    return (
        len(pattern) > _LONGEST_PATTERN
        or _REPEATED.search(_HARMLESS.sub("", pattern)) is not None
        or repeats > (4 if length <= 100 else 2)
        or pattern.count("?") > 10
    )


def matching(pattern: str, shortest: int, longest: int | None) -> str | None:
    """A text that has the pattern and the length; None for a pattern that is not simple."""
    parts = _parts(pattern)
    if parts is None:
        return None
    missing = shortest - sum(least for _, least, _ in parts)
    text = ""
    for character, least, most in parts:
        more = max(0, min(most - least, missing))
        missing -= more
        text += character * (least + more)
    text = text if longest is None else text[:longest]
    return text if len(text) >= shortest and fits(text, pattern) else None


def _parts(pattern: str) -> list[tuple[str, int, int]] | None:
    """A character for each atom of the pattern, with how often it may stand there."""
    rest = pattern.removeprefix("^").removesuffix("$")
    parts: list[tuple[str, int, int]] = []
    at = 0
    while at < len(rest):
        found = _ATOM.match(rest, at)
        character = _character(found["atom"]) if found else None
        if found is None or character is None:
            return None
        parts.append((character, *_times(found["times"] or "")))
        at = found.end()
    return parts


def _compiled(pattern: str) -> re.Pattern[str]:
    """Raises re.error; what Python may read otherwise one day (`[[]`) is no concern of who wrote it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(pattern)


def _character(atom: str) -> str | None:
    try:
        allowed = _compiled(atom)
    except re.error:
        return None
    return next((one for one in _TRIED + "".join(map(chr, range(33, 127))) if allowed.fullmatch(one)), None)


def _times(text: str) -> tuple[int, int]:
    match text:
        case "":
            return 1, 1
        case "?":
            return 0, 1
        case "*":
            return 0, 1000
        case "+":
            return 1, 1000
        case _:
            least, comma, most = text[1:-1].partition(",")
            return int(least), int(most) if most else 1000 if comma else int(least)
