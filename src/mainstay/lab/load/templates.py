"""The texts of an action, read once and filled for each request.

A text that is exactly one `{name}` inside a body becomes the value itself, so numbers stay numbers.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec

from mainstay.lab.error import LabError
from mainstay.lab.load.tokens import MAKERS, Tokens
from mainstay.model.service import Action

Value = str | int | float  # what a name stands for
Values = Mapping[str, Value]

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

_MARKING = ("marker", "email")  # names whose value holds the marker
_WITH_BODY = ("POST", "PUT", "PATCH")
_METHOD = re.compile(r"[A-Z]+")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PIECES = re.compile(r"(\{\{|\}\}|\{[^{}]*\}|[{}])")
_IN_PATH = "/%:@!$&'()*+,;=?-._~"  # what the path of an action may hold as it is written


class TemplateError(LabError):
    """An action that cannot be sent, in one sentence with its name."""


class Prepared(msgspec.Struct, frozen=True):
    """A request, filled; sent again it is the same in every byte."""

    action: str
    method: str
    path: str  # with its query
    headers: list[bytes]
    body: bytes | None = None
    actor: str = ""
    marker: str = ""
    key: str = ""
    taken: tuple[str, ...] = ()
    writes: bool = False
    expects: tuple[int, ...] = ()
    gives: dict[str, str] = {}

    @property
    def read(self) -> bool:
        """Whether its answer is of use beyond its status."""
        return self.writes or bool(self.gives)


class _Slot:
    """A name in a text, and how its value is written there."""

    __slots__ = ("name", "write")

    def __init__(self, name: str, write: Callable[[Value], str]) -> None:
        self.name = name
        self.write = write


class Text:
    """A text with the places that are filled for each request."""

    __slots__ = ("_pieces", "_whole", "names")

    def __init__(self, pieces: Sequence[str | _Slot]) -> None:
        self._pieces = pieces
        self.names = frozenset(piece.name for piece in pieces if isinstance(piece, _Slot))
        self._whole = None if self.names else "".join(p for p in pieces if isinstance(p, str))

    def fill(self, values: Values) -> str:
        if self._whole is not None:
            return self._whole
        return "".join(p if isinstance(p, str) else p.write(values[p.name]) for p in self._pieces)


class Template:
    """An action, ready to be filled.  Raises TemplateError."""

    def __init__(
        self,
        action: Action,
        actor: str,
        headers: Mapping[str, str],
        pools: frozenset[str],
        writes: bool | None = None,  # None: what its method says
        loose: bool = False,  # other braces than those of a known name are text, which was computed
    ) -> None:
        self.action = action
        self._loose = loose
        self._writes = action.writes if writes is None else writes
        self.actor = actor
        self._known = pools | MAKERS.keys()
        self._method = action.method.upper()
        if not _METHOD.fullmatch(self._method):
            raise TemplateError(f"Action `{action.name}`: {action.method!r} is not an HTTP method.")
        self._path = self._address()
        self._headers = self._all_headers(headers)
        self._body = self._content()
        texts = [self._path, *(text for _, text in self._headers), *filter(None, [self._body])]
        self.names = frozenset[str]().union(*(text.names for text in texts))
        self.takes = tuple(dict.fromkeys(action.takes))
        if unknown := sorted(set(self.takes) - pools):
            raise TemplateError(f"Action `{action.name}` takes from `{unknown[0]}`, which no action gives.")
        self.uses = tuple(sorted((self.names & pools) - set(self.takes)))  # any value of these will do
        self._made = tuple(sorted(self.names - pools))

    def prepare(self, tokens: Tokens, serial: int, values: Mapping[str, Value]) -> Prepared:
        """The request of that serial; `values` are those of the pools it takes from and uses."""
        action = self.action
        filled: dict[str, Value] = dict(values)
        for name in self._made:
            filled[name] = MAKERS[name](tokens, serial)
        headers = [f"{name}: {_one_line(text.fill(filled))}" for name, text in self._headers]
        body = None if self._body is None else self._body.fill(filled).encode()
        return Prepared(
            action=action.name,
            method=self._method,
            path=self._path.fill(filled),
            headers=[header.encode() for header in headers],
            body=body,
            actor=self.actor,
            marker=self._marker(tokens, serial),
            key=str(filled.get("key", "")),
            taken=tuple(str(values[pool]) for pool in self.takes),
            writes=self._writes,
            expects=action.expects,
            gives=action.gives,
        )

    def _marker(self, tokens: Tokens, serial: int) -> str:
        if any(name in self.names for name in _MARKING):
            return tokens.marker(serial)
        return tokens.uuid(serial) if "uuid" in self.names else ""

    def _address(self) -> Text:
        path = self.action.path
        if not path.startswith("/"):
            raise TemplateError(
                f"Action `{self.action.name}`: the path {path!r} does not begin with a slash."
            )
        pieces = list(self._pieces(path, "path", _in_path, lambda text: quote(text, safe=_IN_PATH)))
        joint = "&" if "?" in path else "?"
        for name, text in self.action.query.items():
            pieces += [f"{joint}{quote(name, safe='')}=", *self._pieces(text, "query", _in_path, _in_path)]
            joint = "&"
        return Text(pieces)

    def _all_headers(self, of_actor: Mapping[str, str]) -> list[tuple[str, Text]]:
        action = self.action
        headers = {name.lower(): (name, Text([text])) for name, text in of_actor.items()}
        for name, text in action.headers.items():
            headers[name.lower()] = (name, Text(list(self._pieces(text, f"header {name}", str, str))))
        if action.key_header and action.key_header.lower() not in headers:
            headers[action.key_header.lower()] = (action.key_header, Text([_Slot("key", str)]))
        kind = FORM if action.form else JSON if action.body is not None else ""
        if kind and "content-type" not in headers:
            headers["content-type"] = ("Content-Type", Text([kind]))
        for name, _ in headers.values():
            if not _HEADER.fullmatch(name):
                raise TemplateError(f"Action `{action.name}`: {name!r} is not the name of a header.")
        return list(headers.values())

    def _content(self) -> Text | None:
        action = self.action
        if action.form and action.body is not None:
            raise TemplateError(f"Action `{action.name}` has both a body and a form.")
        if action.form:
            pieces: list[str | _Slot] = []
            for name, text in action.form.items():
                joint = "&" if pieces else ""
                pieces += [f"{joint}{quote_plus(name)}=", *self._pieces(text, "form", _in_form, _in_form)]
            return Text(pieces)
        if action.body is not None:
            return Text(list(self._json(action.body)))
        return Text([]) if self._method in _WITH_BODY else None  # so that its length is sent, as 0

    def _json(self, value: Any) -> Iterator[str | _Slot]:
        if isinstance(value, str):
            yield from self._json_text(value)
        elif isinstance(value, dict):
            yield "{"
            for n, (name, inner) in enumerate(value.items()):
                yield f"{',' if n else ''}{self._dumped(str(name))}:"
                yield from self._json(inner)
            yield "}"
        elif isinstance(value, list | tuple):
            yield "["
            for n, inner in enumerate(value):
                if n:
                    yield ","
                yield from self._json(inner)
            yield "]"
        else:
            yield self._dumped(value)

    def _json_text(self, text: str) -> Iterator[str | _Slot]:
        pieces = list(self._pieces(text, "body", _in_json, _in_json))
        if len(pieces) == 1 and isinstance(pieces[0], _Slot):
            yield _Slot(pieces[0].name, _as_json)
        else:
            yield from ('"', *pieces, '"')

    def _dumped(self, value: Any) -> str:
        try:
            return _as_json(value)
        except (TypeError, OverflowError, ValueError, msgspec.MsgspecError) as error:
            raise TemplateError(f"Action `{self.action.name}`: its body is no JSON ({error}).") from error

    def _pieces(
        self, text: str, where: str, write: Callable[[Value], str], literal: Callable[[str], str]
    ) -> Iterator[str | _Slot]:
        for piece in filter(None, _PIECES.split(text)):
            if self._loose and piece[1:-1] not in self._known:
                yield literal(piece)
            elif piece in ("{{", "}}"):
                yield literal(piece[0])
            elif piece in ("{", "}"):
                raise TemplateError(
                    f"Action `{self.action.name}`: a lone `{piece}` in its {where}; "
                    f"write `{piece * 2}` for a brace."
                )
            elif piece[0] == "{":
                yield _Slot(self._name(piece[1:-1], where), write)
            else:
                yield literal(piece)

    def _name(self, name: str, where: str) -> str:
        if name not in self._known:
            raise TemplateError(
                f"Action `{self.action.name}`: `{{{name}}}` in its {where} is neither one of "
                f"{', '.join(f'`{{{known}}}`' for known in MAKERS)} nor a pool that an action gives."
            )
        return name


def check(actions: Sequence[Action], actors: Sequence[str] = ()) -> None:
    """Whether every action can be sent, before anything is.

    `actors` are the names there are, the first one being that of actions without one; none: any will do.
    Raises TemplateError.
    """
    compile_all(actions, {name: {} for name in actors or dict.fromkeys(action.actor for action in actions)})


def compile_all(actions: Sequence[Action], actors: Mapping[str, Mapping[str, str]]) -> dict[str, Template]:
    """The templates by the names of their actions.  Raises TemplateError."""
    first = next(iter(actors), "")
    pools = frozenset(pool for action in actions for pool in action.gives)
    if clash := sorted(pools & MAKERS.keys()):
        raise TemplateError(
            f"A pool cannot be called `{clash[0]}`: that name means something else in every text."
        )
    templates: dict[str, Template] = {}
    for action in actions:
        if action.name in templates:
            raise TemplateError(f"Two actions are called `{action.name}`.")
        actor = action.actor or first
        if actors and actor not in actors:
            raise TemplateError(f"Action `{action.name}` is sent by `{actor}`, who is no actor.")
        templates[action.name] = Template(action, actor, actors.get(actor, {}), pools)
    _check_givers(templates)
    return templates


def _check_givers(templates: Mapping[str, Template]) -> None:
    """An actor uses only what the same actor made."""
    given = {(template.actor, pool) for template in templates.values() for pool in template.action.gives}
    for template in templates.values():
        for pool in (*template.takes, *template.uses):
            if (template.actor, pool) not in given:
                raise TemplateError(
                    f"Action `{template.action.name}` needs `{{{pool}}}`, which no action of the actor "
                    f"`{template.actor}` gives."
                )


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


def _in_path(value: Value) -> str:
    return quote(str(value), safe="")


def _in_form(value: Value) -> str:
    return quote_plus(str(value))


def _in_json(value: Value) -> str:
    return _as_json(str(value))[1:-1]


def _as_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
