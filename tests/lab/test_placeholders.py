"""`{port}` and its like in what a project declares."""

import pytest

from mainstay.lab.lab import LabError
from mainstay.lab.placeholders import fill, names

VALUES = {"port": "8000", "database.url": "postgresql://x", "env.HOME": "/root"}


def test_each_is_filled_in() -> None:
    assert fill("--port={port} {database.url}", VALUES, "here") == "--port=8000 postgresql://x"


def test_doubled_braces_are_braces() -> None:
    assert fill('{{"port": {port}}}', VALUES, "here") == '{"port": 8000}'
    assert names("{{no}} {port.metrics}") == {"port.metrics"}


def test_an_unknown_one_is_told_with_its_place_and_the_nearest() -> None:
    with pytest.raises(LabError, match=r"^prove: nothing is called \{prot\}\. Did you mean \{port\}\?$"):
        fill("{prot}", VALUES, "prove")


def test_where_nothing_is_near_all_are_listed_but_the_shells_own() -> None:
    with pytest.raises(LabError, match=r"There are database\.url, port\.$"):
        fill("{x}", VALUES, "prove")
