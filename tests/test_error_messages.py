"""What all messages of errors have in common, read off the source: one sentence, no capital, no full stop."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastact
from fastact import errors

FOLDER = Path(fastact.__file__).parent
NAMES = ("FASTACT_", "IMAGE_DEPTH", "Keras ", "PyTorch", "RESIZE_", "RMS ", "VisualBackProp")
"""What a message may begin with although it is a capital: names of settings, and proper names."""

KINDS = {*errors.__all__} - {"MissingExtraError"} | {"BadParameter", "UsageError", "PeerError"}


def messages(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the text of every message in the source; what is put in at run time is a `~`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        first = node.args[0]
        if name not in KINDS or not isinstance(first, ast.Constant | ast.JoinedStr):
            continue
        parts = first.values if isinstance(first, ast.JoinedStr) else [first]
        yield node.lineno, "".join(str(p.value) if isinstance(p, ast.Constant) else "~" for p in parts)


def is_poor(text: str) -> bool:
    """Whether a message breaks the rule."""
    capital = text[:1].isupper() and not text.startswith(NAMES)
    return capital or text.endswith(".") or ". " in text or "\n" in text


def test_every_message_is_one_sentence_without_a_capital_or_a_full_stop() -> None:
    found = [
        (f"{path.relative_to(FOLDER)}:{line}", text)
        for path in sorted(FOLDER.rglob("*.py"))
        for line, text in messages(ast.parse(path.read_text()))
    ]
    assert len(found) > 250
    assert [(where, text) for where, text in found if is_poor(text)] == []


@pytest.mark.parametrize("text", ["Capital", "a full stop.", "two. sentences", "a\nline"])
def test_a_poor_message_is_found(text: str) -> None:
    ((line, found),) = messages(ast.parse(f"raise InputError({text!r})"))
    assert (line, found) == (1, text)
    assert is_poor(found)
