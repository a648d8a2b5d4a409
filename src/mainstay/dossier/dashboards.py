"""What there is to see while the service runs."""

from mainstay.model.dossier import Artefact, Chapter, Grid, Row, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.model.specification import Specification
from mainstay.plan.dashboard import LOW, SCHEMA, Panel, Unit, dashboard, text

PLACE = 65


def chapter(specification: Specification) -> Chapter:
    """The panels, and the dashboard itself."""
    found = dashboard(specification)
    return Chapter(
        "dashboards",
        "What there is to see",
        "One dashboard, read from the top: is a promise in danger, what spends it, what may be the cause.",
        (
            Grid(
                ("panel", "what it is read for", "line at"),
                tuple(_row(panel) for panel in found.panels),
                "Panels, from left to right and down",
            ),
            Statements(_statements(), "What it rests on"),
            Artefact("dashboard.json", "json", text(found), "The dashboard, for Grafana"),
        ),
    )


def _row(panel: Panel) -> Row:
    limit = "" if panel.limit is None else _amount(panel.limit, panel.unit)
    shown = "; ".join(f"`{query.expression}`" for query in panel.queries)
    return Row((panel.title, panel.says, limit), Origin.DERIVED, shown)


def _amount(value: float, unit: Unit) -> str:
    match unit:
        case Unit.SHARE:
            return f"{value * 100:g} %"
        case Unit.RATE:
            return f"{value:g}/s"
        case Unit.SECONDS if value < 1:
            return f"{value * 1000:g} ms"
        case Unit.SECONDS:
            return f"{value / 3600:g} h" if value >= 3600 else f"{value:g} s"
        case _:
            return f"{value:g}"


def _statements() -> tuple[Statement, ...]:
    return (
        Statement(
            f"A budget of which less than {LOW * 100:g} % is left is shown in red.",
            Origin.ASSUMED,
            "enough for a mistake or two until old outages fall out of the 30 days; releases wait below it",
        ),
        Statement(
            f"Grafana reads dashboards of schema version {SCHEMA}.",
            Origin.ASSUMED,
            "Grafana 11 and later do; an older one shows it with settings missing",
        ),
    )
