"""What can be asked of the service, what it answers, and how its interface changes later."""

from collections.abc import Iterator

from mainstay.model.dossier import Artefact, Chapter, Grid, Part, Row, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.model.specification import Auth, Operation, Specification
from mainstay.plan.api import (
    KEY,
    PAGE,
    PAGE_USUAL,
    TOKEN_URL,
    VERSION,
    body_fields,
    filters,
    names_of,
    needs_key,
    needs_match,
    openapi,
    reading,
    settled_later,
    shown,
    statuses,
    text,
)

PLACE = 20


def chapter(specification: Specification) -> Chapter:
    """The operations, their statuses, and the promises that all of them share."""
    parts: list[Part] = [
        Grid(
            ("operation", "request", "takes", "answers"),
            tuple(_operations(specification)),
            "What can be asked",
        ),
        Grid(("operation", "status", "when"), tuple(_statuses(specification)), "What is answered"),
        Grid(("status", "what the caller does"), tuple(_advice(specification)), "What to do about a refusal"),
        Statements(tuple(_promises(specification)), "What holds for all of them"),
        Statements(tuple(_changes()), "How the interface changes"),
    ]
    questions = tuple(_questions(specification))
    if questions:
        parts.append(Statements(questions, "What only the owner can say"))
    parts.append(
        Artefact("openapi.yaml", "yaml", text(openapi(specification)), "The interface, as OpenAPI 3.1")
    )
    return Chapter(
        "interface",
        "What can be asked of the service",
        "Each operation tells what it takes, and each answer tells the caller what to do next.",
        tuple(parts),
    )


# Operations


def _operations(specification: Specification) -> Iterator[Row]:
    for operation in specification.operations:
        request = f"`{operation.method} /{VERSION}{operation.path}`"
        answered = ", ".join(str(status.code) for status in statuses(specification, operation))
        cells = (f"`{operation.name}`", request, _takes(specification, operation), answered)
        yield Row(cells, sum=_from(operation))


def _takes(specification: Specification, operation: Operation) -> str:
    names = [name for field in body_fields(specification, operation) for name in names_of(field)]
    names += [one.name for one in filters(specification, operation)]
    names += ["after", "size"] if operation.lists else []
    headers = ["Idempotency-Key"] if needs_key(operation) else []
    headers += ["If-Match"] if needs_match(specification, operation) else []
    return ", ".join(f"`{name}`" for name in (*names, *headers)) or "nothing"


def _from(operation: Operation) -> str:
    if operation.takes:
        return "the fields that `takes` names"
    if operation.creates:
        return f"the fields of `{operation.creates}` but for what the path says and for its state"
    if operation.lists:
        return "the fields that `lists` names: equal values, and ranges of what has an order"
    return "the path, and what the operation changes"


def _statuses(specification: Specification) -> Iterator[Row]:
    for operation in specification.operations:
        for status in statuses(specification, operation):
            yield Row((f"`{operation.name}`", str(status.code), status.when), sum=_WHY[status.code])


_WHY = {
    200: "it reads or changes a row",
    201: "it creates",
    202: "not all of it is done when it answers",
    204: "it has nothing to show",
    400: "it takes a key or a place in a list, which have a form",
    401: "its callers show who they are",
    403: "it names who may call it",
    404: "its path names a row, or it reads one; of a row of others no more is told, so that ids say nothing",
    409: "rules over several rows, moves, or keys",
    412: "rows are changed by several callers",
    422: "it takes values, and each has bounds",
    429: "one caller must not take the place of the others",
    503: "what is too much is refused at once instead of late",
}
_ADVICE = {
    400: "Mend the request; the same one is refused again.",
    401: "Show who calls; then ask again.",
    403: "Ask the owner for the right; nothing else helps.",
    404: "Take it as not there.",
    409: "Read the row again and decide anew. With the same key, wait a moment and repeat.",
    412: "Read the row again, merge, and send the change with the new `ETag`.",
    422: "Mend what `errors` names; the same request is refused again.",
    429: "Wait for `Retry-After` seconds, then repeat.",
    503: "Wait for `Retry-After` seconds, then repeat with the same key.",
}


def _advice(specification: Specification) -> Iterator[Row]:
    codes = {s.code for one in specification.operations for s in statuses(specification, one)}
    for code in sorted(codes & _ADVICE.keys()):
        yield Row((str(code), _ADVICE[code]), sum="what the status means in RFC 9110 and RFC 6585")


# Promises


