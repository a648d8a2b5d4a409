"""What only the owner can answer."""

from collections.abc import Iterator

from mainstay.model.dossier import Chapter, Statement, Statements
from mainstay.model.proof import Origin
from mainstay.model.specification import Auth, NeedKind, Specification

PLACE = 97


def chapter(specification: Specification) -> Chapter:
    """Questions that follow from what is said and from what is not."""
    return Chapter(
        "questions",
        "What is open",
        f"Only {specification.owner} can answer these.",
        (
            Statements(
                tuple(Statement(question, Origin.OPEN, why) for question, why in _questions(specification))
            ),
        ),
    )


def _questions(specification: Specification) -> Iterator[tuple[str, str]]:
    """The question, and why it is asked."""
    for entity in specification.entities:
        for field in entity.fields:
            if field.personal and field.keep is None:
                yield (
                    f"How long is `{entity.name}.{field.name}` kept?",
                    "it is personal, and nothing deletes it",
                )
    for caller in specification.callers:
        if caller.auth is Auth.OAUTH2:
            yield f"Who issues the tokens of `{caller.name}`, and where are their keys?", "it shows a token"
    for need in specification.needs:
        if need.availability is None:
            yield f"What availability does `{need.name}` promise?", "nothing says it, so no sum can be made"
        if need.kind is NeedKind.HTTP and not need.idempotency_header:
            yield (
                f"What makes a repeated request to `{need.name}` safe?",
                "without it no call is ever repeated",
            )
    yield "Who is called at night, and by what?", "a page needs a receiver"
    yield "In which regions does it run, and may its data leave them?", "nothing says it"
