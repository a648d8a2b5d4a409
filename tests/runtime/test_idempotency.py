import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel
from sqlalchemy import Engine, MetaData, create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from mainstay_runtime import events, idempotency
from tests.runtime import database

Sessions = sessionmaker[Session]
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with database.started(tmp_path_factory.mktemp("postgres")) as address:
        engine = create_engine(address, pool_size=25)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE charge (id serial PRIMARY KEY, key text NOT NULL)"))
            for statement in idempotency.ddl():
                connection.execute(text(statement))
        yield engine
        engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> Sessions:
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE charge, idempotency_key, idempotency_answer"))
    return sessionmaker(engine)


@pytest.fixture
def told() -> Iterator[list[str]]:
    heard: list[str] = []
    end = events.listen(lambda event: heard.append(f"{event.kind} {event.name} {event.what}"))
    yield heard
    end()


def charge(session: Session, key: str) -> int:
    row = session.execute(text("INSERT INTO charge (key) VALUES (:key) RETURNING id"), {"key": key})
    return int(row.scalar_one())


def charges(sessions: Sessions, key: str = "k") -> int:
    with sessions() as session:
        return int(
            session.execute(text("SELECT count(*) FROM charge WHERE key = :key"), {"key": key}).scalar_one()
        )


def post(
    sessions: Sessions, key: str = "k", *, scope: str = "acme", request: object = b"{}", wait: float = 5.0
) -> idempotency.Stored:
    """What an endpoint does."""
    with sessions.begin() as session:
        claim = idempotency.claim(
            session, scope=scope, operation="charge", key=key, request=request, wait=wait
        )
        if claim.replay is not None:
            return claim.replay
        return claim.store(201, {"id": charge(session, key)}, {"Location": "/charges/1"})