def _promises(specification: Specification) -> Iterator[Statement]:
    yield Statement(
        "Every refusal is a problem of one shape (RFC 9457), and tells nothing of the inside.",
        sum="`type`, `title` and `status`; `detail` where there is one, `errors` for values",
    )
    yield from _keys(specification)
    yield from _pages(specification)
    yield from _versions(specification)
    for operation in specification.operations:
        for need in settled_later(specification, operation):
            yield Statement(
                f"`{operation.name}` answers 202 with the row as it is; `{need}` is asked afterwards.",
                sum=f"`when_down` of `{need}`: settle later",
            )
    hidden = [f"`{e.name}.{f.name}`" for e in specification.entities for f in e.fields if not f.shown]
    if hidden:
        yield Statement(
            f"No answer holds {', '.join(hidden)}.",
            sum="the specification says `secret`, `hashed` or `internal`",
        )


def _keys(specification: Specification) -> Iterator[Statement]:
    critical = [f"`{one.name}`" for one in specification.operations if needs_key(one)]
    if not critical:
        return
    yield Statement(
        f"{', '.join(critical)}: the same `Idempotency-Key` gives the same answer; it is done once.",
        sum="critical, and a caller who got no answer has to be able to ask again",
    )
    yield Statement(
        f"A key has {KEY[0]} to {KEY[1]} printable characters.",
        Origin.ASSUMED,
        "a UUID has 36; a shorter key than 8 is soon used twice, and 200 fit into the index. "
        "If callers have other keys, change the bounds",
    )


def _pages(specification: Specification) -> Iterator[Statement]:
    if not any(one.lists for one in specification.operations):
        return
    yield Statement(
        "A list is read page by page, each from where the last one ended; rows that come and go meanwhile "
        "neither double nor hide another.",
        sum="`after` holds the sort values of the last row, and an index leads there; row numbers shift",
    )
    yield Statement(
        f"A page has {PAGE_USUAL} rows, and {PAGE} at most.",
        Origin.ASSUMED,
        "a page has to fit into the budget for its time; if rows are large, take fewer",
    )


def _versions(specification: Specification) -> Iterator[Statement]:
    matching = [f"`{o.name}`" for o in specification.operations if needs_match(specification, o)]
    if matching:
        yield Statement(
            f"{', '.join(matching)}: `If-Match` names the version that was read; a later one is not lost.",
            sum="rows are changed by several callers at once",
        )


def _changes() -> Iterator[Statement]:
    yield Statement(
        f"All paths begin with `/{VERSION}`. Within it, things are added and never taken away: new "
        "operations, new optional values of requests, new fields of answers.",
        sum="a caller who ignores what he does not know is not broken by what is added",
    )
    yield Statement(
        "What breaks callers gets a new prefix, and both are served for a time.",
        sum="callers are released on other days than the service",
    )
    yield Statement(
        "An operation that will go says so in `Deprecation` (RFC 9745) and, when the day is known, in "
        "`Sunset` (RFC 8594); the metrics tell who still calls it.",
        sum="the headers stand in the document, ready to be used",
    )


# Questions


def _questions(specification: Specification) -> Iterator[Statement]:
    if any(caller.auth is Auth.OAUTH2 for caller in specification.callers):
        yield Statement(
            f"Who issues the tokens? `{TOKEN_URL}` stands in the document until then.",
            Origin.OPEN,
            "`auth: oauth2` says how callers show who they are, not where they get it",
        )
    yield from _nowhere(specification)
    yield from _public(specification)


def _nowhere(specification: Specification) -> Iterator[Statement]:
    for operation in specification.operations:
        if operation.creates and reading(specification, operation.creates) is None:
            yield Statement(
                f"Nothing reads one `{operation.creates}`, so that the 201 of `{operation.name}` has no "
                "`Location`. Is an operation missing?",
                Origin.OPEN,
                f"no operation has `reads: {operation.creates}` with one parameter in its path",
            )


def _public(specification: Specification) -> Iterator[Statement]:
    """What anyone at all may read."""
    for operation in specification.operations:
        entity = shown(specification, operation)
        callers = [specification.caller(grant.caller) for grant in operation.by]
        if entity is None or not any(one is not None and one.auth is Auth.NOBODY for one in callers):
            continue
        personal = [f"`{field.name}`" for field in entity.fields if field.personal and field.shown]
        if personal and (operation.reads or operation.lists):
            yield Statement(
                f"`{operation.name}` shows {', '.join(personal)} to anyone at all. Is that meant?",
                Origin.OPEN,
                "a caller with `auth: nobody` may call it, and these are personal",
            )
