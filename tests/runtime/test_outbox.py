import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, MetaData, create_engine, text
from sqlalchemy.orm import Session, sessionmaker

from mainstay_runtime import events, outbox
from mainstay_runtime.outbox import Message, Policy, Relay
from tests.runtime import database

Sessions = sessionmaker[Session]
EAGER = Policy(backoff=0.001, longest=0.002, poll=0.01, measure=0, attempts=3)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with database.started(tmp_path_factory.mktemp("postgres")) as address:
        engine = create_engine(address, pool_size=10)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE received (id uuid, number serial)"))
            for statement in outbox.ddl():
                connection.execute(text(statement))
        yield engine
        engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> Sessions:
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE outbox, received"))
    return sessionmaker(engine)


@pytest.fixture
def told() -> Iterator[list[events.Event]]:
    heard: list[events.Event] = []
    end = events.listen(heard.append)
    yield heard
    end()


class Receiver:
    """Keeps what it is sent; fails for payloads that it is told to refuse."""

    def __init__(self, *poison: bytes, error: type[Exception] = OSError) -> None:
        self.messages: list[Message] = []
        self.poison = poison
        self.error = error

    def __call__(self, message: Message) -> None:
        self.messages.append(message)
        if message.payload in self.poison:
            raise self.error("no")

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.messages]


def owe(sessions: Sessions, *payloads: object, key: str | None = None) -> list[UUID]:
    with sessions.begin() as session:
        return [outbox.enqueue(session, "event", payload, key=key) for payload in payloads]


def left(sessions: Sessions) -> int:
    with sessions() as session:
        return int(session.execute(text("SELECT count(*) FROM outbox")).scalar_one())


def drain(sessions: Sessions, deliver: Callable[[Message], None], policy: Policy = EAGER) -> None:
    """Relay until nothing that lives is left."""
    relay = Relay(sessions, deliver, policy=policy)
    ends = time.monotonic() + 10
    alive = text("SELECT count(*) FROM outbox WHERE dead_at IS NULL")
    while time.monotonic() < ends:
        relay.once()
        with sessions() as session:
            if not session.execute(alive).scalar_one():
                return
    pytest.fail("not drained within 10 s")


def lapse(sessions: Sessions) -> None:
    """As if the leases in force had ended."""
    with sessions.begin() as session:
        session.execute(text("UPDATE outbox SET due_at = now() - interval '1 s'"))


def test_a_message_is_owed_only_if_its_transaction_commits(sessions: Sessions) -> None:
    with sessions() as session:
        outbox.enqueue(session, "event", b"never was")
        session.rollback()
    assert left(sessions) == 0
    owe(sessions, b"was")
    receiver = Receiver()
    drain(sessions, receiver)
    assert receiver.payloads == [b"was"]
    assert left(sessions) == 0


def test_a_message_arrives_as_it_was_enqueued(sessions: Sessions) -> None:
    with sessions.begin() as session:
        id_ = outbox.enqueue(
            session, "charge.succeeded", {"amount": 5}, key=uuid4(), headers={"traceparent": "00-1"}
        )
    receiver = Receiver()
    drain(sessions, receiver)
    (message,) = receiver.messages
    assert (message.id, message.topic, message.attempt) == (id_, "charge.succeeded", 1)
    assert (message.payload, message.headers) == (b'{"amount":5}', {"traceparent": "00-1"})


RELAY = """
import os, signal, sys
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker
from mainstay_runtime.outbox import Policy, Relay
engine = create_engine(sys.argv[1])
def deliver(message):
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO received (id) VALUES (:id)"), {"id": message.id})
    os.kill(os.getpid(), signal.SIGKILL)
Relay(sessionmaker(engine), deliver).once()
"""


