"""Log lines without secrets and without personal data: JSON, one object a line, standard library alone.

A value is hidden for its name (`password=`, `"card_token": `, a key in a nested structure) or for its shape
(bearer tokens, JSON web tokens, private keys, passwords in addresses, card numbers that pass the check of
Luhn). Messages, their arguments, `extra`, exceptions with their tracebacks, and stacks all pass through.
What has neither a telling name nor a telling shape is printed: a person's name in the midst of a sentence,
a password with no name before it.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Any, TextIO

REQUEST_ID: ContextVar[str] = ContextVar("mainstay_request_id", default="")
"""The id of the request at hand, empty outside of one. `middleware.RequestId` sets it."""

SECRETS = frozenset(
    """password passwd pwd passphrase secret token authorization cookie credential session_id sessionid
    api_key apikey access_key private_key signing_key encryption_key master_key otp totp pin csrf cvc cvv
    card_number pan iban ssn dsn conninfo database_url""".split()
)
"""Names whose values are always hidden, also with words before them.

`card_token`, `X-Api-Key`, `newPassword`.
"""

LINE = 8_192
"""Characters of a line unless told otherwise. Collectors commonly cut or split lines at 16 KiB."""

SECRET, PERSONAL = "[secret]", "[personal]"

_SCANNED = 32_768  # characters of one text that are looked at; the rest is cut off first, to bound the cost
_DEEP, _WIDE = 6, 64  # levels of a structure, and members of each
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TAIL = re.compile(r"(?:_?\d+|_(?:hash|digest|confirm|confirmation|repeat|again|plain|value|header))+$")
# Possessive quantifiers: a long text without a match costs no more than reading it.
_NAME = re.compile(
    r"""(?<![\w-])([A-Za-z_]\w*+(?:-\w++)*)(?:\\?["'])?\]?(?:\s*+(?:[:=]{1,2}>?|->)\s*+|(?<=["']),\s*+(?=b?["']))""",
    re.ASCII,
)
_SCHEME = re.compile(r"(?:bearer|basic|digest|token)\s++", re.IGNORECASE)
_QUOTED = re.compile(
    r"""\\"(?:(?!\\").)*+(?:\\")? | b?"(?:[^"\\]|\\.)*+"? | b?'(?:[^'\\]|\\.)*+'?""", re.DOTALL | re.VERBOSE
)
_BARE = re.compile(r"[^\s,;&)}\]({\[]*+")
_LINE = re.compile(r"[^\r\n]*+")
_BRACKETS = re.compile(
    r"""b?"(?:[^"\\]|\\.)*+" | b?'(?:[^'\\]|\\.)*+' | (?P<open>[\[{(]) | (?P<close>[\])}])""",
    re.DOTALL | re.VERBOSE,
)
_SHAPES = re.compile(
    r"""(?P<key>-----BEGIN\ [A-Z ]{0,40}PRIVATE\ KEY-----(?s:.*?)
        (?:-----END\ [A-Z ]{0,40}PRIVATE\ KEY-----|\Z))
    | (?P<token>\beyJ[\w-]{8,}+\.[\w-]{8,}+\.[\w-]*+)
    | (?P<scheme>\b(?:[Bb]earer|[Bb]asic)\s++)[\w.~+/=-]{8,}+
    | (?P<address>://[^\s/:@]{0,128}+:)[^\s/@]{1,256}+(?=@)
    | (?P<vendor>\b(?:[sr]k_(?:live|test)_\w{8,}+|whsec_\w{8,}+|gh[pousr]_\w{20,}+|github_pat_\w{20,}+
        |xox[abprs]-[\w-]{10,}+|A[KS]IA[0-9A-Z]{16}\b))
    | (?P<parameters>\[parameters:\ )[^\n]*+   # SQLAlchemy prints what it sent
    | (?P<row>\bKey\ \([^)\n]{0,256}+\)=\(|\bFailing\ row\ contains\ \()[^\n]*+   # PostgreSQL
    | (?P<input>\binput_value=)[^\n]*?(?=,\ input_type=|\n|\Z)   # pydantic prints what it was given
    """,
    re.VERBOSE,
)
_SHAPED = re.compile(  # does the slower pattern have to look at all?
    r"eyJ|earer|asic|://|PRIVATE|_live_|_test_|gh[pousr]_|github|xox|whsec|A[KS]IA"
    r"|parameters|Key \(|Failing|input_"
)
# Issuers' ranges (ISO/IEC 7812): 1 would be a time in nanoseconds, 20 a date; a fraction is no card either.
_CARD = re.compile(r"(?<![0-9A-Za-z])(?<!\d\.)(?:2[2-7]|3[04-9]|[4-6]\d)(?:[ -]?\d){11,17}(?![0-9A-Za-z])")
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}+@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_PLACE = re.compile(
    r"""([A-Za-z_][\w-]*+)(["']?(?:\s(?:is|was))?[\s:=]{0,3}["']?)%[-#0 +]*\d*(?:\.\d+)?[a-z]"""
)