KILLED = """
import os, signal, sys
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from mainstay_runtime import idempotency
address, moment = sys.argv[1:]
with Session(create_engine(address)) as session:
    claim = idempotency.claim(session, scope="acme", operation="charge", key="k", request=b"{}")
    session.execute(text("INSERT INTO charge (key) VALUES ('k')"))
    if moment == "before the answer is stored":
        os.kill(os.getpid(), signal.SIGKILL)
    claim.store(201, b"the first answer", pending=moment == "between reserve and settle")
    if moment == "before the commit":
        os.kill(os.getpid(), signal.SIGKILL)
    session.commit()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def address(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def test_a_repeated_request_gets_the_first_answer_and_no_second_effect(
    sessions: Sessions, told: list[str]
) -> None:
    first = post(sessions)
    again = post(sessions)
    assert again == first
    assert again.status == 201
    assert again.headers == {"Location": "/charges/1", "content-type": "application/json"}
    assert charges(sessions) == 1
    assert told == ["idempotency charge claimed", "idempotency charge replayed"]


def test_killed_after_commit_the_retry_replays_one_effect(engine: Engine, sessions: Sessions) -> None:
    database.dies(KILLED, address(engine), "before the client has the answer")
    assert post(sessions).body == b"the first answer"
    assert charges(sessions) == 1


@pytest.mark.parametrize("moment", ["before the answer is stored", "before the commit"])
def test_killed_before_commit_the_retry_does_the_effect_once(
    engine: Engine, sessions: Sessions, moment: str
) -> None:
    database.dies(KILLED, address(engine), moment)
    assert b"id" in post(sessions).body
    assert charges(sessions) == 1


def test_twenty_at_once_have_one_effect_and_one_answer(sessions: Sessions) -> None:
    together = threading.Barrier(20)

    def one(_: int) -> idempotency.Stored:
        together.wait(10)
        return post(sessions)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, range(20)))
    assert len({answer.body for answer in answers}) == 1
    assert charges(sessions) == 1


def test_another_body_under_the_same_key_is_refused(sessions: Sessions, told: list[str]) -> None:
    post(sessions, request=b'{"amount": 1}')
    with pytest.raises(idempotency.Reused) as refused:
        post(sessions, request=b'{"amount": 2}')
    assert refused.value.status == 422
    assert charges(sessions) == 1
    assert told[-1] == "idempotency charge reused"


def test_another_caller_with_the_same_key_has_an_effect_of_its_own(sessions: Sessions) -> None:
    answers = [post(sessions, scope=scope).body for scope in ("acme", "globex")]
    assert answers[0] != answers[1]
    assert charges(sessions) == 2


def test_another_operation_with_the_same_key_is_another_request(sessions: Sessions) -> None:
    post(sessions)
    with sessions.begin() as session:
        claim = idempotency.claim(session, scope="acme", operation="refund", key="k", request=b"{}")
        assert claim.replay is None
        claim.store(204)


def test_after_an_error_the_key_is_free_and_nothing_is_left(sessions: Sessions) -> None:
    def fails() -> None:
        with sessions.begin() as session:
            idempotency.claim(session, scope="acme", operation="charge", key="k", request=b"{}")
            charge(session, "k")
            raise OSError("the processor is down")

    with pytest.raises(OSError, match="processor"):
        fails()
    assert charges(sessions) == 0
    assert post(sessions, request=b"another body even").status == 201
    assert charges(sessions) == 1


def test_a_commit_without_an_answer_fails_loudly_and_undoes_the_effect(sessions: Sessions) -> None:
    def forgets() -> None:
        with sessions.begin() as session:
            idempotency.claim(session, scope="acme", operation="charge", key="k", request=b"{}")
            charge(session, "k")

    with pytest.raises(IntegrityError, match="idempotency_key_has_an_answer"):
        forgets()
    assert charges(sessions) == 0


def test_an_answer_that_a_savepoint_rolled_back_counts_as_forgotten(sessions: Sessions) -> None:
    def loses() -> None:
        with sessions.begin() as session:
            claim = idempotency.claim(session, scope="acme", operation="charge", key="k", request=b"{}")
            nested = session.begin_nested()
            claim.store(201)
            nested.rollback()

    with pytest.raises(IntegrityError, match="idempotency_key_has_an_answer"):
        loses()


def test_a_key_is_answered_once(sessions: Sessions) -> None:
    def twice() -> None:
        with sessions.begin() as session:
            claim = idempotency.claim(session, scope="acme", operation="charge", key="k", request=b"{}")
            claim.store(201)
            claim.store(202)

    with pytest.raises(IntegrityError, match="idempotency_answer_pkey"):
        twice()
    post(sessions)
    with sessions() as session:
        claim = idempotency.claim(session, scope="acme", operation="charge", key="k", request=b"{}")
        with pytest.raises(RuntimeError, match="return `replay`"):
            claim.store(201)


def test_an_answer_after_the_end_of_the_transaction_is_an_error(sessions: Sessions) -> None:
    with sessions() as session:
        claim = idempotency.claim(session, scope="acme", operation="charge", key="k", request=b"{}")
        session.rollback()
        with pytest.raises(RuntimeError, match="has ended"):
            claim.store(201)


def test_one_limit_bounds_the_whole_wait_in_the_queue(sessions: Sessions) -> None:
    """Each of three ahead fails after a while; whoever waits behind them waits once, not three times."""
    ahead = threading.Barrier(4)

    def fails(_: int) -> None:
        ahead.wait(10)
        with sessions() as session:
            idempotency.claim(session, scope="acme", operation="charge", key="k", request=b"{}", wait=5)
            time.sleep(0.2)

    def late() -> None:
        ahead.wait(10)
        time.sleep(0.1)
        post(sessions, wait=0.3)

    with ThreadPoolExecutor(4) as pool:
        waiting = pool.submit(late)
        list(pool.map(fails, range(3)))
        with pytest.raises(idempotency.InProgress):
            waiting.result(10)


def test_claiming_a_key_again_before_its_answer_is_a_mistake(sessions: Sessions) -> None:
    with sessions() as session:
        idempotency.claim(session, scope="acme", operation="charge", key="k", request=b"{}")
        with pytest.raises(idempotency.Unanswered):
            idempotency.claim(session, scope="acme", operation="charge", key="k", request=b"{}")


def test_the_wait_for_a_concurrent_request_is_bounded(sessions: Sessions, told: list[str]) -> None:
    with sessions() as holder:
        idempotency.claim(holder, scope="acme", operation="charge", key="k", request=b"{}")
        with pytest.raises(idempotency.InProgress) as refused:
            post(sessions, wait=0.05)
        assert refused.value.status == 409
        assert refused.value.after == 1.0
        assert told[-1] == "idempotency charge in_progress"
        assert post(sessions, "another key", wait=0.05).status == 201
    assert post(sessions).status == 201


def test_a_statement_timeout_below_the_wait_is_the_same_refusal(sessions: Sessions) -> None:
    def impatient() -> None:
        with sessions.begin() as session:
            session.execute(text("SET LOCAL statement_timeout = '50ms'"))
            idempotency.claim(session, scope="acme", operation="charge", key="k", request=b"{}")

    with sessions() as holder:
        idempotency.claim(holder, scope="acme", operation="charge", key="k", request=b"{}")
        with pytest.raises(idempotency.InProgress):
            impatient()


def test_after_a_wait_the_lock_timeout_of_the_service_is_as_it_was(
    engine: Engine, sessions: Sessions
) -> None:
    def waits() -> tuple[bool, str]:
        with sessions.begin() as session:
            session.execute(text("SET LOCAL lock_timeout = '12345ms'"))
            claim = idempotency.claim(
                session, scope="acme", operation="charge", key="k", request=b"{}", wait=10
            )
            claim.store(201)
            return claim.replay is None, str(session.execute(text("SHOW lock_timeout")).scalar_one())

    with ThreadPoolExecutor(1) as pool, sessions() as holder:
        idempotency.claim(holder, scope="acme", operation="charge", key="k", request=b"{}")
        waiting = pool.submit(waits)
        until_somebody_waits(engine)
        holder.rollback()
        assert waiting.result(10) == (True, "12345ms")


def until_somebody_waits(engine: Engine) -> None:
    ends = time.monotonic() + 10
    waits = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    with engine.connect() as connection:
        while not connection.execute(waits).scalar_one():
            assert time.monotonic() < ends
            time.sleep(0.005)


@pytest.mark.parametrize("key", [None, "", "x" * 256, "new\nline", "naïve", " padded "])
def test_a_key_that_is_not_printable_or_too_long_is_refused(sessions: Sessions, key: str | None) -> None:
    with sessions() as session, pytest.raises(idempotency.Malformed) as refused:
        idempotency.claim(session, scope="acme", operation="charge", key=key, request=b"{}")
    assert refused.value.status == 400


def test_the_longest_key_fits(sessions: Sessions) -> None:
    with sessions.begin() as session:
        claim = idempotency.claim(session, scope="ü" * 255, operation="ö" * 255, key="~" * 255, request=b"{}")
        claim.store(201)


@pytest.mark.parametrize(("scope", "error"), [("", ValueError), (None, TypeError), (True, TypeError)])
def test_there_is_no_key_without_a_scope(sessions: Sessions, scope: str, error: type[Exception]) -> None:
    with sessions() as session, pytest.raises(error, match="scope"):
        idempotency.claim(session, scope=scope, operation="charge", key="k", request=b"{}")


@pytest.mark.parametrize(
    ("status", "body", "headers", "error"),
    [
        (201, b"x" * (1 << 20) + b"x", {}, idempotency.TooLarge),
        (201, b"", {f"h{n}": "" for n in range(17)}, idempotency.TooLarge),
        (102, b"", {}, ValueError),
        (201, {1, 2}, {}, TypeError),
    ],
)
def test_an_answer_that_cannot_be_kept_is_an_error(
    sessions: Sessions, status: int, body: object, headers: dict[str, str], error: type[Exception]
) -> None:
    with sessions() as session:
        claim = idempotency.claim(session, scope="acme", operation="charge", key="k", request=b"{}")
        with pytest.raises(error):
            claim.store(status, body, headers)


def test_keys_expire_in_batches_and_pending_ones_do_not(sessions: Sessions, told: list[str]) -> None:
    for number in range(5):
        post(sessions, f"old-{number}")
    with sessions.begin() as session:
        claim = idempotency.claim(session, scope="acme", operation="charge", key="on its way", request=b"{}")
        claim.store(202, pending=True)
    with sessions.begin() as session:
        session.execute(text("UPDATE idempotency_answer SET stored_at = now() - interval '25 hours'"))
    post(sessions, "new")
    for expected in (3, 2, 0):
        with sessions.begin() as session:
            assert idempotency.purge(session, DAY, batch=3) == expected
    with sessions() as session:
        left = session.execute(text("SELECT key FROM idempotency_key ORDER BY key")).scalars().all()
    assert left == ["new", "on its way"]
    assert told.count("idempotency  purged") == 2
    post(sessions, "old-0")
    assert charges(sessions, "old-0") == 2


def test_a_purge_leaves_what_another_one_has_in_hand(sessions: Sessions) -> None:
    post(sessions)
    with sessions.begin() as session:
        session.execute(text("UPDATE idempotency_answer SET stored_at = now() - interval '25 hours'"))
    with sessions() as first, sessions() as second:
        assert idempotency.purge(first, DAY) == 1
        assert idempotency.purge(second, DAY) == 0


def test_a_purge_of_everything_is_a_mistake(sessions: Sessions) -> None:
    with sessions() as session, pytest.raises(ValueError, match="some time"):
        idempotency.purge(session, timedelta(0))


def reserve(sessions: Sessions) -> None:
    with sessions.begin() as session:
        claim = idempotency.claim(session, scope="acme", operation="charge", key="k", request=b"{}")
        claim.store(202, pending=True)


def settle(sessions: Sessions, body: bytes) -> idempotency.Stored:
    with sessions.begin() as session:
        return idempotency.settle(session, scope="acme", operation="charge", key="k", status=201, body=body)


def test_killed_between_reserve_and_settle_the_effect_is_found_and_carried_on(
    engine: Engine, sessions: Sessions
) -> None:
    database.dies(KILLED, address(engine), "between reserve and settle")
    waiting = post(sessions)
    assert waiting.pending
    with sessions.begin() as session:
        (found,) = idempotency.unsettled(session, "charge", timedelta(0))
        idempotency.settle(
            session, scope=found.scope, operation=found.operation, key=found.key, status=201, body=b"paid"
        )
    assert post(sessions) == idempotency.Stored(201, {}, b"paid")
    assert charges(sessions) == 1
    with sessions() as session:
        assert idempotency.unsettled(session, "charge", timedelta(0)) == []


def test_the_first_to_settle_decides_the_answer(sessions: Sessions) -> None:
    reserve(sessions)
    assert settle(sessions, b"first").body == b"first"
    assert settle(sessions, b"second").body == b"first"


def test_two_that_carry_on_never_have_the_same_key_in_hand(sessions: Sessions) -> None:
    reserve(sessions)
    with sessions() as first, sessions() as second:
        assert len(idempotency.unsettled(first, "charge", timedelta(0))) == 1
        assert idempotency.unsettled(second, "charge", timedelta(0)) == []


def test_a_key_that_is_perhaps_still_at_work_is_not_carried_on(sessions: Sessions) -> None:
    reserve(sessions)
    with sessions() as session:
        assert idempotency.unsettled(session, "charge", timedelta(minutes=1)) == []


def test_settling_what_was_never_claimed_is_an_error(sessions: Sessions) -> None:
    with pytest.raises(LookupError, match="never claimed"):
        settle(sessions, b"")


def test_the_tables_of_a_service_are_those_of_the_migration(engine: Engine, sessions: Sessions) -> None:
    metadata = MetaData()
    names = [table.name for table in idempotency.tables(metadata)]
    assert names == ["idempotency_key", "idempotency_answer"]
    with engine.connect() as connection:
        connection.execute(text("CREATE SCHEMA other"))
        connection.execute(text("SET LOCAL search_path TO other"))
        metadata.create_all(connection)
        described = text(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = "
            "CAST(:schema AS regnamespace) AND conrelid::regclass::text LIKE '%idempotency%' ORDER BY 1, 2"
        )
        ours = connection.execute(described, {"schema": "other"}).all()
        theirs = connection.execute(described, {"schema": "public"}).all()
        connection.rollback()
    assert len(ours) > 5
    assert [row[0] for row in ours] == [row[0] for row in theirs]


class Wanted(BaseModel):
    amount: Decimal
    customer: UUID
    note: str = ""


class WantedLater(Wanted):
    channel: str = "web"


@dataclass(frozen=True)
class Plain:
    amount: Decimal


CUSTOMER = UUID(int=7)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"a", b"a", True),
        (b"a", b"b", False),
        (b'{"a":1}', {"a": 1}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        (("POST", CUSTOMER, {"a": 1}), ("POST", CUSTOMER, {"a": 1}), True),
        (("POST", CUSTOMER, {"a": 1}), ("POST", UUID(int=8), {"a": 1}), False),
        (
            Wanted(amount=Decimal("1.50"), customer=CUSTOMER),
            WantedLater(amount=Decimal("1.50"), customer=CUSTOMER),
            True,
        ),
        (
            Wanted(amount=Decimal("1.50"), customer=CUSTOMER),
            Wanted(amount=Decimal("1.51"), customer=CUSTOMER),
            False,
        ),
        (Plain(Decimal(1)), Plain(Decimal(1)), True),
        (Plain(Decimal(1)), Plain(Decimal(2)), False),
    ],
)
def test_requests_are_the_same_by_what_they_ask_for(one: object, other: object, same: bool) -> None:
    assert (idempotency.digest(one) == idempotency.digest(other)) is same


def test_an_answer_is_kept_in_full_with_its_defaults(sessions: Sessions) -> None:
    with sessions() as session:
        claim = idempotency.claim(session, scope=uuid4(), operation="charge", key="k", request=b"{}")
        wanted = Wanted(amount=Decimal("1.50"), customer=CUSTOMER)
        expected = b'{"amount":"1.50","customer":"00000000-0000-0000-0000-000000000007","note":""}'
        assert claim.store(201, {"items": [wanted]}).body == b'{"items":[' + expected + b"]}"


async def _asynchronously(url: str, work: Callable[..., object]) -> list[idempotency.Stored]:
    from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

    from mainstay_runtime.idempotency import aio  # needs greenlet, as all of SQLAlchemy's asyncio does

    engine = create_async_engine(url, pool_size=10)
    sessions = async_sessionmaker(engine)

    async def one() -> idempotency.Stored:
        async with sessions.begin() as session:
            claim = await aio.claim(session, scope="acme", operation="charge", key="k", request=b"{}", wait=5)
            if claim.replay is not None:
                return claim.replay
            await session.run_sync(work)
            return await claim.store(202, {"paid": False}, pending=True)

    try:
        answers = await asyncio.gather(*(one() for _ in range(10)))
        async with sessions.begin() as session:
            (found,) = await aio.unsettled(session, "charge", timedelta(0))
            settled = await aio.settle(
                session, scope=found.scope, operation=found.operation, key=found.key, status=201, body=b"paid"
            )
            assert await aio.purge(session, DAY) == 0
        return [*answers, settled]
    finally:
        await engine.dispose()


def test_tasks_of_an_async_service_have_one_effect_too(engine: Engine, sessions: Sessions) -> None:
    pytest.importorskip("greenlet", reason="SQLAlchemy's AsyncSession needs it")
    *answers, settled = asyncio.run(_asynchronously(address(engine), lambda session: charge(session, "k")))
    assert {answer.body for answer in answers} == {b'{"paid":false}'}
    assert settled == idempotency.Stored(201, {}, b"paid")
    assert charges(sessions) == 1


def test_a_test_of_a_service_can_use_its_own_metadata_schema() -> None:
    keys, answers = idempotency.tables(MetaData(schema="billing"))
    assert keys.schema == answers.schema == "billing"
    (foreign,) = keys.foreign_key_constraints
    assert foreign.referred_table is answers
