"""No log line holds a secret or what a service calls personal, however it got there."""

import io
import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from mainstay_runtime import redaction
from mainstay_runtime.redaction import Hiding, JsonLines, Redaction

CARD = "4111 1111 1111 1111"
GONE = "hunter2-and-more"

Log = Callable[..., dict[str, Any]]


@pytest.fixture
def log() -> Log:
    """Logs through a real logger and gives the line that came out."""

    def write(
        message: object, *arguments: object, redaction: Redaction | None = None, **more: Any
    ) -> dict[str, Any]:
        out = io.StringIO()
        handler = logging.StreamHandler(out)
        handler.setFormatter(JsonLines(redaction))
        logger = logging.Logger("service")
        logger.addHandler(handler)
        logger.error(message, *arguments, **more)
        lines = out.getvalue().splitlines()
        assert len(lines) == 1
        line: dict[str, Any] = json.loads(lines[0])
        return line

    return write


@dataclass
class Credentials:
    user: str
    password: str


@pytest.mark.parametrize(
    "text",
    [
        f"password={GONE}",
        f"password = {GONE}, user=ada",
        f"Password: {GONE}",
        f"newPassword={GONE}",
        f"old_password_2={GONE}",
        f"'card_token': '{GONE}'",
        f'{{"card_token": "{GONE}"}}',
        f'{{\\"password\\": \\"{GONE} with words\\"}}',
        f"b'authorization', b'Digest {GONE}'",
        f"Authorization: Bearer {GONE}",
        f"Authorization: Basic {GONE}",
        f"sent Bearer {GONE} to them",
        f"X-Api-Key: {GONE}",
        f"cookie: theme=dark; sid={GONE}; x=1",
        f"GET /reset?user=7&token={GONE}&lang=en",
        f"postgresql://app:{GONE}@db/payments",
        f"secrets=['{GONE}', '{GONE}']",
        f"credentials: {{'a': '{GONE}'}}",
        f"token={{'x': {{'y': '}} {GONE}'}}, 'z': '{GONE}'}}",
        f"token: Token(a='{GONE}', b=['{GONE}'])",
        f"token -> {GONE}",
        f"x-api-key->{GONE}",
        f"password='un\\'closed {GONE}",
        f"password is {GONE}= no".replace(" is ", ": "),
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.hunter2-and-more",
        f"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n{GONE}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\nMIIE\n{GONE}",
        f"key sk_live_{GONE.replace('-', '_')}".replace("hunter2_and_more", "51Hhunter2") + f" token={GONE}",
        f"[parameters: ('ada', '{GONE}')]",
        f"DETAIL:  Key (email)=({GONE}) already exists.",
        f"DETAIL:  Failing row contains (7, {GONE}, null).",
        f"  Input should be an integer [type=int, input_value='{GONE}', input_type=str]",
    ],
)
def test_a_named_or_shaped_secret_is_hidden_in_a_message(log: Log, text: str) -> None:
    line = log(text)
    assert GONE not in json.dumps(line)
    assert "hunter2" not in json.dumps(line)


def test_what_is_no_secret_is_printed_as_it_is(log: Log) -> None:
    text = (
        "charge 7 of order-2026-11-23 took 0.4539148803436467 s at 1795554432123456789 (monkey=3, pins_left)"
    )
    assert log(text)["message"] == text


@pytest.mark.parametrize(
    "number", [CARD, CARD.replace(" ", ""), CARD.replace(" ", "-"), "5555555555554444", "378282246310005"]
)
def test_a_card_number_is_hidden(log: Log, number: str) -> None:
    assert log(f"charged {number} today")["message"] == "charged [card] today"
    assert log(f"charged card_{number}.")["message"] == "charged card_[card]."


def test_a_card_number_that_is_a_number_is_hidden(log: Log) -> None:
    assert log("charged", extra={"given": [4111111111111111]})["given"] == ["[card]"]


def test_a_number_that_fails_the_check_of_luhn_is_no_card(log: Log) -> None:
    assert log("order 4111111111111112")["message"] == "order 4111111111111112"


@pytest.mark.parametrize("argument", [{"password": GONE}, [{"token": GONE}], (("authorization", GONE),)])
def test_a_structure_among_the_arguments_is_hidden(log: Log, argument: object) -> None:
    assert GONE not in json.dumps(log("got %s and %s", argument, 1))


def test_an_argument_whose_place_in_the_message_names_it_is_hidden(log: Log) -> None:
    assert log("password %s for %s", GONE, "ada")["message"] == "password [secret] for ada"
    assert log("token: %r, pin %d", GONE, 1234)["message"] == "token: [secret], pin [secret]"


def test_arguments_by_name_are_hidden(log: Log) -> None:
    assert (
        log("user %(user)s, %(password)s", {"user": "ada", "password": GONE})["message"]
        == "user ada, [secret]"
    )


