"""Which declared answer a request gets."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from mainstay.lab.error import LabError
from mainstay.lab.standin.template import Text, compile_text, compile_value
from mainstay.model.service import StandInAnswer

_ON = re.compile(r"([A-Za-z]+) +(/\S*)")
_PARAMETER = re.compile(r"\{([^{}/]+)\}")
_READING = ("GET", "HEAD", "OPTIONS")


class RouteError(LabError):
    """An answer is declared for what is no request; the message says which."""


class Route(Struct, frozen=True):
    """A declared answer, ready to be given."""

    method: str
    path: str  # "/v1/charges/{id}"
    pattern: re.Pattern[str]
    status: int
    body: Any  # compiled
    headers: dict[str, "str | Text"]
    effect: bool
    shows: str = ""  # it has no body of its own: it shows what was made by the POST of this path

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters in a path; None when it is another one's."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        names = _PARAMETER.findall(self.path)
        return {name: unquote(value) for name, value in zip(names, found.groups(), strict=True)}


def routes(answers: Sequence[StandInAnswer]) -> tuple[Route, ...]:
    """The answers, the most particular path first; raises RouteError and TemplateError."""
    made = {_on(answer)[1] for answer in answers if _on(answer)[0] == "POST"}
    found = [_route(answer, made) for answer in answers]
    return tuple(sorted(found, key=lambda route: (len(_PARAMETER.findall(route.path)), -len(route.path))))


def _on(answer: StandInAnswer) -> tuple[str, str]:
    found = _ON.fullmatch(answer.on.strip())
    if found is None:
        raise RouteError(f'"{answer.on}" is no request; write it as "POST /v1/charges/{{id}}"')
    return found[1].upper(), found[2]


def _route(answer: StandInAnswer, made: set[str]) -> Route:
    method, path = _on(answer)
    if not 200 <= answer.status <= 599:
        raise RouteError(f'"{answer.on}" cannot be answered with the status {answer.status}')
    parts = _PARAMETER.split(path)  # a literal, a name, a literal, ...
    pattern = "".join("([^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    collection = path.rpartition("/")[0] if len(parts) > 1 and path.endswith("}") else ""
    shows = collection if method == "GET" and answer.body is None and collection in made else ""
    effect = method not in _READING if answer.effect is None else answer.effect
    headers = {name: compile_text(value) for name, value in answer.headers.items()}
    return Route(
        method,
        path,
        re.compile(pattern),
        answer.status,
        compile_value(answer.body),
        headers,
        effect and answer.status < 400,
        shows,
    )