def test_killed_between_delivery_and_note_it_delivers_again_under_the_same_id(
    engine: Engine, sessions: Sessions
) -> None:
    ids = owe(sessions, b"a", b"b")
    database.dies(RELAY, engine.url.render_as_string(hide_password=False))
    with sessions() as session:
        assert session.execute(text("SELECT id FROM received")).scalars().all() == ids[:1]
    receiver = Receiver()
    Relay(sessions, receiver, policy=EAGER).once()
    assert receiver.messages == []  # the lease of the dead relay is still in force
    lapse(sessions)
    drain(sessions, receiver)
    assert [message.id for message in receiver.messages] == ids
    assert [message.attempt for message in receiver.messages] == [2, 1]


def test_what_kills_every_relay_dies_without_a_further_attempt(sessions: Sessions) -> None:
    owe(sessions, b"deadly")
    with sessions.begin() as session:
        session.execute(text("UPDATE outbox SET attempts = 3"))
    receiver = Receiver()
    drain(sessions, receiver)
    assert receiver.messages == []
    with sessions() as session:
        assert "every relay" in outbox.dead(session)[0].error


def test_a_poisonous_message_dies_after_its_attempts_and_blocks_nothing(
    sessions: Sessions, told: list[events.Event]
) -> None:
    owe(sessions, b"bad", b"good", b"better")
    receiver = Receiver(b"bad")
    drain(sessions, receiver)
    assert receiver.payloads[:3] == [b"bad", b"good", b"better"]
    assert receiver.payloads.count(b"bad") == 3
    assert len({message.id for message in receiver.messages}) == 3
    with sessions() as session:
        (dead,) = outbox.dead(session)
    assert (dead.error, dead.message.payload, dead.message.attempt) == ("OSError: no", b"bad", 3)
    whats = [event.what for event in told if event.what not in ("depth", "age", "dead", "enqueued")]
    assert sorted(whats) == ["delivered", "delivered", "died", "failed", "failed"]


def test_a_message_that_cannot_be_delivered_ever_dies_at_once_and_can_be_revived(sessions: Sessions) -> None:
    (id_,) = owe(sessions, b"bad")
    receiver = Receiver(b"bad", error=outbox.Undeliverable)
    drain(sessions, receiver)
    assert len(receiver.messages) == 1
    with sessions.begin() as session:
        assert outbox.revive(session, id_)
        assert not outbox.revive(session, uuid4())
    healed = Receiver()
    drain(sessions, healed)
    assert [message.id for message in healed.messages] == [id_]


def test_messages_of_a_key_keep_their_order_through_failures(sessions: Sessions) -> None:
    numbers = [str(number).encode() for number in range(6)]
    owe(sessions, *numbers, key="account-1")
    failures = iter([True, False, True, True, False, False, False, False, False])
    delivered: list[bytes] = []

    def flaky(message: Message) -> None:
        if next(failures):
            raise OSError("down")
        delivered.append(message.payload)

    drain(sessions, flaky)
    assert delivered == numbers


def test_a_failing_key_does_not_hold_up_another(sessions: Sessions) -> None:
    owe(sessions, b"stuck", b"behind", key="one")
    owe(sessions, b"free", key="two")
    receiver = Receiver(b"stuck")
    Relay(sessions, receiver, policy=Policy(backoff=100)).once()
    Relay(sessions, receiver, policy=Policy(backoff=100)).once()
    assert receiver.payloads == [b"stuck", b"free"]


def test_messages_of_a_key_are_in_the_order_of_their_commits(engine: Engine, sessions: Sessions) -> None:
    with ThreadPoolExecutor(1) as pool, sessions.begin() as first:
        outbox.enqueue(first, "event", b"first", key="account-1")
        second = pool.submit(owe, sessions, b"second", key="account-1")
        owe(sessions, b"elsewhere", key="account-2")  # other keys do not wait
        until(lambda: waiting(engine) == 1)
        assert not second.done()
        first.commit()
        second.result(10)
    receiver = Receiver()
    drain(sessions, receiver)
    assert [payload for payload in receiver.payloads if payload != b"elsewhere"] == [b"first", b"second"]


def waiting(engine: Engine) -> int:
    with engine.connect() as connection:
        waits = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return int(connection.execute(waits).scalar_one())


