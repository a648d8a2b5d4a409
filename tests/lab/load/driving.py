"""A driver for a test, and what it sends."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mainstay.lab.lab import Lab
from mainstay.lab.load.control import Driver
from mainstay.model.record import Record
from mainstay.model.service import Action

READ = Action("read", "GET", "/things")
WRITE = Action("write", "POST", "/things", body={"name": "{marker}"}, key_header="Key")
ACTORS: Mapping[str, Mapping[str, str]] = {"alice": {"X-Who": "alice"}, "bob": {"X-Who": "bob"}}


@contextmanager
def driving(
    lab: Lab, *targets: str, actions: tuple[Action, ...] = (READ,), timeout: float = 5.0, seed: int = 1
) -> Iterator[Driver]:
    driver = Driver(lab, actions, targets=targets, actors=ACTORS, timeout=timeout, seed=seed, prefix="run")
    try:
        yield driver
    finally:
        driver.end()


def whole(driver: Driver) -> list[Record]:
    """All records of the load that is running, once it is over."""
    records: list[Record] = []
    while driver.running():
        records += driver.poll(1.0)
    return records + driver.stop()
