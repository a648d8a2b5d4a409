"""The rule retry-without-limit."""

from collections.abc import Iterator

from mainstay.model.effect import DATABASE, OUTSIDE, EffectKind
from mainstay.model.finding import Confidence, Family, Finding, Hop, Severity
from mainstay.model.system import System
from mainstay.rules.base import Example, Rule
from mainstay.rules.reach import Context, Reach
from mainstay.rules.retries import Policy, policies, repeats

MATTERS = OUTSIDE | DATABASE | {EffectKind.WAIT}


class RetryWithoutLimit(Rule):
    """A retry has no limit, or no pause between its attempts.

    An error that stays (a revoked key, a refused address, a peer that is down) is tried for ever: the
    caller never gets an answer, the error never reaches anybody, and all callers together hammer the peer
    just when it tries to come back.

    Stop after a few attempts or a deadline, wait longer after each failure and add a random part, and let
    errors that no repetition mends (4xx, validation) through at once.
    """

    severity = Severity.HIGH
    family = (Family.UNSAFE_REPEAT, Family.UNBOUNDED_WORK)
    since = "0.1"
    references = ("CWE-835", "CWE-1088")

    notices = (
        "The peer, by load that grows while it is down; its callers wait and log the same line again and "
        "again. No error is counted, as no attempt is the last."
    )
    recovers = (
        "By itself once the peer answers; never when the error is permanent, or when the retries keep the "
        "peer down."
    )
    costs = (
        "A limit turns an endless wait into an error that the caller must handle: requeue it, tell "
        "somebody, give up."
    )

    bad = (
        Example(
            {
                "rates.py": """
                    import requests
                    from tenacity import retry, wait_fixed

                    @retry(wait=wait_fixed(1))  # <-
                    def rate(currency):
                        return requests.get(f"https://rates.test/{currency}", timeout=5).json()
                """
            },
            why="tenacity retries every exception for ever unless told to stop",
        ),
        Example(
            {
                "rates.py": """
                    import requests
                    from tenacity import retry

                    @retry
                    def rate(currency):  # <-
                        return requests.get(f"https://rates.test/{currency}", timeout=5).json()
                """
            },
            why="the decorator alone: for ever, and without a pause",
        ),
        Example(
            {
                "mails.py": """
                    import smtplib
                    import time

                    def deliver(message):
                        while True:  # <-
                            try:
                                send(message)
                                return
                            except OSError:
                                time.sleep(1)

                    def send(message):
                        with smtplib.SMTP("mail.test", 25, timeout=10) as server:
                            server.send_message(message)
                """
            },
            why="a loop written by hand that only success leaves",
        ),
        Example(
            {
                "crawl.py": """
                    import httpx
                    from tenacity import AsyncRetrying, wait_exponential

                    async def load(url):
                        async for attempt in AsyncRetrying(wait=wait_exponential()):  # <-
                            with attempt:
                                async with httpx.AsyncClient() as client:
                                    return (await client.get(url)).json()
                """
            },
            why="a growing wait is no limit",
        ),
        Example(
            {
                "tasks.py": """
                    import requests
                    from celery import shared_task

                    @shared_task(autoretry_for=(requests.RequestException,), max_retries=None)  # <-
                    def push(self, order_id):
                        requests.put(f"https://erp.test/orders/{order_id}", timeout=5).raise_for_status()
                """
            },
            why="a task that comes back for ever",
        ),
        Example(
            {
                "search.py": """
                    import requests
                    from tenacity import retry, stop_after_attempt

                    @retry(stop=stop_after_attempt(10))  # <-
                    def search(words):
                        return requests.get("https://search.test", params={"q": words}, timeout=5).json()
                """
            },
            why="ten attempts within a moment",
        ),
    )
    good = (
        Example(
            {
                "rates.py": """
                    import requests
                    from tenacity import retry, stop_after_attempt, stop_after_delay, wait_random_exponential

                    @retry(stop=stop_after_attempt(3) | stop_after_delay(9), wait=wait_random_exponential())
                    def rate(currency):
                        return requests.get(f"https://rates.test/{currency}", timeout=5).json()
                """
            },
            why="limit, growing wait, jitter",
        ),
        Example(
            {
                "retries.py": """
                    import random
                    import time

                    def with_backoff(call, attempts=3):
                        for attempt in range(attempts):
                            try:
                                return call()
                            except OSError:
                                if attempt == attempts - 1:
                                    raise
                                time.sleep(random.uniform(0, 2 ** attempt))
                """
            },
            why="a counted loop",
        ),
        Example(
            {
                "mails.py": """
                    import smtplib
                    import time

                    def deliver(message):
                        failures = 0
                        while True:
                            try:
                                with smtplib.SMTP("mail.test", 25, timeout=10) as server:
                                    server.send_message(message)
                                return
                            except OSError:
                                failures += 1
                                if failures > 4:
                                    raise
                                time.sleep(2 ** failures)
                """
            },
            why="the loop gives up from inside",
        ),
        Example(
            {
                "slugs.py": """
                    import secrets
                    from django.db import IntegrityError
                    from links.models import Link

                    def shorten(url):
                        for _ in range(5):
                            try:
                                return Link.objects.create(url=url, slug=secrets.token_urlsafe(5))
                            except IntegrityError:
                                continue
                        raise RuntimeError("no free slug")
                """,
                "links/models.py": """
                    from django.db import models

                    class Link(models.Model):
                        url = models.TextField()
                        slug = models.CharField(max_length=16, unique=True)
                """,
            },
            why="another slug needs no pause",
        ),
        Example(
            {
                "tasks.py": """
                    import requests
                    from celery import shared_task

                    @shared_task(bind=True, max_retries=None)
                    def push(self, order_id):
                        try:
                            requests.put(f"https://erp.test/orders/{order_id}", timeout=5).raise_for_status()
                        except requests.RequestException as error:
                            raise self.retry(exc=error, countdown=60, max_retries=9)
                """
            },
            why="the call that retries sets the limit",
        ),
        Example(
            {
                "tasks.py": """
                    import requests
                    from celery import shared_task

                    @shared_task(autoretry_for=(requests.RequestException,), retry_backoff=True)
                    def push(self, order_id):
                        requests.put(f"https://erp.test/orders/{order_id}", timeout=5).raise_for_status()
                """
            },
            why="celery's backoff is jittered by default",
        ),
    )

    def check(self, system: System) -> Iterator[Finding]:
        reach = Reach(system)
        for policy in policies(system):
            matters = OUTSIDE if policy.limited else MATTERS
            if not (policy.limited and policy.paused) and repeats(system, policy, *matters):
                yield self._report(policy, reach.context(policy.function, policy.first))

    def _report(self, policy: Policy, context: Context) -> Finding:
        where = policy.function.body.name
        greedy = (
            ""
            if policy.choosy
            else " It repeats after every exception, those included that no repetition mends."
        )
        if policy.limited:
            text = f"{policy.what} of {where} tries again at once, without a pause{context.words()}.{greedy}"
        else:
            pause = "" if policy.paused else " or pause"
            text = (
                f"{policy.what} of {where} tries for ever, without a limit{pause}{context.words()}.{greedy}"
            )
        lower = Severity.MEDIUM if policy.limited else Severity.HIGH
        return self.found(
            text,
            policy.location,
            clears="a growing pause between the attempts"
            if policy.limited
            else "a limit on the attempts or their time",
            confidence=Confidence.HIGH if policy.certain else Confidence.MEDIUM,
            severity=Severity.CRITICAL if context.held is not None and not policy.limited else lower,
            path=(*context.path, Hop(policy.location, "tries again")),
            subject=f"{policy.what} of {policy.function.name}",
        )
