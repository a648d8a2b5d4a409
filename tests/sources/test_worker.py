import io
import signal
from collections.abc import Iterator

import msgspec
import pytest

from mainstay.sources.worker import LENGTH, answer


def request(*contents: bytes) -> bytes:
    message = msgspec.msgpack.encode(contents)
    return LENGTH.pack(len(message)) + message


def messages(out: io.BytesIO) -> Iterator[bytes]:
    out.seek(0)
    while head := out.read(LENGTH.size):
        yield out.read(*LENGTH.unpack(head))


def read(content: bytes) -> list[int]:
    remaining, _ = signal.getitimer(signal.ITIMER_REAL)
    assert 0 < remaining <= 60, "an alarm is set while a file is read"
    if content == b"bad":
        raise ValueError(content)
    return [len(content)]


def test_each_content_is_answered_in_order() -> None:
    out = io.BytesIO()
    answer(io.BytesIO(request(b"a", b"bad", b"ccc") + request(b"dd")), out, read, seconds=60)
    assert list(messages(out)) == [b"", b"+\x91\x01", b"-ValueError", b"+\x91\x03", b"+\x91\x02"]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("torn", [b"", b"\x01\x00"])
def test_it_ends_with_its_input(torn: bytes) -> None:
    out = io.BytesIO()
    answer(io.BytesIO(torn), out, read, seconds=60)
    assert list(messages(out)) == [b""]


def test_a_parent_that_is_gone_ends_it() -> None:
    class Gone(io.BytesIO):
        def write(self, data: object) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        answer(io.BytesIO(request(b"a")), Gone(), read, seconds=60)
