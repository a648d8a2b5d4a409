"""Fills the templates of the exports.  Their marks are `<< >>` and `<% %>`, which neither language uses."""

from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from mainstay import __version__


def rendered(template: str, **values: Any) -> str:
    """The template of that name in `exports/templates`, filled."""
    # What is filled in is source code that `literals.py` wrote: to escape it for HTML would break it.
    engine = Environment(
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - see above
    )
    text = files("mainstay.exports").joinpath("templates", template).read_text(encoding="utf-8")
    return engine.from_string(text).render(version=__version__, **values)
