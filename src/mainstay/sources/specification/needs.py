"""`needs`: what the service cannot do alone, and what it does when that is away."""

import re

from mainstay.model.specification import Need, NeedKind, WhenDown
from mainstay.sources.specification.amounts import seconds, share
from mainstay.sources.specification.faults import Faults
from mainstay.sources.specification.fields import NAME
from mainstay.sources.specification.nodes import Node, Text
from mainstay.sources.specification.tables import Keys

KEYS = ("kind", "url", "auth", "timeout", "idempotent", "when_down", "availability")
SETTING = re.compile(r"[A-Z][A-Z0-9_]*")
CHOICES = "`refuse`, `degrade to ...` or `accept and settle later`"


def need(name: Text, node: Node, faults: Faults) -> Need | None:
    """The need of that name; None, and a fault, when it is none."""
    keys = Keys(node, f"the need `{name.value}`", KEYS, faults)
    if not NAME.fullmatch(name.value):
        faults.add(name.location, f"`{name.value}` is no name for a need; write small letters: `processor`.")
    kind = keys.text("kind", like="http", needed=True)
    if kind is None or kind.value not in tuple(NeedKind):
        if kind is not None:
            faults.unknown(kind.location, "kind of need", kind.value, tuple(NeedKind))
        return None
    down, degraded = _when_down(keys, name)
    timeout = keys.text("timeout", like="2s")
    promised = keys.text("availability", like="99.9%")
    idempotent = keys.text("idempotent", like="header Idempotency-Key")
    length = seconds(timeout, faults) if timeout is not None else None
    if length == 0 and timeout is not None:
        faults.add(timeout.location, "a timeout of nothing lets no call through; write `2s`.")
    if kind.value == NeedKind.HTTP:
        _http(keys, name)
    return Need(
        name.value,
        name.location,
        NeedKind(kind.value),
        down,
        degraded,
        _setting(keys, "url", "env PROCESSOR_URL"),
        _setting(keys, "auth", "secret PROCESSOR_KEY"),
        length or 2.0,
        _header(idempotent, faults),
        share(promised, faults) if promised is not None else None,
    )


def _http(keys: Keys, name: Text) -> None:
    if not keys.has("timeout"):
        said = f"`{name.value}` has no timeout, and a call without one waits for ever; add `timeout: 2s`."
        keys.faults.add(name.location, said)
    if not keys.has("url"):
        keys.faults.add(
            name.location, f"nothing says where `{name.value}` is; add `url: env {name.value.upper()}_URL`."
        )


def _when_down(keys: Keys, name: Text) -> tuple[WhenDown, str]:
    text = keys.text("when_down", like="refuse")
    if text is None:
        if not keys.has("when_down"):
            said = f"nothing says what happens while `{name.value}` is down; add `when_down:` with {CHOICES}."
            keys.faults.add(name.location, said)
        return WhenDown.REFUSE, ""
    said = " ".join(text.value.split())
    if said == "refuse":
        return WhenDown.REFUSE, ""
    if said in ("settle later", "accept and settle later"):
        return WhenDown.SETTLE_LATER, ""
    if said.startswith("degrade to ") and said.removeprefix("degrade to "):
        return WhenDown.DEGRADE, said.removeprefix("degrade to ")
    keys.faults.add(text.location, f"`{said}` is nothing that a service can do; write {CHOICES}.")
    return WhenDown.REFUSE, ""


def _setting(keys: Keys, name: str, like: str) -> str:
    """The name of a setting: what it holds is nobody's business here."""
    text = keys.text(name, like=like)
    if text is None:
        return ""
    word, _, setting = text.value.partition(" ")
    if word != like.split()[0] or not SETTING.fullmatch(setting.strip()):
        said = f"`{name}` names a setting of the environment, and no value: write `{name}: {like}`."
        keys.faults.add(text.location, said)
        return ""
    return setting.strip()


def _header(text: Text | None, faults: Faults) -> str:
    if text is None or text.value == "no":
        return ""
    word, _, header = text.value.partition(" ")
    if word != "header" or not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", header.strip()):
        said = "`idempotent` names a header that makes repeats safe: `header Idempotency-Key`, or `no`."
        faults.add(text.location, said)
        return ""
    return header.strip()