def test_an_object_that_prints_its_fields_is_hidden(log: Log) -> None:
    line = log("got %s", Credentials("ada", GONE), extra={"given": Credentials("ada", GONE)})
    assert GONE not in json.dumps(line)
    assert "user='ada'" in line["message"]


def test_extra_is_hidden_at_every_depth(log: Log) -> None:
    line = log(
        "x",
        extra={
            "headers": [(b"cookie", GONE.encode())],
            "body": {"card": {"cardToken": GONE, "last4": "1111"}},
        },
    )
    assert line["headers"] == [["cookie", "[secret]"]]
    assert line["body"] == {"card": {"cardToken": "[secret]", "last4": "1111"}}


def test_a_structure_that_contains_itself_ends(log: Log) -> None:
    round_: dict[str, object] = {"password": GONE}
    round_["again"] = round_
    line = log("x", extra={"round": round_})
    assert GONE not in json.dumps(line)
    assert "[deep]" in json.dumps(line)


def test_tracebacks_causes_and_stacks_are_hidden(log: Log) -> None:
    try:
        try:
            raise ValueError(f"password={GONE}")
        except ValueError as cause:
            raise RuntimeError({"token": GONE}) from cause
    except RuntimeError:
        line = log("failed", exc_info=True, stack_info=True)
    assert GONE not in json.dumps(line)
    assert "ValueError: password=[secret]" in line["error"]
    assert "RuntimeError: {'token': [secret]}" in line["error"]


def test_personal_fields_and_addresses_are_hidden_once_declared(log: Log) -> None:
    text = "mail to ada@example.test, phone=+49 30"
    assert log(text)["message"] == text
    personal = Redaction(personal=["email", "phone"], secret=["webhook_seed"])
    assert log(text, redaction=personal)["message"] == "mail to [personal], phone=[personal] 30"
    assert log("x", extra={"webhookSeed": "s"}, redaction=personal)["webhookSeed"] == "[secret]"


def test_the_request_id_is_on_each_line_of_the_request(log: Log) -> None:
    before = redaction.REQUEST_ID.set("req-0001")
    try:
        assert log("x")["request_id"] == "req-0001"
    finally:
        redaction.REQUEST_ID.reset(before)
    assert "request_id" not in log("x")


@pytest.mark.parametrize("text", ["x" * 10**6, "😀" * 10**5, "\n" * 10**5, '"' * 10**5])
def test_a_line_is_bounded_and_its_error_keeps_its_end(text: str) -> None:
    record = logging.LogRecord("service", logging.ERROR, __file__, 1, text, (), None)
    record.__dict__["big"] = [text] * 100
    record.exc_text = text + " the end"
    for most in (1_024, 8_192):
        line = JsonLines(most=most).format(record)
        assert len(line) <= most
        assert json.loads(line)["error"].endswith("the end")


def test_a_message_that_does_not_fit_its_arguments_is_told_and_never_raises(log: Log) -> None:
    class Silent:
        def __str__(self) -> str:
            raise ValueError(GONE)

    assert "do not fit" in log("%s %s", "one")["message"]
    assert "do not fit" in log("%s", Silent())["message"]
    assert log("x", extra={"it": Silent()})["it"] == "[a Silent that cannot be printed]"
    assert log("100 %")["message"] == "100 %"


def test_a_foreign_formatter_gets_hidden_records() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(Hiding())
    handler.setFormatter(logging.Formatter("%(message)s %(body)s %(request_id)s"))
    logger = logging.Logger("service")
    logger.addHandler(handler)
    try:
        raise ValueError(f"token={GONE}")
    except ValueError:
        logger.exception("password %s", GONE, extra={"body": {"pin": GONE}})
    assert GONE not in out.getvalue()
    assert "ValueError: token=[secret]" in out.getvalue()


@pytest.mark.parametrize(
    "part",
    [
        "a",
        "a-",
        "a_",
        "://",
        "password",
        "=",
        "' ",
        "4",
        "4 ",
        "a@a.",
        "eyJaaaaaaaaa.",
        "[{(",
        "\\'",
        "Key (",
        "input_value=",
    ],
)
def test_no_text_makes_hiding_slow(part: str) -> None:
    hides = Redaction(personal=["email"])
    text = part * (32_768 // len(part))
    begun = time.process_time()
    hides.text(text)
    hides.text("token='" + text)
    assert time.process_time() - begun < 1


def test_configuring_takes_over_the_handlers_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    server = logging.getLogger("uvicorn.error")
    server.addHandler(logging.NullHandler())
    out = io.StringIO()
    try:
        root.handlers = []
        redaction.configure(stream=out, secret=["seed"])
        server.error("seed=%s", GONE)
        sys.excepthook(ValueError, ValueError(f"seed={GONE}"), None)
    finally:
        root.handlers[:], root.level = kept, level
        logging.captureWarnings(False)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["logger"] for line in lines] == ["uvicorn.error", "mainstay_runtime"]
    assert GONE not in out.getvalue()
