"""A k6 script: arrival rates that do not depend on the answers, and the budgets as thresholds."""

from mainstay.exports.literals import javascript
from mainstay.exports.mix import CannotExport, Mix, described
from mainstay.exports.rendering import rendered

ENGINE = "k6"
ENDING = ".js"
PATIENCE = 2.0  # seconds that an answer may take before k6 adds VUs, unless the p95 asks for more


def render(mix: Mix) -> str:
    """The script for that mix; raises CannotExport when journeys are part of it, which are Python."""
    load = mix.load
    if load.scenario:
        raise CannotExport(
            f"k6 runs no Python, and the journeys of {load.scenario} are: export them to Locust (.py)."
        )
    return rendered(
        "script.js.tmpl",
        service=_in_comment(mix.service),
        expected=load.expected,
        peak=load.peak,
        patience=max(PATIENCE, 10 * mix.budgets.p95),
        timeout=load.timeout,
        errors=mix.budgets.errors,
        p95=mix.budgets.p95,
        actions=javascript([described(action) for action in mix.actions], used=len("const ACTIONS = ")),
        actors=javascript({name: list(names) for name, names in mix.actors.items()}, used=20),
        headers_example=_in_comment(mix.headers_example),
        settings=mix.settings,
        settings_literal=javascript(list(mix.settings), used=20),
        guessed=mix.guessed,
    )


def _in_comment(text: str) -> str:
    """On one line, lest the rest of it be code."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