class Redaction:
    """What hides: a name, a text, a nested structure, a whole record.

    `secret` and `personal` are further names of fields; both hide, under marks of their own. Where a
    personal name ends in "email" or "mail", e-mail addresses are hidden wherever they stand.
    """

    def __init__(self, *, secret: Iterable[str] = (), personal: Iterable[str] = ()) -> None:
        self._secret = SECRETS | {_plain(name) for name in secret}
        self._personal = frozenset(_plain(name) for name in personal)
        self._mail = any(name.endswith("mail") for name in self._personal)
        self._mark = lru_cache(maxsize=4_096)(self._find_mark)
        self._template = lru_cache(maxsize=1_024)(self._hide_places)

    def mark(self, name: str) -> str:
        """What is printed in place of the value of a field of this name; empty if that may be printed."""
        return self._mark(name[-128:])

    def text(self, text: str, *, head: float = 1.0) -> str:
        """The text with what is named or shaped like a secret hidden.

        At most 32 768 characters are looked at and kept, the share `head` of them from the beginning.
        """
        text = _cut(text, _SCANNED, head=head)
        if _SHAPED.search(text):
            text = _SHAPES.sub(_shape, text)
        if ":" in text or "=" in text or "->" in text or "'," in text or '",' in text:
            text = self._named(text)
        text = _CARD.sub(_card, text)
        if self._mail and "@" in text:
            text = _MAIL.sub(PERSONAL, text)
        return text

    def value(self, value: object, deep: int = 0) -> object:
        """Something that JSON can hold, hidden throughout.

        Mappings and sequences by member, others as text.
        """
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return self._number(value)
        if isinstance(value, str):
            return self.text(value)
        if deep >= _DEEP:
            return "[deep]"
        if isinstance(value, Mapping):
            return self._mapping(value, deep)
        if isinstance(value, list | tuple | set | frozenset):
            return self._members(value, deep)
        return self.text(_said(value))

    def message(self, record: logging.LogRecord) -> str:
        """The message with its arguments, hidden."""
        arguments = record.args
        template = record.msg if isinstance(record.msg, str) else str(self.value(record.msg))
        if not arguments:
            return self.text(template)
        template = self._template(template)
        try:
            if isinstance(arguments, Mapping):
                return self.text(template % self.value(arguments))
            return self.text(template % tuple(self._argument(one) for one in arguments))
        except Exception:  # noqa: BLE001 - a template that does not fit its arguments must still be told
            return self.text(f"{template} [its arguments do not fit]")

    def added(self, record: logging.LogRecord) -> dict[str, object]:
        """What was given as `extra`, hidden."""
        given = {name: value for name, value in record.__dict__.items() if name not in _OWN}
        hidden = self._mapping(given, 0) if given else {}
        hidden.pop("request_id", None)
        return hidden

    def error(self, record: logging.LogRecord) -> str:
        """The traceback and the stack, hidden; empty without."""
        parts = []
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            parts.append(_trace(record.exc_info[1]))
        elif record.exc_text:
            parts.append(record.exc_text)
        if record.stack_info:
            parts.append(record.stack_info)
        return self.text("\n".join(parts), head=0.25) if parts else ""

    def _find_mark(self, name: str) -> str:
        words = _plain(name).split("_")
        for start in range(len(words)):
            ending = "_".join(words[start:])
            for one in (ending, ending.removesuffix("s")):
                if one in self._secret:
                    return SECRET
                if one in self._personal:
                    return PERSONAL
        return ""

    def _hide_places(self, template: str) -> str:
        """`password %s` names its argument with no sign between: print the mark, swallow the argument."""

        def hide(place: re.Match[str]) -> str:
            mark = self.mark(place[1])
            return f"{place[1]}{place[2]}{mark}%.0s" if mark else place[0]

        return _PLACE.sub(hide, template)

    def _argument(self, argument: object) -> object:
        return (
            self.value(argument)
            if isinstance(argument, Mapping | list | tuple | set | frozenset)
            else argument
        )

    def _named(self, text: str) -> str:
        parts: list[str] = []
        done = 0
        for name in _NAME.finditer(text):
            if name.start() < done or not (mark := self.mark(name[1])):
                continue
            end = _value_end(text, name.end(), to_line_end=name[1].lower().endswith("cookie"))
            parts += text[done : name.end()], mark if end > name.end() else ""
            done = end
        if not parts:
            return text
        return "".join((*parts, text[done:]))

    def _number(self, value: float) -> object:
        if isinstance(value, int) and abs(value) > 10**12:
            text = str(value) if abs(value) < 10**30 else "[large number]"
            hidden = _CARD.sub(_card, text)
            return value if hidden == str(value) else hidden
        return value if isinstance(value, int) or abs(value) < float("inf") else str(value)

    def _mapping(self, mapping: Mapping[Any, object], deep: int) -> dict[str, object]:
        hidden: dict[str, object] = {}
        for name, value in mapping.items():
            if len(hidden) >= _WIDE:
                hidden["…"] = f"{len(mapping) - _WIDE} more"
                break
            key = name if isinstance(name, str) else _said(name)
            mark = self.mark(key)
            hidden[key if key.isidentifier() else self.text(key)] = mark or self.value(value, deep + 1)
        return hidden

    def _members(self, members: Iterable[object], deep: int) -> list[object]:
        hidden: list[object] = []
        for member in members:
            if len(hidden) >= _WIDE:
                hidden.append("…")
                break
            hidden.append(self._pair(member) or self.value(member, deep + 1))
        return hidden

    def _pair(self, member: object) -> list[str] | None:
        """A header as servers hold it: a name and a value, of bytes."""
        if not isinstance(member, tuple) or len(member) != 2 or not isinstance(member[0], str | bytes):
            return None
        name = _said(member[0])
        mark = self.mark(name)
        return [name, mark] if mark else None