def until(so: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not so():
        assert time.monotonic() < ends
        time.sleep(0.005)


def test_relays_side_by_side_never_deliver_the_same_message_at_the_same_time(sessions: Sessions) -> None:
    ids = owe(sessions, *(str(number) for number in range(60)))
    for number in range(5):
        ids += owe(sessions, "a", "b", "c", key=f"key-{number}")
    in_hand: list[UUID | str] = []
    clashes: list[UUID | str] = []
    delivered: list[UUID] = []
    guard = threading.Lock()

    def deliver(message: Message) -> None:
        what = message.key or message.id
        with guard:
            (clashes if what in in_hand else in_hand).append(what)
        time.sleep(0.001)
        with guard:
            in_hand.remove(what)
            delivered.append(message.id)

    stop = threading.Event()
    relays = [Relay(sessions, deliver, policy=Policy(batch=5, poll=0.01)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(relay.run, stop) for relay in relays]
        try:
            until(lambda: left(sessions) == 0)
        finally:
            stop.set()
        for one in running:
            one.result(10)
    assert clashes == []
    assert sorted(delivered) == sorted(ids)


def test_a_relay_whose_lease_ended_leaves_the_rest_of_its_batch_to_others(
    sessions: Sessions, told: list[events.Event]
) -> None:
    owe(sessions, b"slow", b"next")
    other = Receiver()

    def slow(message: Message) -> None:
        mine.append(message.payload)
        lapse(sessions)
        Relay(sessions, other, policy=EAGER).once()

    mine: list[bytes] = []
    Relay(sessions, slow, policy=EAGER).once()
    assert mine == [b"slow"]
    assert other.payloads == [b"slow", b"next"]
    assert [event.what for event in told].count("late") == 1
    assert left(sessions) == 0


def test_what_another_relay_has_in_hand_is_neither_tried_nor_noted(sessions: Sessions) -> None:
    owe(sessions, b"slow", b"next")
    mine: list[bytes] = []

    def slow(message: Message) -> None:
        mine.append(message.payload)
        with sessions.begin() as session:
            taken = "UPDATE outbox SET lease = gen_random_uuid(), due_at = now() + interval '1 minute'"
            session.execute(text(taken))

    Relay(sessions, slow, policy=EAGER).once()
    assert mine == [b"slow"]
    assert left(sessions) == 2


def test_a_relay_told_to_stop_ends_its_message_and_gives_back_the_others(sessions: Sessions) -> None:
    owe(sessions, b"a", b"b", b"c")
    stop = threading.Event()
    first = Receiver()

    def last(message: Message) -> None:
        first(message)
        stop.set()

    Relay(sessions, last, policy=EAGER).run(stop)
    assert first.payloads == [b"a"]
    second = Receiver()
    assert Relay(sessions, second, policy=EAGER).once() == 2
    assert [(message.payload, message.attempt) for message in second.messages] == [(b"b", 1), (b"c", 1)]


def test_a_relay_survives_a_database_that_is_away(told: list[events.Event]) -> None:
    nowhere = sessionmaker(create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing"))
    stop = threading.Event()
    end = events.listen(lambda event: stop.set() if event.what == "unreachable" else None)
    Relay(nowhere, Receiver(), policy=EAGER).run(stop)
    end()
    assert [event.what for event in told] == ["unreachable"]


def test_an_async_relay_survives_it_too(told: list[events.Event]) -> None:
    pytest.importorskip("greenlet", reason="SQLAlchemy's AsyncSession needs it")
    from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

    from mainstay_runtime.outbox import aio

    async def deliver(_: Message) -> None:
        raise AssertionError("there is nothing to deliver")

    async def run() -> None:
        stop = asyncio.Event()
        end = events.listen(lambda event: stop.set() if event.what == "unreachable" else None)
        engine = create_async_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
        await aio.Relay(async_sessionmaker(engine), deliver, policy=EAGER).run(stop)
        end()

    asyncio.run(run())
    assert [event.what for event in told] == ["unreachable"]


def test_relays_tell_how_much_is_owed_and_for_how_long(sessions: Sessions, told: list[events.Event]) -> None:
    owe(sessions, b"bad", b"good")
    with sessions.begin() as session:
        session.execute(text("UPDATE outbox SET enqueued_at = now() - interval '90 s'"))
    now = 0.0
    policy = Policy(attempts=1, measure=15)
    relay = Relay(sessions, Receiver(b"bad"), name="bus", policy=policy, clock=lambda: now)
    relay.once()
    relay.once()
    now = 15.0
    relay.once()
    measured = [
        (e.what, round(e.value)) for e in told if e.name == "bus" and e.what in ("depth", "age", "dead")
    ]
    assert measured == [("depth", 2), ("age", 90), ("dead", 0), ("depth", 0), ("age", 0), ("dead", 1)]


def test_the_wait_after_a_failure_doubles_up_to_its_limit() -> None:
    policy = Policy(backoff=1, longest=10)
    for attempt, whole in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (5000, 10)]:
        assert whole / 2 <= policy.pause(attempt) <= whole


def test_a_policy_without_patience_is_a_mistake() -> None:
    for wrong in ({"batch": 0}, {"attempts": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            Policy(**wrong)
    with pytest.raises(ValueError, match="above 0"):
        Policy(lease=0)


@pytest.mark.parametrize(
    ("topic", "key", "payload"), [("", "k", b""), ("t", "", b""), ("t", "k", b"x" * (1 << 20) + b"x")]
)
def test_what_cannot_be_kept_cannot_be_enqueued(
    sessions: Sessions, topic: str, key: str, payload: bytes
) -> None:
    with sessions() as session, pytest.raises(ValueError, match=r"are (needed|kept)"):
        outbox.enqueue(session, topic, payload, key=key)


def test_the_table_of_a_service_has_its_indexes() -> None:
    names = {index.name for index in outbox.table(MetaData()).indexes}
    assert names == {"outbox_due", "outbox_key_order", "outbox_dead"}


async def _asynchronously(url: str) -> list[bytes]:
    from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

    from mainstay_runtime.outbox import aio  # needs greenlet, as all of SQLAlchemy's asyncio does

    engine = create_async_engine(url, pool_size=10)
    sessions = async_sessionmaker(engine)
    delivered: list[bytes] = []
    stop = asyncio.Event()

    async def deliver(message: Message) -> None:
        if message.payload == b"hangs":
            await asyncio.sleep(60)
        if message.payload == b"bad":
            raise outbox.Undeliverable("no")
        delivered.append(message.payload)
        if len(delivered) == 4:
            stop.set()

    try:
        async with sessions() as session:
            await aio.enqueue(session, "event", b"never was")
            await session.rollback()
        async with sessions.begin() as session:
            for payload, key in [
                ("a", "k"),
                ("b", "k"),
                ("c", "k"),
                ("bad", "j"),
                ("free", None),
                ("hangs", None),
            ]:
                await aio.enqueue(session, "event", payload, key=key)
        policy = Policy(lease=0.3, attempts=1, poll=0.01)
        async with asyncio.timeout(10):
            await aio.Relay(sessions, deliver, policy=policy).run(stop)
        async with sessions.begin() as session:
            dead = await aio.dead(session)
            assert {one.message.payload for one in dead} == {b"bad", b"hangs"}
            assert await aio.revive(session, dead[0].message.id)
        return delivered
    finally:
        await engine.dispose()


def test_an_async_relay_keeps_order_cancels_what_hangs_and_stops(engine: Engine, sessions: Sessions) -> None:
    pytest.importorskip("greenlet", reason="SQLAlchemy's AsyncSession needs it")
    delivered = asyncio.run(_asynchronously(engine.url.render_as_string(hide_password=False)))
    assert [payload for payload in delivered if payload != b"free"] == [b"a", b"b", b"c"]
    assert b"free" in delivered
    assert left(sessions) == 2  # one dead, one revived
