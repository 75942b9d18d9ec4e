"""The bounded JSON parser: equal to the standard one within its bounds, and unmoved by what lies beyond."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastact.files.bounded_json import MAX_BYTES, MAX_DEPTH, MAX_VALUES, JsonError, parse

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('ab"\\/{}[],é', max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(values, st.booleans())
def test_reads_what_json_writes(value: object, ascii_only: bool) -> None:
    assert parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"a": 1,}', "not valid JSON"),
        (b'["\x00"]', "not valid JSON"),
        (b"[1] [2]", "not valid JSON"),
        (b"\xef\xbb\xbf[]", "not valid JSON"),
        (b'"unclosed \\', "not valid JSON"),
        (b'["\xff"]', "not UTF-8"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "same key twice"),
        (b'{"a": 1, "\\u0061": 2}', "same key twice"),
        (b"[NaN]", "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[-Infinity]", "-Infinity"),
        (b"[1e999]", "too large for a float"),
        (b"[" + b"9" * 33 + b"]", "more than 32 digits"),
        (b"[" + b"9" * 1_000_000 + b"]", "more than 32 digits"),
        (b'{"name": "\\ud800"}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested more than 100 deep"),
        (b'{"a":' * 100_000, "nested more than 100 deep"),
        (b"[" * 5_000_000, "nested more than 100 deep"),
        (b"[" + b"{}," * (MAX_VALUES // 2) + b"{}]", "holds more than 1000000 values"),
        (b"[" + b"1," * MAX_VALUES + b"1]", "holds more than 1000000 values"),
        (b" " * (MAX_BYTES + 1), "more than the 16777216 that are read"),
    ],
    ids=range(24),
)
def test_refusals(text: bytes, words: str) -> None:
    with pytest.raises(JsonError, match=words):
        parse(text)


def test_up_to_the_bounds() -> None:
    deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert json.loads(deep) == parse(deep)
    assert parse(b'["[[[[{{{{", "\\\\", "\\"]"]') == ["[[[[{{{{", "\\", '"]']
    assert parse(b'["\\ud83d\\ude00"]') == ["\U0001f600"]


def test_brackets_within_strings_do_not_count() -> None:
    assert parse(json.dumps(["[" * 10_000 + '"' * 10_000]).encode()) == ["[" * 10_000 + '"' * 10_000]


@pytest.mark.parametrize(
    "text",
    [b'"' + b'\\"' * 500_000, b'"' * 1_000_001, b'"\\' * 500_000, b'["' + b"\\\\" * 500_000],
    ids=["escaped quotes", "quotes", "quote and backslash", "backslashes"],
)
def test_strings_that_never_end_are_refused_in_linear_time(text: bytes) -> None:
    """A pattern that starts again at each quote would take hours; the child is stopped after ten minutes."""
    program = "import sys; from fastact.files.bounded_json import parse; parse(sys.stdin.buffer.read())"
    done = subprocess.run([sys.executable, "-c", program], input=text, capture_output=True, timeout=600, check=False)
    assert b"JsonError: is not valid JSON" in done.stderr
