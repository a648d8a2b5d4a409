"""The HTTP operations of the system, each with what guards it."""

from msgspec import structs

from mainstay.link.calls import Calls
from mainstay.link.guards import Guards
from mainstay.link.lookup import Lookup
from mainstay.link.publications import Publications
from mainstay.link.routers import Routers
from mainstay.model.system import Operation


def find_operations(calls: Calls) -> tuple[Operation, ...]:
    """Every operation of the project's source files; all calls and decorators must be resolved."""
    lookup = Lookup(calls)
    routers = Routers(lookup)
    published = Publications(lookup, routers).find()
    guards = Guards(lookup, routers, published)
    return tuple(
        structs.replace(publication.operation, guards=guards.of(publication)) for publication in published
    )
