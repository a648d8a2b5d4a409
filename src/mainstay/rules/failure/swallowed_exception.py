"""The rule swallowed-exception."""

from collections.abc import Iterator

from msgspec import Struct

from mainstay.model.effect import WRITES, Effect, EffectKind, EnclosureKind, Step
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.system import Function, System
from mainstay.rules.base import Example, Rule
from mainstay.rules.handlers import (
    Handler,
    by_hand,
    called,
    falls_back,
    handlers,
    hands_back,
    idle,
    likely,
    may_be_outage,
    outages,
    sure,
    telemetry,
    tidies,
    tried_steps,
    tries_again,
)

CHANGES = WRITES | {EffectKind.SEND}
DONE = CHANGES | {EffectKind.CALL_OUT, EffectKind.RUN, EffectKind.READ}
KEPT = (
    "pathlib.Path.write_bytes",
    "pathlib.Path.write_text",
    "shutil.copy",
    "shutil.copyfile",
    "shutil.move",
)
CACHES = ("redis", "cache", "memcached", "django.cache")
DUPLICATES = frozenset({"IntegrityError", "UniqueViolation", "DuplicateKeyError"})


class Silent(Struct, frozen=True):
    """A handler that hides a failure, and the work it hides it of."""

    handler: Handler
    steps: tuple[Step, ...]
    files: tuple[int, ...]

    @property
    def work(self) -> frozenset[tuple[str, Effect]]:
        """What a called function does for it."""
        return frozenset((step.via, step.effect) for step in self.steps if step.via)


