"""Ten times the findings take some ten times as long, not a hundred times."""

import time
from pathlib import Path

import msgspec
import pytest

from mainstay.model.review import Review
from mainstay.reports import formats
from tests.reports import fake


def many(root: Path, number: int) -> Review:
    base = fake.results()
    found = (msgspec.structs.replace(base[n % len(base)], fingerprint=str(n)) for n in range(number))
    return fake.review(root, found=tuple(found))


@pytest.mark.parametrize("name", sorted(formats()))
def test_time_is_linear(tmp_path: Path, name: str) -> None:
    root = fake.plant(tmp_path)
    render = formats()[name].render
    spent = []
    for number in (1_000, 10_000):
        review = many(root, number)
        started = time.process_time()
        assert render(review, fake.RULES)
        spent.append(time.process_time() - started)
    assert spent[1] < 40 * max(spent[0], 0.05)
