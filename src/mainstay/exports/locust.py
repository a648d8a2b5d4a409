"""A locustfile: users that keep to due times of their own, so that their number makes the rate."""

from pathlib import PurePath

from mainstay.exports.literals import python
from mainstay.exports.mix import Mix, described
from mainstay.exports.rendering import rendered

ENGINE = "Locust"
ENDING = ".py"


def render(mix: Mix) -> str:
    """The locustfile for that mix."""
    load = mix.load
    return rendered(
        "locustfile.py.tmpl",
        service=_in_docstring(mix.service),
        expected=load.expected,
        peak=load.peak,
        timeout=load.timeout,
        poisson=load.arrivals == "poisson",
        errors=mix.budgets.errors,
        p95=mix.budgets.p95,
        actions=python([described(action) for action in mix.actions], used=len("ACTIONS = ")),
        actors=python({name: list(names) for name, names in mix.actors.items()}, used=len("ACTORS = ")),
        headers_example=_in_docstring(mix.headers_example),
        settings=mix.settings,
        settings_literal=python(list(mix.settings)),
        scenario=python(PurePath(load.scenario).name) if load.scenario else "",
        guessed=mix.guessed,
    )


def _in_docstring(text: str) -> str:
    """Without what would end the docstring or be an escape in it."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text)
    return shown.replace("\\", "/").replace('"""', "'''")