class SwallowedException(Rule):
    """An exception is swallowed.

    The work failed and the code goes on as if it had not: a row is missing, a message was never sent,
    half a batch is skipped, and there is no log line, no metric and no error to find it by. It is noticed
    when the data is needed.

    Catch only what is expected there and say why it is harmless. Whatever else happens is logged with its
    context and counted, or goes on up to somebody who can act.
    """

    severity = Severity.MEDIUM
    family = (Family.EXCEPTION_ESCAPE, Family.SILENT_FAILURE)
    since = "0.1"
    references = ("CWE-390", "CWE-391", "OWASP A10:2025")

    notices = (
        "Nobody. The first sign is data that is missing, days later, with nothing in the logs of that time."
    )
    recovers = "It does not: nothing remembers that the work is still to be done."
    costs = (
        "A narrower except and a log line. What has failed in silence until now becomes visible, and may "
        "be a lot."
    )

    bad = (
        Example(
            {
                "ledger.py": """
                    from models import Entry

                    def post(session, amount):
                        session.add(Entry(amount=amount))
                        session.flush()
                """,
                "orders.py": """
                    from sqlalchemy.orm import Session
                    import ledger

                    def book(session: Session, order):
                        order.status = "paid"
                        try:
                            ledger.post(session, order.amount)
                        except Exception:  # <-
                            pass
                        session.commit()
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

                    class Base(DeclarativeBase):
                        pass

                    class Entry(Base):
                        __tablename__ = "entries"
                        id: Mapped[int] = mapped_column(primary_key=True)
                        amount: Mapped[int]
                """,
            },
            why="the order is paid and its money is in no book",
        ),
        Example(
            {
                "digest.py": """
                    from django.core.mail import send_mail
                    from django.contrib.auth.models import User

                    def send_all():
                        for user in User.objects.filter(is_active=True):
                            try:
                                send_mail("Digest", "News", "us@shop.test", [user.email])
                            except:  # <-
                                continue
                """
            },
            why="whoever gets no mail is not known",
        ),
        Example(
            {
                "hooks.py": """
                    from contextlib import suppress
                    import requests

                    def announce(url, event):
                        with suppress(requests.RequestException):  # <-
                            requests.post(url, json=event, timeout=5)
                """
            },
            why="an outage of the receiver loses the event",
        ),
        Example(
            {
                "files.py": """
                    from contextlib import suppress
                    from pathlib import Path

                    def path_of(root: Path, name) -> Path:
                        return root / name

                    def keep(root: Path, name, content):
                        with suppress(OSError):  # <-
                            path_of(root, name).write_bytes(content)

                    def keep_draft(path: Path, content):
                        try:
                            path.write_text(content)
                        except OSError:  # <-
                            pass
                """
            },
            why="a full disk is taken for a kept document",
        ),
        Example(
            {
                "audit.py": """
                    from sqlalchemy.exc import SQLAlchemyError
                    from sqlalchemy.orm import Session
                    from models import Entry

                    def note(session: Session, text):
                        try:
                            try:
                                write(session, text)
                            except SQLAlchemyError:  # <-
                                pass
                            write(session, "noted")
                        except Exception:
                            pass

                    def write(session: Session, text):
                        session.add(Entry(text=text))
                        session.commit()
                """,
                "models.py": """
                    from sqlalchemy.orm import DeclarativeBase

                    class Base(DeclarativeBase): ...
                    class Entry(Base): ...
                """,
            },
            why="two handlers around the same work are one finding",
        ),
    )
    good = (
        Example(
            {
                "hooks.py": """
                    import logging
                    import requests

                    log = logging.getLogger(__name__)

                    def announce(url, event):
                        try:
                            requests.post(url, json=event, timeout=5)
                        except requests.RequestException:
                            log.warning("event not sent", exc_info=True)
                """
            },
            why="it is logged with its context",
        ),
        Example(
            {
                "tags.py": """
                    from django.db import IntegrityError
                    from models import Tag

                    def add(name):
                        try:
                            Tag.objects.create(name=name)
                        except IntegrityError:
                            pass
                """,
                "models.py": """
                    from django.db import models

                    class Tag(models.Model):
                        name = models.TextField(unique=True)
                """,
            },
            why="the row is there already, which is what was wanted",
        ),
        Example(
            {
                "clients.py": """
                    import smtplib

                    class Mailer:
                        def __init__(self, host):
                            self.server = smtplib.SMTP(host, 25, timeout=5)

                        def close(self):
                            try:
                                self.server.quit()
                            except Exception:
                                pass
                """
            },
            why="cleaning up",
        ),
        Example(
            {
                "settings.py": """
                    def port(text):
                        try:
                            return int(text)
                        except ValueError:
                            pass
                        return 8000

                    try:
                        import uvloop
                    except Exception:
                        pass
                """
            },
            why="nothing is done to the world",
        ),
        Example(
            {
                "rates.py": """
                    import requests

                    def rate(currency):
                        try:
                            return requests.get(f"https://a.test/{currency}", timeout=2).json()
                        except requests.RequestException:
                            pass
                        return requests.get(f"https://b.test/{currency}", timeout=2).json()
                """
            },
            why="a second source is asked",
        ),
        Example(
            {
                "batch.py": """
                    import requests

                    def push(items):
                        failed = []
                        for item in items:
                            try:
                                requests.put(f"https://erp.test/{item}", timeout=5).raise_for_status()
                            except requests.RequestException as error:
                                failed.append((item, error))
                        return failed
                """
            },
            why="the caller is told",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        project = outages(system)
        for function in system.source_functions():
            if by_hand(function) or (function.kinds.isdisjoint(DONE) and not keeps(function)):
                continue
            silent: list[Silent] = []
            for handler in handlers(function):
                if may_be_outage(handler, project) and idle(handler) and not expected(handler):
                    silent += self._judge(system, handler)
            for alike in nested(silent):
                yield self._report(system, alike)

    def _judge(self, system: System, handler: Handler) -> Iterator[Silent]:
        steps = likely(handler, tried_steps(system, handler, *DONE))
        steps = [step for step in steps if step.effect.target != "socket"]
        files = [at for at in range(handler.first, handler.last) if kept(handler, at)]
        if not (steps or files) or hands_back(handler) or falls_back(handler) or tries_again(handler):
            return
        if telemetry(handler, steps) or tidies(handler, steps) or (steps and all(map(cached, steps))):
            return
        yield Silent(handler, tuple(steps), tuple(files))

    def _report(self, system: System, alike: list[Silent]) -> Finding:
        handler, steps, files = alike[0].handler, alike[0].steps, alike[0].files
        function = handler.function
        if steps:
            worst = min(steps, key=rank)
            path, lost = system.trace(function, worst), described(worst)
            confidence = sure([worst])
        else:
            name = function.targets[files[0]].name
            path, lost = (Hop(function.at(files[0]), name),), f"a failed {name}"
            confidence, worst = Confidence.HIGH, None
        return self.found(
            f"{handler.what()} in {function.body.name} swallows {lost}: "
            "nothing is logged, counted or raised.",
            handler.location,
            clears="a log line with the exception, a metric, or a narrower except",
            confidence=confidence,
            severity=weight(handler, worst),
            path=(*path, Hop(handler.location, "and the exception ends here")),
            siblings=tuple(each.handler.location for each in alike[1:]),
            subject=f"{handler.what()} in {function.name}",
        )


def nested(silent: list[Silent]) -> Iterator[list[Silent]]:
    """The handlers of a function, together those around each other or the same work: the innermost first."""
    groups: list[list[Silent]] = []
    for each in sorted(silent, key=lambda each: (each.handler.last - each.handler.first, each.handler.first)):
        for group in groups:
            around = (each.handler.first <= inner.handler.first < behind(each.handler) for inner in group)
            if any(around) or not each.work.isdisjoint(group[0].work):
                group.append(each)
                break
        else:
            groups.append([each])
    yield from groups


def behind(handler: Handler) -> int:
    """Where a `try` with all its clauses ends."""
    return max([handler.last, *(at + 1 for at in handler.does)])


def keeps(function: Function) -> bool:
    """Whether a function writes a file."""
    return any(target.name in KEPT for target in function.targets.values())


def kept(handler: Handler, at: int) -> bool:
    target = handler.function.targets.get(at)
    return target is not None and target.name in KEPT


def expected(handler: Handler) -> bool:
    """Whether it catches only that the row is there already, or that nothing came within a time set here."""
    names = {name.rpartition(".")[2] for name in handler.caught}
    if names and names <= DUPLICATES:
        return True
    return names == {"TimeoutError"} and any(
        called(handler.function, at).endswith("wait_for") for at in range(handler.first, handler.last)
    )


def rank(step: Step) -> tuple[bool, bool, int]:
    """What is lost worst comes first: a change, then a request, then a question; the nearest of them."""
    return step.effect.kind not in CHANGES, step.effect.kind is EffectKind.READ, step.depth


def cached(step: Step) -> bool:
    """Whether only a cache is asked, which may be away."""
    return step.effect.kind is EffectKind.CALL_OUT and step.effect.repeatable and step.effect.target in CACHES


def described(step: Step) -> str:
    """What is lost."""
    about = f" {step.effect.target}" if step.effect.target else ""
    below = f" below {step.via.rpartition('.')[2]}" if step.via else ""
    return f"a failed {step.effect.kind}{about}{below}"


def weight(handler: Handler, step: Step | None) -> Severity:
    """Lost writes and messages weigh more than a lost question."""
    if step is None or step.effect.kind in CHANGES or not step.effect.repeatable:
        return Severity.HIGH
    function = handler.function
    if any(e.kind is EnclosureKind.TRANSACTION and e.holds(handler.first) for e in function.enclosures):
        return Severity.HIGH
    return Severity.MEDIUM
