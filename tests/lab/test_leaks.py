"""Planted values are found however they are written, and shown nowhere."""

import base64
import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from mainstay.lab.leaks import planted
from mainstay.lab.logs import LogError


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "web.log"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


SECRET = 'sk_live/9+"päss\\w0rd&x'


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("plain", SECRET),
        ("URL-encoded", f"GET /?token={quote(SECRET, safe='')}&a=1"),
        ("URL-encoded", f"GET /?token={quote(SECRET, safe='').lower()}"),
        ("JSON-escaped", json.dumps({"token": SECRET})),
        ("JSON-escaped", json.dumps({"token": SECRET}, ensure_ascii=False)),
        ("base64", "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode()),
        ("base64", "Basic " + base64.urlsafe_b64encode(f"ab{SECRET}cd".encode()).decode()),
        ("base64", base64.b64encode(SECRET.encode()).decode()),
    ],
)
def test_a_planted_value_is_found_however_it_is_written_and_never_shown(
    tmp_path: Path, form: str, text: str
) -> None:
    path = written(tmp_path, f"{'-' * 100}\nINFO login {text} done\nbye\n")
    leaks = planted([path], {"api key": SECRET})
    assert [(leak.name, leak.path) for leak in leaks] == [("api key", path)] * len(leaks)
    assert form in {leak.form for leak in leaks}
    for leak in leaks:
        assert "[api key]" in leak.excerpt
        assert "INFO login" in leak.excerpt
        for part in (text[text.find("sk_live") :][:12] if "sk_live" in text else text[-14:], SECRET):
            assert part not in leak.excerpt


def test_leaks_are_counted_once_also_between_two_parts_of_a_large_file(tmp_path: Path) -> None:
    value = "planted@example.test"
    size = 4 << 20
    path = written(tmp_path, b"." * (size - 10) + value.encode() + b"." * size + value.encode() + b"\n")
    (leak,) = planted([path], {"mail": value})
    assert (leak.times, leak.offset) == (2, size - 10)


def test_beside_a_leak_no_other_planted_value_is_shown(tmp_path: Path) -> None:
    path = written(tmp_path, "card=4242424242424242 mail=planted@example.test\x1b[31m\n")
    leaks = planted([path], {"card": "4242424242424242", "mail": "planted@example.test"})
    assert {leak.excerpt for leak in leaks} == {"card=[card] mail=[mail]"}


def test_clean_files_leak_nothing_and_short_values_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, os.urandom(100_000))
    assert planted([path], {"mail": "planted@example.test", "key": SECRET}) == []
    with pytest.raises(LogError, match="'pin' is too short"):
        planted([path], {"pin": "1234"})
    with pytest.raises(LogError, match="cannot be read"):
        planted([tmp_path / "none"], {"mail": "planted@example.test"})
