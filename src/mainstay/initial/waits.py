"""The longest that the service waits for anything, as far as its code says."""

from mainstay.initial.settings import functions_of
from mainstay.initial.tree import Tree
from mainstay.model.code import Call, Literal
from mainstay.model.system import Bound

USUAL_S = 30.0  # what many pools and servers wait when nobody tells them otherwise
LONGEST_S = 120.0  # what is longer belongs to a job, not to a request
_NAMES = frozenset(
    {"pool_timeout", "command_timeout", "statement_timeout", "connect_timeout", "timeout", "acquire_timeout"}
)


def longest_wait(tree: Tree) -> tuple[float, str]:
    """Seconds, and why."""
    best, why = 0.0, ""
    pooled = tree.has("sqlalchemy", "sqlmodel", "flask-sqlalchemy")
    for function in functions_of(tree):
        for statement, deadline in function.deadlines.items():
            seconds = deadline.seconds
            if deadline.bound is Bound.BOUNDED and seconds is not None and best < seconds <= LONGEST_S:
                best, why = (
                    seconds,
                    f"{function.at(statement).path}:{function.at(statement).line} waits so long",
                )
        for call in function.body.statements:
            if not isinstance(call, Call):
                continue
            for keyword in call.keywords:
                found = keyword.value.value if isinstance(keyword.value, Literal) else None
                if keyword.name == "pool_timeout":
                    pooled = False
                if (
                    keyword.name in _NAMES
                    and type(found) in (int, float)
                    and best < float(str(found)) <= LONGEST_S
                ):
                    best, why = float(str(found)), f"`{keyword.name}` in {function.file.path}:{call.line}"
    if pooled and best < USUAL_S:
        return USUAL_S, "SQLAlchemy's pool waits 30 s when nobody says otherwise"
    if best >= 1:
        return best, why
    return USUAL_S, "no longer timeout was found, and many pools wait 30 s"