class JsonLines(logging.Formatter):
    """One JSON object a line, of at most `most` characters.

    Its fields: at, level, logger, message, request_id, what was given as `extra`, error.
    """

    def __init__(self, redaction: Redaction | None = None, *, most: int = LINE) -> None:
        super().__init__()
        if most < 1_024:
            raise ValueError("a line needs at least 1024 characters")
        self._redaction = redaction or Redaction()
        self._most = most

    def format(self, record: logging.LogRecord) -> str:
        """Never raises: `logging` would print the record as it is, secrets included."""
        try:
            return self._line(record)
        except Exception as error:  # noqa: BLE001 - see above
            broken = {"at": _at(record), "level": record.levelname, "logger": record.name[:128]}
            return json.dumps(broken | {"message": "[cannot be printed]", "because": type(error).__name__})

    def _line(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": _at(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _cut(self._redaction.message(record), self._most // 4),
        }
        if request_id := getattr(record, "request_id", "") or REQUEST_ID.get():
            line["request_id"] = self._redaction.text(str(request_id)[:128])
        for name, value in self._redaction.added(record).items():
            line.setdefault(name, _cut(value, self._most // 4) if isinstance(value, str) else value)
        if error := self._redaction.error(record):
            line["error"] = _cut(error, self._most // 2, head=0.25)
        text = json.dumps(line, default=str)
        return text if len(text) <= self._most else self._short(line)

    def _short(self, line: dict[str, object]) -> str:
        """Without `extra`, so short that it fits even if each character has to be escaped (12 for one)."""
        for share in (self._most // 3, self._most // 40):
            short = {
                "at": line["at"],
                "level": line["level"],
                "logger": _cut(str(line["logger"]), self._most // 64),
            }
            short["message"] = _cut(str(line["message"]), share)
            if "error" in line:
                short["error"] = _cut(str(line["error"]), share, head=0.25)
            if "request_id" in line:
                short["request_id"] = str(line["request_id"])[: self._most // 128]
            text = json.dumps(short | {"cut": True})
            if len(text) <= self._most:
                break
        return text


class Hiding(logging.Filter):
    """The same for a handler with a formatter of its own.

    It changes the record, so it belongs on the first handler.
    """

    def __init__(self, redaction: Redaction | None = None) -> None:
        super().__init__()
        self._redaction = redaction or Redaction()

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every record pass."""
        hidden = self._redaction.message(record)
        extra = self._redaction.added(record)
        record.exc_text = self._redaction.error(record) or None
        record.exc_info, record.stack_info = None, None
        record.msg, record.args = hidden, ()
        record.__dict__.update(extra)
        record.__dict__.setdefault("request_id", REQUEST_ID.get())
        return True


def configure(
    level: int = logging.INFO,
    *,
    secret: Iterable[str] = (),
    personal: Iterable[str] = (),
    most: int = LINE,
    stream: TextIO | None = None,
) -> Redaction:
    """Send all that is logged through one handler that hides; to standard output unless `stream` is given.

    uvicorn's own handlers are taken away, since they print tracebacks as they are (start it with
    `log_config=None`, or call this when the application is made). Warnings and exceptions that end a thread
    or the process are logged.
    """
    redaction = Redaction(secret=secret, personal=personal)
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonLines(redaction, most=most))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in ("httpx", "httpx2", "httpcore", "httpcore2"):  # they print whole addresses
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    return redaction


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("mainstay_runtime").critical("ended by an exception", exc_info=(kind, error, trace))


@lru_cache(maxsize=4_096)
def _plain(name: str) -> str:
    """`X-Card-Token`, `cardToken` and `card_token_2` are one name."""
    return _TAIL.sub("", _HUMP.sub("_", name).lower().replace("-", "_").strip("_"))


def _value_end(text: str, start: int, *, to_line_end: bool) -> int:
    """Where a value ends that begins here: a quoted text, a structure, a call, a word, or the rest of the
    line.
    """
    if scheme := _SCHEME.match(text, start):
        start = scheme.end()
    if quoted := _QUOTED.match(text, start):
        return quoted.end()
    bare = (_LINE if to_line_end else _BARE).match(text, start)
    assert bare  # both match the empty text
    end = bare.end()
    return _balanced(text, end) if text[end : end + 1] in tuple("([{") else end


def _balanced(text: str, start: int) -> int:
    """The end of what is opened here; that of the text if it is never closed."""
    deep = 0
    for bracket in _BRACKETS.finditer(text, start):
        if bracket["open"]:
            deep += 1
        elif bracket["close"]:
            deep -= 1
            if deep == 0:
                return bracket.end()
    return len(text)


def _shape(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind in ("key", "token", "vendor"):
        return SECRET
    return f"{match[kind or 0]}{PERSONAL if kind in ('parameters', 'row', 'input') else SECRET}"


def _card(match: re.Match[str]) -> str:
    return "[card]" if _luhn(re.sub(r"\D", "", match[0])) else match[0]


def _luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812-1, annex B."""
    total = sum(int(one) for one in digits[-1::-2])
    return (total + sum(sum(divmod(2 * int(one), 10)) for one in digits[-2::-2])) % 10 == 0


def _said(value: object) -> str:
    try:
        if isinstance(value, bytes | bytearray):
            return bytes(value[:_SCANNED]).decode(errors="replace")
        return f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else str(value)
    except Exception:  # noqa: BLE001 - an object that cannot say what it is ends no request
        return f"[a {type(value).__name__} that cannot be printed]"


def _trace(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error)).rstrip()
    except Exception:  # noqa: BLE001 - as above
        return f"[a {type(error).__name__} that cannot be printed]"


def _cut(text: str, most: int, *, head: float = 1.0) -> str:
    """At most `most` characters; of them the share `head` from the beginning, the rest from the end."""
    if len(text) <= most:
        return text
    note = f"…[{len(text) - most} cut]…"
    kept = max(0, most - len(note))
    first = round(kept * head)
    return f"{text[:first]}{note}{text[len(text) - (kept - first) :] if first < kept else ''}"


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
