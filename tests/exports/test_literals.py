"""Values as source code."""

import ast
import json
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.exports.literals import WIDTH, javascript, python

NASTY = [
    "__proto__",
    "constructor",
    "a-b",
    "1",
    "",
    '"',
    "'",
    "\u2028",
    "\\",
    "`${x}`",
    "\x00",
    "é",
    "*/",
    "\r\n",
]
TEXTS = st.text(max_size=40) | st.sampled_from(NASTY)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, width=32) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
).filter(lambda value: "Infinity" not in json.dumps(value))


@given(VALUES)
@settings(deadline=None, max_examples=100)
def test_python_reads_the_same_value_back(value: object) -> None:
    assert ast.literal_eval(python(value)) == value


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_javascript_reads_the_same_value_back() -> None:
    value: dict[str, object] = {text: [{text: text}, 1.5, -3, 2**53, None, True, {}, []] for text in NASTY}
    script = f"process.stdout.write(JSON.stringify({javascript(value)}))"
    done = subprocess.run(["node", "-"], input=script, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == value


def test_what_fits_stands_on_one_line_and_the_rest_does_not() -> None:
    short, long = {"a": 1}, {"b": "x" * WIDTH}
    assert python([short, long]) == f'[\n    {{"a": 1}},\n    {{\n        "b": "{"x" * WIDTH}",\n    }},\n]'
    assert javascript({"a": [1], "b-c": long}) == (
        f'{{\n  a: [1],\n  "b-c": {{\n    b: "{"x" * WIDTH}",\n  }},\n}}'
    )


def test_text_with_double_quotes_stands_in_single_ones() -> None:
    assert python('say "a"\\') == "'say \"a\"\\\\'"


def test_signs_that_nobody_sees_are_escaped() -> None:
    assert javascript("a\u202eb\u2028") == python("a\u202eb\u2028") == r'"a\u202eb\u2028"'
