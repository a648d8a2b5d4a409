"""What can go wrong: each need, the database and the service itself, and what the service does then."""

from mainstay.model.specification import Specification
from mainstay.plan.failures.database import database_modes
from mainstay.plan.failures.mode import FailureMode as FailureMode
from mainstay.plan.failures.needs import need_modes
from mainstay.plan.failures.own import own_modes


def failure_modes(specification: Specification) -> tuple[FailureMode, ...]:
    """Every way to fail that is planned for: the needs in their order, the database, the service."""
    return (*need_modes(specification), *database_modes(specification), *own_modes(specification))
