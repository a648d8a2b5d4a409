"""What the HTML pages share: templates whose every text is escaped and printable, and a strict policy."""

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from mainstay.reports.visible import visible

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def environment(read: Callable[[str], str]) -> "Environment":
    """Templates by `read`; loaded only when a page is wanted."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(
        loader=FunctionLoader(read),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"prose": prose, "many": "{:,}".format}
    return made


def text_of(package: str, name: str) -> str:
    """A file that comes with a package of ours."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def prose(text: str) -> "Markup":
    """Text with names between backticks set as code."""
    from markupsafe import Markup, escape

    parts = visible(text).split("`")
    if len(parts) % 2 == 0:
        return escape(visible(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )


def style_sheet(style: str) -> "Markup":
    """Our own style sheet, as it is: the policy names it by its hash."""
    from markupsafe import Markup

    return Markup(style)  # noqa: S704 - our own file


def policy(style: str) -> str:
    """Nothing may be loaded, run or sent; this one style sheet applies."""
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _printable(value: object) -> object:
    """What a template is about to print; markup of our own is left as it is."""
    return value if hasattr(value, "__html__") else visible(str(value))
