"""A Redis of the run's own can be stopped, killed and paused, and forgets or keeps as it is told."""

import shutil
import socket
import threading
from collections.abc import Iterator

import pytest

from mainstay.lab.lab import Lab, LabError
from mainstay.lab.redis import Redis

SOON = 20.0  # seconds, on a machine that has other things to do

installed = pytest.mark.skipif(
    not (shutil.which("redis-server") or shutil.which("valkey-server")),
    reason="there is no redis-server here",
)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def server(lab: Lab) -> Iterator[Redis]:
    redis = Redis(lab, "cache")
    redis.start()
    yield redis
    redis.end()
    assert not redis.running


@pytest.fixture
def redis(server: Redis) -> Redis:
    server.ensure_running()
    server.clear()
    return server


@installed
def test_it_answers_and_says_what_it_is(redis: Redis) -> None:
    assert redis.ask("PING") == "+PONG"
    assert "without persistence: a restart finds it empty" in redis.choice
    assert 0 < redis.start_seconds < SOON


@installed
def test_nobody_gets_in_without_the_password(redis: Redis) -> None:
    with socket.create_connection(("127.0.0.1", redis.port), SOON) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100).startswith(b"-NOAUTH")


@installed
def test_the_fields_lead_to_it_through_whatever_port(redis: Redis) -> None:
    assert redis.fields(7) == {
        "host": "127.0.0.1",
        "port": "7",
        "user": "default",
        "password": redis.password,
        "url": f"redis://:{redis.password}@127.0.0.1:7/0",
    }


@installed
@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_restart_finds_it_empty(redis: Redis, how: str) -> None:
    assert redis.ask("SET", "a", "1") == "+OK"
    getattr(redis, how)()
    assert not redis.running
    with pytest.raises(ConnectionRefusedError):
        redis.ask("PING")
    redis.start()
    assert redis.ask("EXISTS", "a") == ":0"


@installed
def test_one_that_keeps_its_data_has_it_after_a_kill(lab: Lab) -> None:
    redis = Redis(lab, "queue", kept=True)
    redis.start()
    redis.ask("SET", "a", "1")
    redis.kill()
    redis.start()
    assert redis.ask("INCR", "a") == ":2"
    redis.end()


@installed
def test_a_pause_lets_nobody_through_and_loses_nothing(redis: Redis) -> None:
    answers: list[str] = []
    redis.pause()
    asking = threading.Thread(target=lambda: answers.append(redis.ask("INCR", "n")))
    asking.start()
    asking.join(0.3)
    assert redis.paused
    assert answers == []
    redis.resume()
    asking.join(SOON)
    assert answers == [":1"]


@installed
def test_ensure_running_mends_whatever_was_done(redis: Redis) -> None:
    for breaks in (redis.pause, redis.kill, redis.stop, lambda: None):
        breaks()
        redis.ensure_running()
        assert redis.ask("PING") == "+PONG"


@installed
def test_one_that_cannot_start_says_so_with_its_log(lab: Lab) -> None:
    redis = Redis(lab, "crowded")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", redis.port))
        with pytest.raises(LabError) as raised:
            redis.start()
    sentence, _, *lines = str(raised.value).splitlines()
    assert sentence == "crowded (Redis) did not start."
    assert any("Address already in use" in line for line in lines)


def test_where_there_is_none_it_says_what_to_install(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LabError) as raised:
        Redis(lab, "cache")
    assert str(raised.value) == (
        "There is no redis-server on the PATH: install the package redis-server (or redis)."
    )
