"""Signatures by which one service shows another who sent a request."""

import base64
import hmac

import pytest

from mainstay.lab.error import LabError
from mainstay.lab.load.templates import Prepared
from mainstay.lab.signing import signed
from mainstay.model.service import Signature

REQUEST = Prepared("paid", "POST", "/hooks", [b"A: b"], b'{"id": 1}')


def mac(text: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(b"whsec", text, algorithm).digest()


@pytest.mark.parametrize(
    ("signature", "header"),
    [
        (Signature("X-Signature", "K"), f"X-Signature: {mac(REQUEST.body or b'').hex()}"),
        (
            Signature("X-Hub-Signature-256", "K", value="sha256={digest}"),
            f"X-Hub-Signature-256: sha256={mac(REQUEST.body or b'').hex()}",
        ),
        (
            Signature("S", "K", over="{timestamp}.{body}", value="t={timestamp},v1={digest}"),
            f"S: t=1700000000,v1={mac(b'1700000000.' + (REQUEST.body or b'')).hex()}",
        ),
        (
            Signature("S", "K", algorithm="sha1", base64=True),
            f"S: {base64.b64encode(mac(REQUEST.body or b'', 'sha1')).decode()}",
        ),
    ],
    ids=["plain", "with a prefix", "with the time", "base64"],
)
def test_the_common_forms(signature: Signature, header: str) -> None:
    made = signed(REQUEST, signature, "whsec", 1_700_000_000)
    assert made.headers == [b"A: b", header.encode()]
    assert made.body == REQUEST.body


def test_the_published_example_of_hmac_sha256() -> None:
    """RFC 4231, test case 2."""
    request = Prepared("x", "POST", "/", [], b"what do ya want for nothing?")
    made = signed(request, Signature("S", "K"), "Jefe", 0)
    assert made.headers == [b"S: 5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"]


def test_an_algorithm_that_there_is_not_is_told() -> None:
    with pytest.raises(LabError, match="the signature of 'paid': 'md17' is none of sha1"):
        signed(REQUEST, Signature("S", "K", algorithm="md17"), "whsec", 0)


def test_a_body_with_braces_is_signed_as_it_is() -> None:
    request = Prepared("x", "POST", "/", [], b'{"a": "{b}"}')
    wanted = mac(b'{"a": "{b}"}').hex()
    assert signed(request, Signature("S", "K"), "whsec", 0).headers == [f"S: {wanted}".encode()]
